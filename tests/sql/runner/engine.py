"""What the runner wants of a database: Millrace and PostgreSQL both fulfil it."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol


class SqlError(Exception):
    """A statement failed."""

    def __init__(self, sqlstate: str, message: str) -> None:
        super().__init__(f"{sqlstate}: {message}")
        self.sqlstate = sqlstate
        self.message = message


class Refused(SqlError):
    """The engine's mode does not take this statement, and says so: no failure, but counted."""


class Undecided(SqlError):
    """The query failed, perhaps rightly, on rows that only this mode has shown it for a moment."""


@dataclass
class Result:
    """Rows of a statement, as PostgreSQL writes them as text; None is NULL."""

    types: str = ""
    rows: list[list[str | None]] = field(default_factory=list)


@dataclass(frozen=True)
class Table:
    """A table to be loaded from a CSV file with a header; an empty field without quotes is NULL."""

    name: str
    file: Path
    # "id integer, name text"
    columns: str

    def rows(self) -> list[list[str | None]]:
        with self.file.open(newline="", encoding="utf-8") as file:
            # QUOTE_NOTNULL gives None for an empty field without quotes from Python 3.12 on only,
            # so the data files hold no empty strings.
            return [[value or None for value in row] for row in csv.reader(file)][1:]


@dataclass(frozen=True)
class Query:
    """A SELECT and the number of its columns."""

    sql: str
    num_columns: int


class Engine(Protocol):
    """One database. Not thread-safe."""

    # "postgres", "millrace", "millrace-view": what skipif, onlyif and require name.
    names: set[str]

    @property
    def unordered(self) -> bool:
        """Whether query() loses the order of the rows, so that both sides must be sorted."""

    @property
    def streams_only(self) -> bool:
        """Whether only queries that read a table are cases here, not constants and not errors."""

    def begin_file(self) -> None:
        """Starts with nothing created."""

    def end_file(self) -> None:
        """Removes what the file has created."""

    def load(self, table: Table) -> None:
        """Makes a table with the rows of a CSV file."""

    def execute(self, sql: str) -> Result:
        """Runs one statement. Raises SqlError."""

    def begin(self, queries: Sequence[Query]) -> None:
        """Tells which queries come next, so that their work may begin; then each is asked for."""

    def query(self, query: Query) -> Result:
        """Runs one SELECT; in a mode of its own, if the engine has one. Raises SqlError, Refused, Undecided."""

    def close(self) -> None:
        """Ends the processes that were started."""
