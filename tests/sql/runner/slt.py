"""Reads and writes .slt files (sqllogictest). The dialect is described in tests/sql/README.md."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

SORT_MODES = ("nosort", "rowsort", "valuesort")
# B boolean, I integers, R floats, N numeric, T strings, D date, P timestamps, X everything else.
TYPE_LETTERS = "BIRNTDPX"


class SltSyntaxError(Exception):
    """The file is not as the format wants it."""


@dataclass
class Record:
    """One record of a file; `kind` says which of the other fields count."""

    # "statement", "query", "load", "require", "halt", "hash-threshold", "set".
    kind: str
    path: str
    line: int
    # The words behind the kind.
    words: list[str] = field(default_factory=list)
    sql: str = ""
    # The same question in the words of one engine ("%% ENGINE" lines), by its name.
    sql_of: dict[str, str] = field(default_factory=dict)
    # None: it must succeed. Otherwise SQLSTATE and an expression that the message must match.
    error: tuple[str, str] | None = None
    types: str = ""
    sort: str = "nosort"
    expected: list[str] = field(default_factory=list)
    # Engines that the record is skipped for, and those that alone run it (empty: all).
    skip_if: list[str] = field(default_factory=list)
    only_if: list[str] = field(default_factory=list)
    # Line numbers (from 0) of the head and of what follows "----", for rewriting.
    head_line: int = 0
    result_begin: int = 0
    result_end: int = 0
    has_result: bool = False

    @property
    def place(self) -> str:
        return f"{self.path}:{self.line}"

    @property
    def is_case(self) -> bool:
        """Whether it checks something, rather than preparing what others check."""
        return self.kind == "query" or self.error is not None

    def sql_for(self, names: set[str]) -> str:
        return next((sql for name, sql in self.sql_of.items() if name in names), self.sql)

    def applies_to(self, names: set[str]) -> bool:
        if any(name in names for name in self.skip_if):
            return False
        return not self.only_if or any(name in names for name in self.only_if)


class _Reader:
    def __init__(self, path: Path, name: str) -> None:
        self.name = name
        self.lines = path.read_text(encoding="utf-8").split("\n")
        self.at = 0

    def fail(self, message: str) -> SltSyntaxError:
        return SltSyntaxError(f"{self.name}:{self.at + 1}: {message}")

    def block(self) -> list[str]:
        """Lines up to the next empty line, the end, or "----"."""
        begin = self.at
        while self.at < len(self.lines) and self.lines[self.at].strip() not in ("", "----"):
            self.at += 1
        return self.lines[begin : self.at]


def parse_error_words(words: list[str]) -> tuple[str, str]:
    """["22012", "division", "by"] -> ("22012", "division by"); the code may be left out."""
    if words and re.fullmatch(r"[0-9A-Z]{5}", words[0]):
        return words[0], " ".join(words[1:])
    return "", " ".join(words)


def _split_by_engine(reader: _Reader, lines: list[str]) -> tuple[str, dict[str, str]]:
    """Lines behind "%% ENGINE" are for that engine only; those before are for the others."""
    parts: dict[str, list[str]] = {"": []}
    part = parts[""]
    for line in lines:
        if line.startswith("%% "):
            part = parts.setdefault(line[3:].strip(), [])
        else:
            part.append(line)
    texts = {name: "\n".join(part) for name, part in parts.items()}
    if any(not text for name, text in texts.items() if name):
        raise reader.fail("%% ENGINE without SQL behind it")
    return texts.pop(""), texts


def _read_sql(reader: _Reader, record: Record) -> None:
    lines = reader.block()
    if not lines:
        raise reader.fail(f"{record.kind} without SQL")
    record.sql, record.sql_of = _split_by_engine(reader, lines)
    at_result = reader.at < len(reader.lines) and reader.lines[reader.at].strip() == "----"
    if not at_result:
        record.result_begin = record.result_end = reader.at
        return
    reader.at += 1
    record.has_result = True
    record.result_begin = reader.at
    while reader.at < len(reader.lines) and reader.lines[reader.at] != "":
        reader.at += 1
    record.result_end = reader.at
    record.expected = reader.lines[record.result_begin : record.result_end]


def _parse_statement(reader: _Reader, record: Record) -> None:
    if record.words == ["ok"]:
        pass
    elif record.words[:1] == ["error"]:
        record.error = parse_error_words(record.words[1:])
    else:
        raise reader.fail("write 'statement ok' or 'statement error [SQLSTATE] [expression]'")
    _read_sql(reader, record)


def _parse_query(reader: _Reader, record: Record) -> None:
    words = record.words
    if words[:1] == ["error"]:
        record.error = parse_error_words(words[1:])
    else:
        record.types = words[0] if words else ""
        unknown = set(record.types) - set(TYPE_LETTERS + "?")
        if unknown:
            raise reader.fail(f"types are letters of {TYPE_LETTERS}, not {''.join(sorted(unknown))}")
        for word in words[1:2]:
            if word not in SORT_MODES:
                raise reader.fail(f"sort mode is one of {', '.join(SORT_MODES)}, not {word}")
            record.sort = word
    _read_sql(reader, record)


def _include(path: Path, root: Path, word: str) -> list[Record]:
    target = (path.parent / word).resolve()
    if not target.is_file():
        raise SltSyntaxError(f"{path}: there is no {word} to include")
    return parse(target, root)


def parse(path: Path, root: Path) -> list[Record]:
    """All records of a file, those of included files in their place."""
    name = str(path.relative_to(root)) if path.is_relative_to(root) else str(path)
    reader = _Reader(path, name)
    records: list[Record] = []
    skip_if: list[str] = []
    only_if: list[str] = []
    while reader.at < len(reader.lines):
        line = reader.lines[reader.at]
        head = reader.at
        reader.at += 1
        words = line.split()
        if not words or line.startswith("#"):
            continue
        kind, *words = words
        record = Record(kind, name, head + 1, words, head_line=head)
        if kind in ("skipif", "onlyif"):
            (skip_if if kind == "skipif" else only_if).extend(words)
            continue
        record.skip_if, record.only_if = skip_if, only_if
        skip_if, only_if = [], []
        if kind == "statement":
            _parse_statement(reader, record)
        elif kind == "query":
            _parse_query(reader, record)
        elif kind == "include":
            records += _include(path, root, words[0])
            continue
        elif kind == "load":
            if len(words) < 3:
                raise reader.fail("write 'load TABLE FILE column type, …'")
        elif kind not in ("require", "halt", "hash-threshold", "set"):
            raise reader.fail(f"unknown record: {kind}")
        records.append(record)
    return records


def rewrite(path: Path, results: dict[int, tuple[str, list[str]]]) -> None:
    """Replaces heads and results of queries; `results` maps a record's line to its new ones."""
    lines = path.read_text(encoding="utf-8").split("\n")
    for record in reversed(parse(path, path.parent)):
        if record.line not in results or record.path != path.name:
            continue
        head, expected = results[record.line]
        body = ["----", *expected] if record.kind == "query" and record.error is None else []
        begin = record.result_begin - (1 if record.has_result else 0)
        lines[begin : record.result_end] = body
        lines[record.head_line] = head
    path.write_text("\n".join(lines), encoding="utf-8")
