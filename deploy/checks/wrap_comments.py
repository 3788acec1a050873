#!/usr/bin/env python3
"""Wraps // comments that are wider than the limit; whole paragraphs, so no ragged lines are left.

    wrap_comments.py FILE...

Lines that start a list, are indented inside the comment, or hold a table or code stay as they are.
"""

from __future__ import annotations

import re
import sys
import textwrap
from pathlib import Path

from sizes import COLUMNS_MAX

COMMENT = re.compile(r"^(\s*)//( ?)(.*)$")
TRAILING = re.compile(r"^(\s*)(\S.*?\S)  ?// (.*)$")
STARTS_ANEW = re.compile(r"^([-*•]|\d+[.)]|\(?[a-z]\)) |^\s|^$")
TABLE = re.compile(r"\S {2,}\S|^\|")


def paragraphs(block: list[str]) -> list[list[str]]:
    """Splits the texts of a comment block where a new thought begins."""
    groups: list[list[str]] = []
    for text in block:
        continues = groups and groups[-1][-1] != "" and not STARTS_ANEW.match(text)
        if continues and not TABLE.search(text) and not TABLE.search(groups[-1][-1]):
            groups[-1].append(text)
        else:
            groups.append([text])
    return groups


def wrap_block(indent: str, block: list[str], limit: int) -> list[str]:
    prefix = indent + "// "
    lines = []
    for group in paragraphs(block):
        if all(len(prefix) + len(text) <= limit for text in group):
            lines += group
            continue
        marker = re.match(r"(\s*(?:[-*•] |\d+[.)] )?)", group[0])
        hanging = " " * len(marker.group(1)) if marker else ""
        text = " ".join([group[0].rstrip(), *(line.strip() for line in group[1:])])
        lines += textwrap.wrap(
            text,
            limit - len(prefix),
            subsequent_indent=hanging,
            break_long_words=False,
            break_on_hyphens=False,
        )
    return [(prefix + text).rstrip() for text in lines]


def wrap_file(text: str, limit: int) -> str:
    out: list[str] = []
    block: list[str] = []
    indent = ""

    def flush() -> None:
        if block:
            out.extend(wrap_block(indent, block, limit))
            block.clear()

    for line in text.split("\n"):
        comment = COMMENT.match(line)
        if comment and (comment.group(2) or not comment.group(3)):
            if comment.group(1) != indent:
                flush()
                indent = comment.group(1)
            block.append(comment.group(3))
            continue
        flush()
        trailing = TRAILING.match(line) if len(line) > limit else None
        if trailing and '"' not in trailing.group(3):
            out.extend(wrap_block(trailing.group(1), [trailing.group(3)], limit))
            out.append(trailing.group(1) + trailing.group(2))
        else:
            out.append(line)
    flush()
    return "\n".join(out)


def main() -> int:
    for name in sys.argv[1:]:
        path = Path(name)
        before = path.read_text(encoding="utf-8")
        after = wrap_file(before, COLUMNS_MAX[path.suffix])
        if after != before:
            path.write_text(after, encoding="utf-8")
            print(f"wrapped {name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
