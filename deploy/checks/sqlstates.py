#!/usr/bin/env python3
"""SQLSTATEs: the enum and its table agree, no code has two names, and codes are not written elsewhere."""

from __future__ import annotations

import re
import sys

import cpp_scan
import repo
from repo import Finding

HEADER = "common/base/status.h"
TABLE = "common/base/status.cc"
RULES = ("sqlstate",)
ENUMERATOR = re.compile(r"^\s*(k\w+),\s*//\s*([0-9A-Z]{5})\b", re.MULTILINE)
ROW = re.compile(r"\{SqlState::(k\w+),\s*\"([0-9A-Z]{5})\"")
# A literal that looks like an error's code: class 22, 23, 42 and so on.
LITERAL = re.compile(r"\"((?:0A|08|2[0-9]|2B|3[45BDF]|4[0-4]|5[3-8]|F0|XX)[0-9A-Z]{3})\"")


def main() -> int:
    findings: list[Finding] = []
    if HEADER not in repo.files() or TABLE not in repo.files():
        return repo.report("sqlstates", findings, 0, "codes")
    declared = ENUMERATOR.findall(repo.read(HEADER))
    listed = ROW.findall(repo.read(TABLE))
    for index, (name, code) in enumerate(declared):
        if index >= len(listed) or listed[index] != (name, code):
            message = f"{name} // {code}: row {index + 1} of the table in {TABLE} is not this one"
            findings.append(Finding(HEADER, 0, "sqlstate", message, name))
    codes = [code for _, code in listed]
    for name, code in listed:
        if codes.count(code) > 1:
            findings.append(Finding(TABLE, 0, "sqlstate", f"{code} ({name}) is there twice", name))
    for path in repo.code_files(".cc", ".h"):
        if path in (HEADER, TABLE) or path.startswith("tests/"):
            continue
        text = cpp_scan.blank_literals(repo.read(path), keep_strings=True)
        for match in LITERAL.finditer(text):
            if match.group(1) in codes:
                number = text.count("\n", 0, match.start()) + 1
                message = f'use SqlState instead of "{match.group(1)}"'
                findings.append(Finding(path, number, "sqlstate", message, match.group(1)))
    findings += repo.unused_exceptions(RULES, findings)
    return repo.report("sqlstates", findings, len(declared), "codes")


if __name__ == "__main__":
    sys.exit(main())
