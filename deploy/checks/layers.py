#!/usr/bin/env python3
"""Layers: who may include whom.

proto <- common <- {coordinator, worker, client}; no cycle between folders; every library of others
behind its one door; a folder links what it includes; Arrow's own group-by, join and sort are not
used.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable
from pathlib import PurePosixPath

import cpp_scan
import repo
from repo import Finding

# Which top folders code of a top folder may include.
ALLOWED = {
    "common": {"common"},
    "coordinator": {"common", "coordinator"},
    "worker": {"common", "worker"},
    "client": {"common", "client"},
    "tests": {"common", "coordinator", "worker", "client", "tests"},
}

# Header prefix of a library, its CMake target, and the only folders that may use it, beside tests.
DOORS = (
    ("rocksdb/", "mr_rocksdb", ("worker/state", "coordinator/metadata")),
    ("spdlog/", "mr_spdlog", ("common/logging",)),
    ("pg_query", "mr_pg_query", ("coordinator/sql",)),
    ("librdkafka/", "mr_rdkafka", ("common/kafka_client", "worker/connectors/kafka")),
    ("libpq", "mr_libpq", ("worker/connectors/postgres",)),
    ("prometheus/", "mr_prometheus", ("common/metrics",)),
    ("toml++/", "mr_tomlplusplus", ("common/config",)),
    ("httplib.h", "mr_httplib", ("common/net",)),
)

# Never: what the project exists for is ours, and these parts of Arrow would do it behind our back.
FORBIDDEN_HEADERS = re.compile(
    r"^arrow/(acero|flight|python|dataset|engine)/|^arrow/compute/(row/grouper|exec/|api_aggregate)"
)
FORBIDDEN_CALLS = re.compile(
    r"arrow::(acero|flight|dataset)::"
    r"|compute::(Grouper|SortIndices|SortToIndices|SelectKUnstable|NthToIndices|RankQuantile)\b"
    r'|CallFunction\(\s*"(hash_\w+|sort_indices|array_sort_indices|select_k_unstable'
    r'|partition_nth_indices|rank\w*|unique|value_counts|dictionary_encode)"'
)
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
RULES = ("layers", "door", "cycle", "arrow", "links", "include")


def includes(path: str) -> Iterable[tuple[int, str, str]]:
    """Line, opening mark and text of every include of a file."""
    for number, line in enumerate(repo.read(path).splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1), match.group(2)


def check_door(path: str, number: int, header: str) -> list[Finding]:
    for prefix, _, folders in DOORS:
        if header.startswith(prefix) and not path.startswith((*folders, "tests/")):
            message = f"{header} may be included only in {', '.join(folders)}"
            return [Finding(path, number, "door", message, prefix.rstrip("/"))]
    if FORBIDDEN_HEADERS.match(header):
        return [Finding(path, number, "arrow", f"{header} must not be used: see docs/adr", header)]
    return []


def check_includes(path: str, known: set[str], edges: dict[str, dict[str, str]]) -> list[Finding]:
    """Checks the includes of one file, and adds its folder's edges."""
    findings: list[Finding] = []
    top = path.split("/", 1)[0]
    folder = str(PurePosixPath(path).parent)
    for number, mark, header in includes(path):
        findings += check_door(path, number, header)
        other = header.split("/", 1)[0]
        if other not in repo.CODE_FOLDERS:
            continue
        if mark == "<":
            findings.append(Finding(path, number, "include", f'write "{header}", in quotes'))
        if header not in known:
            findings.append(Finding(path, number, "include", f"there is no {header}"))
        if other not in ALLOWED[top]:
            findings.append(Finding(path, number, "layers", f"{top} must not include {other}"))
        target = str(PurePosixPath(header).parent)
        if target != folder:
            edges.setdefault(folder, {}).setdefault(target, f"{path}:{number}")
    return findings


def cycles(edges: dict[str, dict[str, str]]) -> list[Finding]:
    """One finding for each group of folders that include each other (Tarjan)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[list[str]] = []

    def visit(folder: str) -> None:
        index[folder] = low[folder] = len(index)
        stack.append(folder)
        for target in edges.get(folder, {}):
            if target not in index:
                visit(target)
                low[folder] = min(low[folder], low[target])
            elif target in stack:
                low[folder] = min(low[folder], index[target])
        if low[folder] == index[folder]:
            group = stack[stack.index(folder) :]
            del stack[stack.index(folder) :]
            if len(group) > 1:
                groups.append(sorted(group))

    for folder in sorted(edges):
        if folder not in index:
            visit(folder)
    findings = []
    for group in groups:
        places = [
            f"{folder} -> {target} ({edges[folder][target]})"
            for folder in group
            for target in edges.get(folder, {})
            if target in group
        ]
        message = "folders include each other: " + "; ".join(places)
        findings.append(Finding(group[0], 0, "cycle", message))
    return findings


def declared_links() -> dict[str, set[str]]:
    """Folder to the targets in DEPS of its CMakeLists.txt."""
    links: dict[str, set[str]] = {}
    for path in repo.files():
        if path.endswith("/CMakeLists.txt"):
            text = re.sub(r"#[^\n]*", "", repo.read(path))
            words: set[str] = set()
            for call in re.findall(r"millrace_(?:library|test|binary)\s*\(([^)]*)\)", text):
                words |= set(call.split())
            words |= set(re.findall(r"\bmr_\w+", text))
            links[str(PurePosixPath(path).parent)] = words
    return links


def check_links(edges: dict[str, dict[str, str]]) -> list[Finding]:
    """Every folder that is included must be linked, directly or through what is linked."""
    links = declared_links()
    folder_of = {"mr_" + folder.replace("/", "_"): folder for folder in links}
    findings = []
    for folder in sorted(links):
        reached: set[str] = set()
        waiting = [folder]
        while waiting:
            for target in links.get(waiting.pop(), set()):
                other = folder_of.get(target)
                if other and other not in reached:
                    reached.add(other)
                    waiting.append(other)
        if folder.startswith("tests/"):
            reached.add("tests/support")
        for target, place in edges.get(folder, {}).items():
            if target in links and target not in reached:
                path, _, number = place.partition(":")
                name = "mr_" + target.replace("/", "_")
                message = f"{folder}/CMakeLists.txt does not link {name}"
                findings.append(Finding(path, int(number), "links", message))
        for _, library, folders in DOORS:
            if library in links[folder] and not folder.startswith((*folders, "tests/")):
                message = f"{library} may be linked only in {', '.join(folders)}"
                findings.append(Finding(f"{folder}/CMakeLists.txt", 1, "door", message, library))
    return findings


def main() -> int:
    paths = list(repo.code_files(".h", ".cc"))
    known = set(paths)
    edges: dict[str, dict[str, str]] = {}
    findings: list[Finding] = []
    for path in paths:
        findings += check_includes(path, known, edges)
        code = cpp_scan.blank_literals(repo.read(path), keep_strings=True)
        for match in FORBIDDEN_CALLS.finditer(code):
            number = code.count("\n", 0, match.start()) + 1
            findings.append(Finding(path, number, "arrow", f"not to be called: {match.group(0)}"))
    findings += cycles(edges)
    findings += check_links(edges)
    findings += repo.unused_exceptions(RULES, findings)
    return repo.report("layers", findings, len(paths))


if __name__ == "__main__":
    sys.exit(main())
