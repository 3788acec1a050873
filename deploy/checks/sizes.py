#!/usr/bin/env python3
"""Sizes: lines of files and functions, parameters, nesting, width of lines."""

from __future__ import annotations

import ast
import re
import sys

import cpp_scan
import repo
from repo import Finding

HEADER_LINES_MAX = 300
SOURCE_LINES_MAX = 500
TEST_LINES_MAX = 600
FUNCTION_LINES_MAX = 70
PARAMETERS_MAX = 5
NESTING_MAX = 3
# Columns by suffix; text that cannot be broken (a link, a path) is let through.
COLUMNS_MAX = {".h": 100, ".cc": 100, ".py": 120, ".sh": 120, ".proto": 120, ".md": 200}

RULES = ("file-lines", "function-lines", "parameters", "nesting", "columns")


def file_limit(path: str) -> int:
    if path.startswith("tests/"):
        return TEST_LINES_MAX
    return HEADER_LINES_MAX if path.endswith(".h") else SOURCE_LINES_MAX


def check_functions(path: str, found: list[cpp_scan.Function]) -> list[Finding]:
    findings = []
    for function in found:
        limits = (
            ("function-lines", function.num_lines, FUNCTION_LINES_MAX, "lines"),
            ("parameters", function.num_parameters, PARAMETERS_MAX, "parameters"),
            ("nesting", function.nesting, NESTING_MAX, "levels of nesting"),
        )
        for rule, value, limit, unit in limits:
            if value > limit:
                message = f"{function.name} has {value} {unit}, the limit is {limit}"
                findings.append(Finding(path, function.line, rule, message, function.name))
    return findings


def python_functions(text: str) -> list[cpp_scan.Function]:
    """Python has its own measure of parameters (ruff); lines count here."""
    found = []
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            num_lines = (node.end_lineno or node.lineno) - node.lineno + 1
            found.append(cpp_scan.Function(node.name, node.lineno, num_lines, 0, 0))
    return found


def check_columns(path: str, text: str) -> list[Finding]:
    limit = next((c for suffix, c in COLUMNS_MAX.items() if path.endswith(suffix)), None)
    if limit is None:
        return []
    findings = []
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) <= limit or re.search(r"\S{60,}", line) or line.startswith(("#include", "|")):
            continue
        message = f"{len(line)} columns, the limit is {limit}"
        findings.append(Finding(path, number, "columns", message))
    return findings


def main() -> int:
    findings: list[Finding] = []
    seen = 0
    for path in repo.files():
        if not path.endswith(tuple(COLUMNS_MAX)):
            continue
        seen += 1
        text = repo.read(path)
        findings += check_columns(path, text)
        if not path.endswith((".h", ".cc", ".py")):
            continue
        num_lines = text.count("\n")
        if num_lines > file_limit(path):
            message = f"{num_lines} lines, the limit is {file_limit(path)}"
            findings.append(Finding(path, 1, "file-lines", message))
        measured = python_functions(text) if path.endswith(".py") else cpp_scan.functions(text)
        findings += check_functions(path, measured)
    findings += repo.unused_exceptions(RULES, findings)
    return repo.report("sizes", findings, seen)


if __name__ == "__main__":
    sys.exit(main())
