#!/usr/bin/env python3
"""Links of the documentation: files, headings and the paths that prose names in backticks exist."""

from __future__ import annotations

import re
import sys
from pathlib import PurePosixPath

import repo
from repo import Finding

LINK = re.compile(r"(?<!\!)\[[^\]\n]*\]\(([^)\s]+)(?:\s+\"[^\"]*\")?\)|!\[[^\]\n]*\]\(([^)\s]+)\)")
NAMED_PATH = re.compile(r"`((?:proto|common|coordinator|worker|client|deploy|tests|docs)/[A-Za-z0-9_./-]+)`")
HEADING = re.compile(r"^#{1,6}\s+(.+?)\s*#*$", re.MULTILINE)
FENCE = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
RULES = ("link", "named-path")


def without_code(text: str) -> str:
    return FENCE.sub(lambda match: "\n" * match.group(0).count("\n"), text)


def anchors(text: str) -> set[str]:
    """The anchors of all headings, as GitHub makes them."""
    found: dict[str, int] = {}
    result = set()
    for title in HEADING.findall(without_code(text)):
        plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", title).replace("`", "").lower()
        slug = re.sub(r"[^\w\- ]", "", plain).replace(" ", "-")
        count = found.get(slug, 0)
        found[slug] = count + 1
        result.add(slug if count == 0 else f"{slug}-{count}")
    return result


def resolve(path: str, target: str) -> str:
    parts: list[str] = list(PurePosixPath(path).parent.parts) if not target.startswith("/") else []
    for part in target.strip("/").split("/"):
        if part == "..":
            if parts:
                parts.pop()
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def main() -> int:
    documents = [path for path in repo.files() if path.endswith(".md")]
    existing = set(repo.files())
    for path in list(existing):
        existing.update(str(parent) for parent in PurePosixPath(path).parents)
    findings = []
    for path in documents:
        text = without_code(repo.read(path))
        for match in LINK.finditer(text):
            link = match.group(1) or match.group(2)
            number = text.count("\n", 0, match.start()) + 1
            if re.match(r"[a-z]+:", link):
                continue
            target, _, anchor = link.partition("#")
            file = resolve(path, target) if target else path
            if file not in existing:
                findings.append(Finding(path, number, "link", f"there is no {file}"))
            elif anchor and file.endswith(".md") and anchor not in anchors(repo.read(file)):
                findings.append(Finding(path, number, "link", f"{file} has no heading #{anchor}"))
        for match in NAMED_PATH.finditer(text):
            named = match.group(1).rstrip("/.")
            number = text.count("\n", 0, match.start()) + 1
            if named not in existing and "<" not in named:
                findings.append(Finding(path, number, "named-path", f"there is no {named}"))
    findings += repo.unused_exceptions(RULES, findings)
    return repo.report("docs_links", findings, len(documents))


if __name__ == "__main__":
    sys.exit(main())
