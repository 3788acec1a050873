"""What the checks share: the repository's files, the exceptions, and how findings are shown."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
CODE_FOLDERS = ("common", "coordinator", "worker", "client", "tests")


@dataclass(frozen=True)
class Finding:
    """One violated rule at one place. `subject` is what an exception must name."""

    path: str
    line: int
    rule: str
    message: str
    subject: str = ""

    @property
    def key(self) -> str:
        return f"{self.path}:{self.subject}" if self.subject else self.path


@cache
def files() -> tuple[str, ...]:
    """All files that are, or would be, in the repository, as paths relative to its root."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    ).stdout.decode()
    return tuple(sorted(p for p in set(listed.split("\0")) if p and (ROOT / p).is_file()))


def code_files(*suffixes: str) -> Iterator[str]:
    """Files of the product and its tests with one of the suffixes."""
    for path in files():
        if path.split("/", 1)[0] in CODE_FOLDERS and path.endswith(suffixes):
            yield path


@cache
def read(path: str) -> str:
    return (ROOT / path).read_text(encoding="utf-8", errors="replace")


def exceptions(rule: str) -> dict[str, str]:
    """The permitted violations of `rule`: subject to reason. See exceptions.txt for the format."""
    found: dict[str, str] = {}
    for number, line in enumerate(read("deploy/checks/exceptions.txt").splitlines(), 1):
        if not line.strip() or line.startswith("#"):
            continue
        fields = [field.strip() for field in line.split("|")]
        if len(fields) != 3 or len(fields[2]) < 10:
            sys.exit(f"deploy/checks/exceptions.txt:{number}: expected 'rule | subject | reason'")
        if fields[0] == rule:
            found[fields[1]] = fields[2]
    return found


def report(name: str, findings: Iterable[Finding], seen: int, unit: str = "files") -> int:
    """Prints what is not excepted, and a summary. Returns the exit code."""
    findings = list(findings)
    failures = []
    for rule in sorted({finding.rule for finding in findings}):
        permitted = exceptions(rule)
        mine = [finding for finding in findings if finding.rule == rule]
        failures += [finding for finding in mine if finding.key not in permitted]
    for finding in sorted(failures, key=lambda f: (f.path, f.line, f.rule)):
        print(f"{finding.path}:{finding.line}: [{finding.rule}] {finding.message}")
    print(f"{name}: {seen} {unit}, {len(failures)} findings")
    return 1 if failures else 0


def unused_exceptions(rules: Iterable[str], findings: Iterable[Finding]) -> list[Finding]:
    """An exception that matches nothing must go: the list only gets shorter."""
    used = {(finding.rule, finding.key) for finding in findings}
    return [
        Finding("deploy/checks/exceptions.txt", 0, "exceptions", f"not needed: {rule} | {subject}")
        for rule in rules
        for subject in exceptions(rule)
        if (rule, subject) not in used
    ]
