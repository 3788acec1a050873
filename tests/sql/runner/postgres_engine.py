"""PostgreSQL 15: the oracle. What it answers is what the files must expect."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import pq, sql

from .engine import Query, Result, SqlError, Table

SCRIPT = Path(__file__).resolve().parents[2] / "support" / "postgres.sh"

LETTERS = {
    "bool": "B", "int2": "I", "int4": "I", "int8": "I", "float4": "R", "float8": "R",
    "numeric": "N", "text": "T", "varchar": "T", "bpchar": "T", "name": "T", "unknown": "T",
    "date": "D", "timestamp": "P", "timestamptz": "P",
}  # fmt: skip


class PostgresEngine:
    """A private server; every file gets a schema of its own."""

    def __init__(self) -> None:
        self.names = {"postgres"}
        # Not pytest's folder: the server's user must be able to enter it.
        self._folder = tempfile.mkdtemp(prefix="millrace-postgres-")
        started = subprocess.run([SCRIPT, "start", self._folder], check=True, stdout=subprocess.PIPE, text=True)
        url = f"host=127.0.0.1 port={int(started.stdout)} user=mr dbname=postgres"
        self._connection = psycopg.connect(url, autocommit=True)
        self._letters: dict[int, str] = {}
        for oid, name in self._connection.execute("SELECT oid, typname FROM pg_type"):
            self._letters[oid] = LETTERS.get(name, "X")

    @property
    def unordered(self) -> bool:
        return False

    @property
    def streams_only(self) -> bool:
        return False

    def begin_file(self) -> None:
        self._connection.execute("RESET ALL")
        self._connection.execute("DROP SCHEMA IF EXISTS slt CASCADE")
        self._connection.execute("CREATE SCHEMA slt")
        self._connection.execute("SET search_path = slt, pg_catalog")
        self._connection.execute("SET statement_timeout = '60 s'")
        self._connection.execute("SET timezone = 'UTC'")

    def end_file(self) -> None:
        self._connection.execute("DROP SCHEMA IF EXISTS slt CASCADE")

    def load(self, table: Table) -> None:
        self._connection.execute(f"CREATE TABLE {table.name} ({table.columns})".encode())
        copy = sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table.name))
        with self._connection.cursor().copy(copy) as target:
            for row in table.rows():
                target.write_row(row)

    def execute(self, sql: str) -> Result:
        # Straight to libpq: the text of the server itself is wanted, not Python values.
        answer = self._connection.pgconn.exec_(sql.encode())
        if answer.status == pq.ExecStatus.FATAL_ERROR:
            code = answer.error_field(pq.DiagnosticField.SQLSTATE) or b"?????"
            message = answer.error_field(pq.DiagnosticField.MESSAGE_PRIMARY) or b""
            raise SqlError(code.decode(), message.decode())
        if answer.status != pq.ExecStatus.TUPLES_OK:
            return Result()
        columns = range(answer.nfields)
        types = "".join(self._letters.get(answer.ftype(column), "X") for column in columns)
        rows = []
        for row in range(answer.ntuples):
            values = [answer.get_value(row, column) for column in columns]
            rows.append([None if value is None else value.decode() for value in values])
        return Result(types, rows)

    def begin(self, queries: Sequence[Query]) -> None:
        pass

    def query(self, query: Query) -> Result:
        return self.execute(query.sql)

    def close(self) -> None:
        self._connection.close()
        subprocess.run([SCRIPT, "stop", self._folder], check=True)
