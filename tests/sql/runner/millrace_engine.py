"""Millrace: a private cluster of one machine, driven through its public API."""

from __future__ import annotations

import re
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.dev_cluster import DevCluster  # noqa: E402
from support.sql_client import SqlClient, StatementFailed  # noqa: E402

from .engine import Query, Result, SqlError, Table  # noqa: E402
from .table_files import write_rows  # noqa: E402
from .text_format import column_texts  # noqa: E402

# Index = millrace.v1.TypeId.
LETTERS = "TBIIIRRNTTTXXDXPPX"
# Files that a loaded table is cut into, so that a scan has several splits.
NUM_FILES = 3
CREATED = re.compile(
    r"^\s*CREATE\s+(?:OR\s+REPLACE\s+)?(MATERIALIZED\s+VIEW|VIEW|TABLE|SOURCE|SINK)\s+"
    r"(?:IF\s+NOT\s+EXISTS\s+)?([\w.\"]+)",
    re.IGNORECASE,
)


def run_statement(client: SqlClient, sql: str) -> Result:
    """The rows of the text's last statement, as text. Raises SqlError."""
    try:
        results = client.execute(sql)
    except StatementFailed as error:
        raise SqlError(error.sqlstate, error.message) from None
    last = results[-1] if results else None
    if last is None or last.schema is None:
        return Result()
    types = "".join(LETTERS[column.type.id] for column in last.schema.fields)
    rows: list[list[str | None]] = []
    for batch in last.batches:
        columns = [column_texts(column) for column in batch.columns]
        rows += [list(row) for row in zip(*columns, strict=True)]
    return Result(types, rows)


class MillraceEngine:
    """The files of one run share the cluster; each drops at its end what it has created."""

    def __init__(self, build: Path) -> None:
        self.names = {"millrace"}
        self._folder = Path(tempfile.mkdtemp(prefix="millrace-slt-"))
        self._tables = self._folder / "tables"
        self._cluster = DevCluster(build, self._folder / "cluster", num_workers=2)
        self._client = SqlClient(self._cluster.address)
        self._parallelism = 1
        self._table_format = "csv"
        self._created: list[tuple[str, str]] = []

    @property
    def address(self) -> str:
        return self._cluster.address

    @property
    def unordered(self) -> bool:
        return False

    @property
    def streams_only(self) -> bool:
        return False

    def configure(self, parallelism: int, table_format: str) -> None:
        self._parallelism = parallelism
        self._table_format = table_format

    def begin_file(self) -> None:
        self._created = []
        self._client.settings.clear()
        self.execute(f"SET parallelism = {self._parallelism}")

    def end_file(self) -> None:
        self._client.settings.clear()
        for kind, name in reversed(self._created):
            try:
                self.execute(f"DROP {kind} IF EXISTS {name}")
            except SqlError as error:
                print(f"cannot drop {name}: {error}", file=sys.stderr)
        shutil.rmtree(self._tables, ignore_errors=True)

    def load(self, table: Table) -> None:
        folder = self._tables / table.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        rows = table.rows()
        per_file = -(-len(rows) // NUM_FILES) or 1
        for number in range(NUM_FILES):
            part = rows[number * per_file : (number + 1) * per_file]
            write_rows(table.columns, part, folder / f"{number}.{self._table_format}")
        options = f"connector = 'file', path = '{folder}/*.{self._table_format}'"
        if self._table_format == "csv":
            options += ", header = 'true'"
        self.execute(f"CREATE TABLE {table.name} ({table.columns}) WITH ({options})")

    def execute(self, sql: str) -> Result:
        result = run_statement(self._client, sql)
        created = CREATED.match(sql)
        if created:
            self._created.append((created.group(1), created.group(2)))
        return result

    def begin(self, queries: Sequence[Query]) -> None:
        pass

    def query(self, query: Query) -> Result:
        return self.execute(query.sql)

    def close(self) -> None:
        self._client.close()
        self._cluster.stop()
        shutil.rmtree(self._folder, ignore_errors=True)
