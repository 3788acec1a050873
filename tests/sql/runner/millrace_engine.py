"""Millrace: a private cluster of one machine, driven through its public API."""

from __future__ import annotations

import datetime as dt
import re
import shutil
import sys
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from support.dev_cluster import DevCluster  # noqa: E402
from support.sql_client import SqlClient, StatementFailed  # noqa: E402

from .engine import Result, SqlError, Table  # noqa: E402
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
VIEW = "slt_view"


def _typed(texts: pa.Array, type_: pa.DataType) -> pa.Array:
    """The values of a column of text; Arrow has no cast for times of day."""
    if not pa.types.is_time(type_):
        return texts.cast(type_)
    times = [None if text is None else dt.time.fromisoformat(text) for text in texts.to_pylist()]
    return pa.array(times, type_)


class MillraceEngine:
    """The files of one run share the cluster; each drops at its end what it has created."""

    def __init__(self, build: Path) -> None:
        self.names = {"millrace"}
        self._folder = Path(tempfile.mkdtemp(prefix="millrace-slt-"))
        self._cluster = DevCluster(build, self._folder / "cluster", num_workers=2)
        self._client = SqlClient(self._cluster.address)
        self._parallelism = 1
        self._table_format = "csv"
        self._through_views = False
        self._created: list[tuple[str, str]] = []

    @property
    def unordered(self) -> bool:
        return self._through_views

    def configure(self, parallelism: int, table_format: str, mode: str) -> None:
        self._parallelism = parallelism
        self._table_format = table_format
        self._through_views = mode == "view"
        self.names = {"millrace", "millrace-view"} if mode == "view" else {"millrace"}

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
        shutil.rmtree(self._folder / "tables", ignore_errors=True)

    def load(self, table: Table) -> None:
        folder = self._folder / "tables" / table.name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        names, types = _columns(table.columns)
        rows = table.rows()
        per_file = -(-len(rows) // NUM_FILES) or 1
        for number in range(NUM_FILES):
            part = rows[number * per_file : (number + 1) * per_file]
            columns = list(zip(*part, strict=True)) if part else [()] * len(names)
            texts = [pa.array(column, pa.string()) for column in columns]
            path = folder / f"{number}.{self._table_format}"
            if self._table_format == "csv":
                pa.csv.write_csv(pa.table(texts, names), path, pa.csv.WriteOptions(quoting_style="needed"))
            else:
                typed = [_typed(text, type_) for text, type_ in zip(texts, types, strict=True)]
                pa.parquet.write_table(pa.table(typed, names), path, row_group_size=7)
        options = f"connector = 'file', path = '{folder}/*.{self._table_format}'"
        if self._table_format == "csv":
            options += ", header = 'true'"
        self.execute(f"CREATE TABLE {table.name} ({table.columns}) WITH ({options})")

    def execute(self, sql: str) -> Result:
        try:
            results = self._client.execute(sql)
        except StatementFailed as error:
            raise SqlError(error.sqlstate, error.message) from None
        created = CREATED.match(sql)
        if created:
            self._created.append((created.group(1), created.group(2)))
        last = results[-1] if results else None
        if last is None or last.schema is None:
            return Result()
        types = "".join(LETTERS[column.type.id] for column in last.schema.fields)
        rows: list[list[str | None]] = []
        for batch in last.batches:
            columns = [column_texts(column) for column in batch.columns]
            rows += [list(row) for row in zip(*columns, strict=True)]
        return Result(types, rows)

    def query(self, sql: str) -> Result:
        if not self._through_views:
            return self.execute(sql)
        self.execute(f"CREATE MATERIALIZED VIEW {VIEW} AS {sql}")
        try:
            self.execute(f"CALL millrace.wait_for('{VIEW}', 'complete', NULL, '60 s')")
            return self.execute(f"SELECT * FROM {VIEW}")
        finally:
            self.execute(f"DROP MATERIALIZED VIEW {VIEW}")
            self._created.pop()

    def close(self) -> None:
        self._client.close()
        self._cluster.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


def _columns(definition: str) -> tuple[list[str], list[pa.DataType]]:
    """Names and Arrow types of "id integer, price numeric(10,2)"."""
    names, types = [], []
    for column in re.split(r",(?![^(]*\))", definition):
        name, type_ = column.split(None, 1)
        names.append(name)
        types.append(_arrow_type(type_.strip()))
    return names, types


def _arrow_type(name: str) -> pa.DataType:
    plain = {
        "boolean": pa.bool_(), "smallint": pa.int16(), "integer": pa.int32(), "bigint": pa.int64(),
        "real": pa.float32(), "double precision": pa.float64(), "text": pa.string(),
        "date": pa.date32(), "time": pa.time64("us"), "timestamp": pa.timestamp("us"),
        "timestamptz": pa.timestamp("us", "UTC"),
    }  # fmt: skip
    decimal = re.fullmatch(r"numeric\((\d+),\s*(\d+)\)", name)
    if decimal:
        return pa.decimal128(int(decimal.group(1)), int(decimal.group(2)))
    return plain[name]
