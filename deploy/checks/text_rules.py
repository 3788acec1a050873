#!/usr/bin/env python3
"""Text that must not be in the repository: secrets, private places, words about how it was written;
and constructions that a test or a lock must not use."""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass

import cpp_scan
import repo
from repo import Finding

MIB = 1 << 20
PRODUCT_CODE = r"^(common|coordinator|worker|client)/.*\.(h|cc)$"


@dataclass(frozen=True)
class Rule:
    name: str
    pattern: re.Pattern[str]
    message: str
    # Paths it looks at, and those it lets through, as regular expressions.
    where: str = r""
    except_in: str = r"^$"
    # Comments and literals are not looked at.
    code_only: bool = False


def rule(name: str, pattern: str, message: str, flags: int = 0, **rest: str | bool) -> Rule:
    return Rule(name, re.compile(pattern, flags), message, **rest)  # type: ignore[arg-type]


RULES = (
    # Secrets and private places.
    rule("secret", r"-----BEGIN [A-Z ]*PRIVATE KEY-----", "a private key"),
    rule("secret", r"\b(AKIA|ASIA)[0-9A-Z]{16}\b", "an access key"),
    rule("secret", r"\bgh[pousr]_[A-Za-z0-9]{30,}\b|\bxox[abp]-[0-9A-Za-z-]{20,}", "a token"),
    rule("secret", r"://[^/\s:@<>{}$]+:[^/\s:@<>{}$*]+@(?!localhost|127\.)", "a password in a URL"),
    rule("place", r"(?<![\w.$}/])/(home|root|work|Users)/[\w.-]+", "a path of one machine"),
    rule("place", r"[\w.+-]+@(?!example\.)[\w-]+\.(com|org|net|io|dev|de)\b", "an e-mail address"),
    rule(
        "place",
        r"\b(?:10\.\d+|192\.168|172\.(?:1[6-9]|2\d|3[01]))\.\d+\.\d+\b",
        "a private network address",
        except_in=r"docker-compose|\.slt$",
    ),
    # The product speaks of itself only.
    rule(
        "authorship",
        r"\b(chat ?bots?|copilot|language models?|AI[- ](agent|assistant|generated)|sub-?agents?"
        r"|coding agents?|as an AI|this (coding )?session|the lead'?s? (decide|session|said))\b",
        "about how it was written",
        re.IGNORECASE,
    ),
    rule("authorship", r"\b(issue|ticket) #?\d+\b|\bgate G?\d\b", "about planning", re.IGNORECASE),
    # Tests.
    rule(
        "sleep",
        r"\b(sleep_for|sleep_until|usleep|absl::SleepFor)\b",
        "a test waits for a condition",
        where=r"^tests/(unit|integration)/",
    ),
    rule(
        "skipped",
        r"\bDISABLED_\w+|\bGTEST_SKIP\b|mark\.skip\b|mark\.xfail\b|pytest\.skip\b",
        "a test is deleted or mended, not switched off",
        where=r"^tests/",
    ),
    rule(
        "todo",
        r"\b(FIXME|XXX|HACK)\b|\bTODO(?!: .{25,})",
        "TODO: says why it waits",
        where=r"\.(h|cc|py|proto|sh)$",
    ),
    # Locks: the annotated ones, which clang's analysis and ThreadSanitizer understand.
    rule(
        "mutex",
        r"\bstd::(mutex|shared_mutex|lock_guard|unique_lock|scoped_lock|condition_variable)\b"
        r"|\babsl::(Mutex|CondVar)\b",
        "use Mutex, MutexLock, CondVar of common/base/mutex.h",
        where=PRODUCT_CODE,
        except_in=r"^common/base/mutex\.",
        code_only=True,
    ),
    rule(
        "thread",
        r"\.detach\(\)",
        "a thread has an owner that joins it",
        where=PRODUCT_CODE,
        code_only=True,
    ),
    rule("throw", r"\bthrow\b", "errors are statuses", where=PRODUCT_CODE, code_only=True),
    rule(
        "using",
        r"^\s*using namespace\b",
        "no using-directives",
        re.MULTILINE,
        where=r"\.(h|cc)$",
        code_only=True,
    ),
)
FILE_BYTES_MAX = MIB


def main() -> int:
    findings: list[Finding] = []
    seen = 0
    for path in repo.files():
        size = (repo.ROOT / path).stat().st_size
        if size > FILE_BYTES_MAX:
            findings.append(Finding(path, 0, "big", f"{size} bytes, the limit is {FILE_BYTES_MAX}"))
            continue
        text = repo.read(path)
        if "\0" in text or path in ("deploy/checks/text_rules.py", "deploy/checks/self_test.py"):
            continue
        seen += 1
        code = cpp_scan.blank_literals(text) if path.endswith((".h", ".cc")) else text
        for checked in RULES:
            if not re.search(checked.where, path) or re.search(checked.except_in, path):
                continue
            subject = code if checked.code_only else text
            for match in checked.pattern.finditer(subject):
                number = subject.count("\n", 0, match.start()) + 1
                message = f"{checked.message}: {match.group(0).strip()[:60]}"
                findings.append(Finding(path, number, checked.name, message))
    names = sorted({checked.name for checked in RULES} | {"big"})
    findings += repo.unused_exceptions(names, findings)
    return repo.report("text_rules", findings, seen)


if __name__ == "__main__":
    sys.exit(main())
