"""Runs the records of one .slt file on an engine."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path

from . import comparison, slt
from .engine import Engine, Query, Refused, Result, SqlError, Table, Undecided

CREATED = re.compile(r"\s*CREATE\b.*?\b(?:VIEW|TABLE)\s+(?:IF\s+NOT\s+EXISTS\s+)?(\w+)", re.IGNORECASE)
DATA = Path(__file__).resolve().parents[1] / "data"


@dataclass
class FileRun:
    """What came out: numbers of cases, texts of failures, and what an update would write."""

    passed: int = 0
    failed: int = 0
    # The file asked for something that the engine does not have.
    required: str = ""
    failures: list[str] = field(default_factory=list)
    # Places of the cases that the engine's mode does not take, by its words.
    refused: dict[str, list[str]] = field(default_factory=dict)
    # Cases that say nothing in this way of running.
    undecided: int = 0
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
            records = self._records_to_run(slt.parse(path, root))
            for is_query, group in itertools.groupby(records, lambda record: record.kind == "query"):
                together = list(group)
                if is_query:
                    self._engine.begin([self._query_of(record) for record in together])
                for record in together:
                    self._run_record(record)
        finally:
            self._engine.end_file()
        return self._run

    def _records_to_run(self, records: list[slt.Record]) -> list[slt.Record]:
        chosen = []
        relations: set[str] = set()
        for record in records:
            if record.kind == "halt":
                break
            if record.kind == "require" and record.words[0] not in self._engine.names:
                self._run.required = record.words[0]
                break
            if record.applies_to(self._engine.names) and self._is_wanted(record, relations):
                chosen.append(record)
            relations |= _defines(record)
        return chosen

    def _is_wanted(self, record: slt.Record, relations: set[str]) -> bool:
        """An engine that has streams only is asked for what reads one of these relations."""
        if not self._engine.streams_only or not record.is_case:
            return True
        words = set(re.findall(r"\w+", record.sql_for(self._engine.names).lower()))
        return record.kind == "query" and not words.isdisjoint(relations)

    def _query_of(self, record: slt.Record) -> Query:
        return Query(record.sql_for(self._engine.names), len(record.types))

    def _run_record(self, record: slt.Record) -> None:
        if record.kind == "hash-threshold":
            self._hash_threshold = int(record.words[0])
            return
        try:
            failure = self._failure_of(record)
        except Refused as refused:
            self._run.refused.setdefault(refused.message, []).append(record.place)
            return
        except Undecided:
            self._run.undecided += 1
            return
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
        result = self._engine.query(self._query_of(record))
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
        try:
            result = self._run_sql(record)
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

    def _run_sql(self, record: slt.Record) -> Result:
        if record.kind == "query":
            return self._engine.query(self._query_of(record))
        return self._engine.execute(record.sql_for(self._engine.names))


def _defines(record: slt.Record) -> set[str]:
    """The name of the relation that a record makes, if it makes one."""
    if record.kind == "load":
        return {record.words[0].lower()}
    created = CREATED.match(record.sql) if record.kind == "statement" else None
    return {created.group(1).lower()} if created else set()


def _same_types(expected: str, actual: str) -> bool:
    return len(expected) == len(actual) and all(a in ("?", b) for a, b in zip(expected, actual, strict=True))


def _indented(sql: str) -> str:
    return "\n".join("    " + line for line in sql.split("\n"))
