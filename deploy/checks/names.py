#!/usr/bin/env python3
"""Names: files and classes that say nothing are refused, unit tests mirror the source tree, file-local names differ."""

from __future__ import annotations

import re
import sys
from pathlib import PurePosixPath

import cpp_scan
import repo
from repo import Finding

FORBIDDEN_WORDS = {"util", "utils", "utility", "utilities", "helper", "helpers", "misc", "impl2"}
# Too vague as a whole name; fine as a part of one ("job_manager", "common/").
FORBIDDEN_STEMS = {"common", "manager", "data", "info", "stuff", "types2", "functions"}
FORBIDDEN_CLASS = re.compile(r"\b(?:class|struct)\s+(\w*(?:Utils?|Helpers?|Misc)|Manager|Data|Info)\b(?!\s*;)")
# Ours, that of our protos, and those of others in which a type is declared ahead.
NAMESPACES = {"millrace", "v1", "absl", "std", "arrow", "parquet", "rocksdb", "grpc", "google"}
RULES = ("name", "mirror", "header", "file-local")
# What stands at the first column of an anonymous namespace and must differ between the files of a folder: several
# of them are compiled as one source (MILLRACE_UNITY). Aliases may repeat, they mean the same.
LOCAL_SCOPE = re.compile(r"^namespace \{\n(.*?)^\}  // namespace$", re.S | re.M)
LOCAL_CONSTANT = re.compile(r"^(?:constexpr|const)\b[^=(;{]*?\b(k[A-Z]\w*)\b", re.M)
LOCAL_TYPE = re.compile(r"^(?:class|struct|enum class|enum)\s+(\w+)\b[^;(]*\{", re.M)
LOCAL_FUNCTION = re.compile(r"^[A-Za-z][\w:<>,*& \[\]]*?[ *&](\w+)\(([^)]*)\)[^;{]*\{", re.M)
PARAMETER_NAME = re.compile(r"\s*\b\w+\s*(?==|,|$)(?:=[^,]*)?")


def check_name(path: str) -> list[Finding]:
    pure = PurePosixPath(path)
    stem = pure.name.split(".", 1)[0]
    code = path.endswith((".h", ".cc", ".py"))
    words = set(re.split(r"[_.\-]", stem.lower()))
    findings = []
    if words & FORBIDDEN_WORDS or (code and stem.lower() in FORBIDDEN_STEMS):
        findings.append(Finding(path, 1, "name", f"'{pure.name}' does not say what is in it"))
    for folder in pure.parts[:-1]:
        if set(folder.lower().split("_")) & FORBIDDEN_WORDS:
            findings.append(Finding(path, 1, "name", f"folder '{folder}' does not say what is in it"))
    if path.endswith((".h", ".cc")) and not re.fullmatch(r"[a-z][a-z0-9_]*\.(h|cc)", pure.name):
        findings.append(Finding(path, 1, "name", "files are named in lower_case_with_underscores"))
    return findings


def check_header(path: str) -> list[Finding]:
    text = repo.read(path)
    findings = []
    if path.endswith(".h") and "#pragma once" not in text:
        findings.append(Finding(path, 1, "header", "#pragma once is missing"))
    code = cpp_scan.blank_literals(text)
    for match in re.finditer(r"\bnamespace\s+([A-Za-z_]\w*(?:::\w+)*)\s*\{", code):
        name = match.group(1)
        # Templates in headers have parts that are nobody else's business.
        if name not in NAMESPACES and not name.endswith("_internal"):
            number = code.count("\n", 0, match.start()) + 1
            message = f"namespace {name}: everything is in namespace millrace"
            findings.append(Finding(path, number, "header", message))
    for match in FORBIDDEN_CLASS.finditer(code):
        number = code.count("\n", 0, match.start()) + 1
        findings.append(Finding(path, number, "name", f"class {match.group(1)} says nothing"))
    return findings


def check_mirror(paths: set[str]) -> list[Finding]:
    """tests/unit/X/y_test.cc tests X/y.{h,cc}; y may go on: y_overflow_test.cc."""
    findings = []
    sources: dict[str, set[str]] = {}
    tested: set[str] = set()
    for path in paths:
        if path.endswith((".h", ".cc")) and not path.startswith("tests/"):
            pure = PurePosixPath(path)
            sources.setdefault(str(pure.parent), set()).add(pure.stem)
    for path in sorted(paths):
        if not path.startswith("tests/unit/") or not path.endswith(".cc"):
            continue
        pure = PurePosixPath(path)
        folder = str(pure.parent).removeprefix("tests/unit/")
        tested.add(folder)
        if folder not in sources:
            findings.append(Finding(path, 1, "mirror", f"there is no folder {folder}"))
            continue
        if not pure.stem.endswith("_test"):
            findings.append(Finding(path, 1, "mirror", "a test file is called <source>_test.cc"))
            continue
        stem = pure.stem.removesuffix("_test")
        if not any(stem == s or stem.startswith(s + "_") for s in sources[folder]):
            message = f"{folder} has no {stem}.h or {stem}.cc, nor one that this name starts with"
            findings.append(Finding(path, 1, "mirror", message))
    for folder, stems in sorted(sources.items()):
        has_code = any(f"{folder}/{stem}.cc" in paths for stem in stems if not stem.endswith("_main"))
        if has_code and folder not in tested:
            message = f"no unit test: tests/unit/{folder} is missing"
            findings.append(Finding(folder, 0, "mirror", message))
    return findings


def local_names(text: str) -> dict[str, int]:
    """The names in a file's anonymous namespaces, functions with the types of their parameters, and their lines."""
    code = cpp_scan.blank_literals(text)
    found: dict[str, int] = {}
    for scope in LOCAL_SCOPE.finditer(text):
        for rule in (LOCAL_CONSTANT, LOCAL_TYPE, LOCAL_FUNCTION):
            for match in rule.finditer(code[scope.start(1) : scope.end(1)]):
                name = match.group(1)
                if rule is LOCAL_FUNCTION:
                    types = PARAMETER_NAME.sub("", match.group(2))
                    name += "(" + re.sub(r"\s+", " ", types).strip() + ")"
                found[name] = code.count("\n", 0, scope.start(1) + match.start()) + 1
    return found


def check_local_names() -> list[Finding]:
    findings = []
    known: dict[tuple[PurePosixPath, str], str] = {}
    for path in repo.code_files(".cc"):
        pure = PurePosixPath(path)
        for name, line in local_names(repo.read(path)).items():
            first = known.setdefault((pure.parent, name), pure.name)
            if first != pure.name:
                message = f"{name} is also a file-local name of {first}; share it, or name one of them more exactly"
                findings.append(Finding(path, line, "file-local", message))
    return findings


def main() -> int:
    findings: list[Finding] = []
    paths = set(repo.files())
    for path in sorted(paths):
        findings += check_name(path)
    for path in repo.code_files(".h", ".cc"):
        findings += check_header(path)
    findings += check_mirror(paths)
    findings += check_local_names()
    findings += repo.unused_exceptions(RULES, findings)
    return repo.report("names", findings, len(paths))


if __name__ == "__main__":
    sys.exit(main())
