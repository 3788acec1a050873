"""A job whose input takes some seconds, with state of every kind, and what it must have stored at its end."""

from __future__ import annotations

import csv
import datetime
import json
import pathlib
import random
import subprocess

import duckdb
from comparison import assert_same_rows
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

NUM_FILES = 3
ROWS_PER_FILE = 3000
NUM_ROWS = NUM_FILES * ROWS_PER_FILE
START = datetime.datetime(2024, 1, 1)

# The same text for Millrace and DuckDB: an aggregation, a join, OVER, a top-n.
VIEWS = {
    "totals": "SELECT k, count(*) AS n, sum(v) AS s, min(v) AS lo, max(v) AS hi FROM events GROUP BY k",
    "paired": "SELECT a.k, a.n, b.s FROM (SELECT k, count(*) AS n FROM events GROUP BY k) a "
    "JOIN (SELECT k, sum(v) AS s FROM events WHERE v > 50 GROUP BY k) b ON a.k = b.k",
    "running": "SELECT id, k, sum(v) OVER (PARTITION BY k ORDER BY ts, id ROWS BETWEEN 4 PRECEDING AND CURRENT ROW) "
    "AS s FROM events",
    "leaders": "SELECT k, id, v, n FROM (SELECT k, id, v, row_number() OVER (PARTITION BY k ORDER BY v DESC, id) AS n "
    "FROM events) r WHERE n <= 3",
}
MINUTES = "SELECT time_bucket(INTERVAL 1 MINUTE, ts, TIMESTAMP '1970-01-01') AS w, k, count(*), sum(v) FROM events"


def write_events(folder: pathlib.Path) -> None:
    folder.mkdir()
    generator = random.Random(7)
    for index in range(NUM_FILES):
        lines = ["id,k,v,ts"]
        for row in range(ROWS_PER_FILE):
            moment = START + datetime.timedelta(seconds=row)
            lines.append(
                f"{index * ROWS_PER_FILE + row},k{generator.randrange(40)},{generator.randrange(100)},"
                f"{moment:%Y-%m-%d %H:%M:%S}"
            )
        (folder / f"part-{index}.csv").write_text("\n".join(lines) + "\n")


def definition(events: pathlib.Path, rate: int) -> str:
    return (
        "CREATE TABLE events (id bigint, k text, v integer, ts timestamp, "
        "WATERMARK FOR ts AS ts - INTERVAL '5 seconds') "
        f"WITH (connector = 'file', path = '{events}/*.csv', rows_per_second = '{rate}');\n"
    )


def script(events: pathlib.Path, out: pathlib.Path, rate: int) -> str:
    """One streaming job: four views, and files with the rows of each minute."""
    views = "".join(f"CREATE MATERIALIZED VIEW {name} AS {query};\n" for name, query in VIEWS.items())
    return (
        definition(events, rate)
        + "CREATE TABLE minutes (w timestamp, k text, n bigint, s bigint) "
        + f"WITH (connector = 'file', path = '{out}/', format = 'csv', header = 'true');\n"
        + views
        + "INSERT INTO minutes SELECT window_start, k, count(*), sum(v) FROM tumble(events, ts, INTERVAL '1 minute') "
        + "GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE;\n"
    )


class FusedJob:
    """The job on a cluster of single processes that a test may kill."""

    def __init__(self, folder: pathlib.Path, rate: int = 1000) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.events = folder / "events"
        self.out = folder / "out"
        self.out.mkdir()
        write_events(self.events)
        self.script = folder / "fused.sql"
        self.script.write_text(script(self.events, self.out, rate))
        self.cluster = ProcessCluster(BUILD, folder / "cluster")
        self.start_coordinator()

    def start_coordinator(self) -> None:
        intervals = ("--epoch-interval", "100 ms", "--checkpoint-interval", "400 ms")
        self.cluster.start_coordinator(arguments=intervals)

    def submit(self) -> None:
        self.millrace("job", "submit", str(self.script), "--name", "fused")

    def millrace(self, *arguments: str, code: int = 0) -> str:
        done = subprocess.run(
            [BUILD / "bin" / "millrace", *arguments, "--server", self.cluster.address],
            check=False,
            capture_output=True,
            text=True,
            timeout=180,
        )
        assert done.returncode == code, f"{arguments}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def status(self) -> dict:
        return json.loads(self.millrace("job", "get", "fused", "--json"))

    def checkpoints(self) -> list[dict]:
        """Newest first."""
        listed = self.millrace("checkpoint", "list", "fused", "--json")
        return [json.loads(line)["checkpoint"] for line in listed.splitlines()]

    def wait_for_checkpoint(self, after: int = 0) -> int:
        """The epoch of a checkpoint that is newer than `after`."""
        return wait_until(
            lambda: next((int(c["epoch"]) for c in self.checkpoints() if int(c["epoch"]) > after), 0),
            self.status,
        )

    def wait_for_end(self) -> None:
        def ended() -> bool:
            state = self.status()["state"]
            assert state != "JOB_STATE_FAILED", self.status()
            return state == "JOB_STATE_FINISHED"

        wait_until(ended, self.status, deadline_s=180)

    def rows(self, query: str) -> list[tuple]:
        """Asks until the views can be read."""
        client = SqlClient(self.cluster.address)
        try:

            def ask() -> list[list[tuple]]:
                try:
                    return [rows_of(client.execute(query))]
                except StatementFailed as error:
                    assert error.sqlstate in ("55000", "08006", "53000"), error
                    return []

            return wait_until(ask, query)[0]
        finally:
            client.close()

    def files(self) -> list[pathlib.Path]:
        return sorted(path for path in self.out.glob("*") if path.name[0] not in "._")

    def check(self) -> None:
        """Every stored result is what a run without faults stores."""
        oracle = duckdb.connect()
        oracle.execute(f"CREATE TABLE events AS SELECT * FROM read_csv('{self.events}/*.csv')")
        for name, query in VIEWS.items():
            assert_same_rows(self.rows(f"SELECT * FROM {name}"), oracle.execute(query).fetchall(), name)
        written = []
        for path in self.files():
            with path.open() as file:
                written += [(row["w"][:19], row["k"], int(row["n"]), int(row["s"])) for row in csv.DictReader(file)]
        expected = [
            (f"{w:%Y-%m-%d %H:%M:%S}", k, n, s) for w, k, n, s in oracle.execute(f"{MINUTES} GROUP BY 1, 2").fetchall()
        ]
        assert sorted(written) == sorted(expected), "the sink's rows"

    def stop(self) -> None:
        self.cluster.stop()
