"""Runs the records of one .slt file on an engine."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from . import comparison, slt
from .engine import Engine, SqlError, Table

DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass
class FileRun:
    """What came out: numbers of cases, texts of failures, and what an update would write."""

    passed: int = 0
    failed: int = 0
    # The file asked for something that the engine does not have.
    required: str = ""
    failures: list[str] = field(default_factory=list)
    rewritten: dict[int, tuple[str, list[str]]] = field(default_factory=dict)


class FileRunner:
    """Runs records in order. A failed one does not stop the file: the others are counted, too."""

    def __init__(self, engine: Engine, update: bool = False) -> None:
        self._engine = engine
        self._update = update
        self._hash_threshold = 0
        self._run = FileRun()

    def run(self, path: Path, root: Path) -> FileRun:
        self._run = FileRun()
        self._hash_threshold = 0
        self._engine.begin_file()
        try:
            for record in slt.parse(path, root):
                if record.kind == "halt":
                    break
                if record.kind == "require" and record.words[0] not in self._engine.names:
                    self._run.required = record.words[0]
                    break
                if record.applies_to(self._engine.names):
                    self._run_record(record)
        finally:
            self._engine.end_file()
        return self._run

    def _run_record(self, record: slt.Record) -> None:
        if record.kind == "hash-threshold":
            self._hash_threshold = int(record.words[0])
            return
        try:
            failure = self._failure_of(record)
        except SqlError as error:
            failure = f"failed with {error}"
        if failure:
            self._run.failed += record.is_case
            self._run.failures.append(f"{record.place}: {failure}\n{_indented(record.sql_for(self._engine.names))}")
        else:
            self._run.passed += record.is_case

    def _failure_of(self, record: slt.Record) -> str:
        """Empty if the record holds."""
        if record.kind == "load":
            name, file, *columns = record.words
            self._engine.load(Table(name, DATA / file, " ".join(columns)))
            return ""
        if record.kind == "require":
            return ""
        if record.error is not None:
            return self._failure_of_error(record, *record.error)
        sql = record.sql_for(self._engine.names)
        if record.kind == "statement":
            self._engine.execute(sql)
            return ""
        result = self._engine.query(sql)
        sort_mode = record.sort
        if self._engine.unordered and sort_mode == "nosort":
            sort_mode = "rowsort"
        rows = comparison.render(result, sort_mode)
        if self._update:
            sort = "" if record.sort == "nosort" else f" {record.sort}"
            lines = comparison.to_lines(rows, self._hash_threshold)
            self._run.rewritten[record.line] = (f"query {result.types}{sort}", lines)
            return ""
        if not _same_types(record.types, result.types):
            return f"types {record.types} expected, {result.types} came"
        return comparison.differences(result.types, sort_mode, record.expected, rows)

    def _failure_of_error(self, record: slt.Record, sqlstate: str, pattern: str) -> str:
        run = self._engine.query if record.kind == "query" else self._engine.execute
        try:
            result = run(record.sql_for(self._engine.names))
        except SqlError as error:
            if self._update:
                words = ["statement", "error", error.sqlstate, pattern]
                self._run.rewritten[record.line] = (" ".join(words).strip(), [])
                return ""
            if sqlstate and error.sqlstate != sqlstate:
                return f"SQLSTATE {sqlstate} expected, it failed with {error}"
            if pattern and not re.search(pattern, error.message, re.IGNORECASE):
                return f"a message like '{pattern}' expected, it failed with {error}"
            return ""
        return f"error {sqlstate} expected, it gave {len(result.rows)} rows: {result.rows[:3]}"


def _same_types(expected: str, actual: str) -> bool:
    return len(expected) == len(actual) and all(a in ("?", b) for a, b in zip(expected, actual, strict=True))


def _indented(sql: str) -> str:
    return "\n".join("    " + line for line in sql.split("\n"))
