#!/usr/bin/env python3
"""The keyed sum of ten million rows as a stream, from Parquet into a materialized view: rows per CPU second.

Usage: tests/bench/stream.py [--rows N] [--rounds N] [--no-flink] [--build build/release] [--json FILE]

One worker with two slots, a checkpoint every 10 seconds, one million keys and 100 keys. CPU is user and system time of
all processes of the cluster, from before CREATE MATERIALIZED VIEW until the job has ended with its last checkpoint.
The view is first compared with DuckDB's result. Where ../shared/peers/stream and a JDK are there, Flink runs in turn
with ours on the same rows (as CSV, which is what its own connector reads without more), parallelism 2, RocksDB,
checkpoints every 10 seconds, mini-batches, the second run in a warm JVM; its CPU leaves out planning and the JVM's
start. Its jars are fetched once, below build/bench/flink.
"""

from __future__ import annotations

import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import duckdb
import pyarrow as pa
from harness import (
    DATA,
    ROOT,
    Figure,
    Measured,
    finish,
    hashed_rows,
    made_data,
    measure_quietly,
    options,
    print_load,
)
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient, rows_of
from support.waiting import wait_until

FLINK_SCRIPTS = ROOT.parent / "shared" / "peers" / "stream"
FLINK = DATA / "flink"
FLINK_VERSION = "2.3.0"
FLINK_JARS = (
    "org.apache.flink:flink-sql-connector-kafka:5.0.0-2.2",
    f"org.apache.flink:flink-sql-avro:{FLINK_VERSION}",
)
DEADLINE_S = 600

# Keys, with the rows per CPU second that are wanted: ten and four times what Flink reached.
GOALS = {1_000_000: 1_410_000.0, 100: 8_000_000.0}
RATIOS = {1_000_000: 10.0, 100: 4.0}
QUERY = "SELECT k, sum(v) AS s FROM {rows} GROUP BY k"


class Stream:
    """A cluster that builds the view over and over."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path) -> None:
        self._cluster = DevCluster(build, folder, num_workers=1, num_slots=2)
        self._client = SqlClient(self._cluster.address, timeout_s=DEADLINE_S)
        self._client.execute("SET checkpoint_interval = '10 s'")

    def define(self, path: pathlib.Path) -> None:
        self._client.execute(f"CREATE TABLE kv (k bigint, v bigint) WITH (connector = 'file', path = '{path}')")

    def forget(self) -> None:
        self._client.execute("DROP TABLE kv")

    def _build_view(self) -> None:
        self._client.execute(f"CREATE MATERIALIZED VIEW sums AS {QUERY.format(rows='kv')}")
        self._client.execute(f"CALL millrace.wait_for('sums', 'complete', 'true', '{DEADLINE_S} s')")
        state = "SELECT state FROM millrace.jobs WHERE name = 'sums'"
        wait_until(lambda: rows_of(self._client.execute(state)) == [("finished",)], "the job's end", DEADLINE_S)

    def _drop_view(self) -> None:
        self._client.execute("DROP MATERIALIZED VIEW sums")

    def check(self, path: pathlib.Path) -> bool:
        """Compares the view with DuckDB's result."""
        self._build_view()
        result = self._client.execute("SELECT k, CAST(s AS bigint) AS s FROM sums")[-1]
        self._drop_view()
        mine = pa.Table.from_batches(result.batches)
        theirs = QUERY.format(rows=f"'{path}'").replace("sum(v)", "sum(v)::BIGINT")
        with duckdb.connect() as duck:
            duck.register("mine", mine)
            only_mine = duck.execute(f"SELECT count(*) FROM (FROM mine EXCEPT ALL {theirs})").fetchall()
            only_theirs = duck.execute(f"SELECT count(*) FROM ({theirs} EXCEPT ALL FROM mine)").fetchall()
        return only_mine == only_theirs == [(0,)]

    def measure(self) -> Measured:
        measured = measure_quietly(self._cluster.pid, self._build_view_anew)
        self._drop_view()
        return measured

    def _build_view_anew(self) -> None:
        if rows_of(self._client.execute("SELECT count(*) FROM millrace.jobs WHERE name = 'sums'")) != [(0,)]:
            self._drop_view()
        self._build_view()

    def stop(self) -> None:
        self._client.close()
        self._cluster.stop()


def flink_is_there() -> bool:
    return FLINK_SCRIPTS.exists() and all(map(shutil.which, ("java", "javac", "mvn")))


def fetch_flink() -> None:
    """Brings the jars and compiles the program that runs a job and measures it."""
    classes = FLINK / "classes"
    if (classes / "log4j2.properties").exists():
        return
    jars = FLINK / "flink" / "pyflink" / "lib"
    extra = FLINK / "flink" / "extra"
    for folder in (FLINK / "dl", extra, classes):
        folder.mkdir(parents=True, exist_ok=True)

    def run(*command: str | pathlib.Path) -> None:
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)

    wheel = f"apache-flink-libraries=={FLINK_VERSION}"
    run(sys.executable, "-m", "pip", "download", "-q", "--no-deps", "-d", FLINK / "dl", wheel)
    for archive in (FLINK / "dl").glob(f"apache_flink_libraries-{FLINK_VERSION}-*.whl"):
        run(sys.executable, "-m", "zipfile", "-e", archive, FLINK / "flink")
    for jar in FLINK_JARS:
        run("mvn", "-q", "-B", "dependency:copy", f"-Dartifact={jar}", f"-DoutputDirectory={extra}")
    class_path = ":".join(map(str, sorted(jars.glob("*.jar"))))
    run("javac", "-cp", class_path, "-d", classes, FLINK_SCRIPTS / "src" / "FlinkBench.java")
    run("cp", "-r", FLINK_SCRIPTS / "src" / "META-INF", classes)
    run("cp", FLINK_SCRIPTS / "src" / "log4j2.properties", classes)


def flink_rows_per_cpu_second(folder: pathlib.Path, rows: int) -> float:
    """The second run in one JVM over the CSV files of a folder."""
    sql = FLINK_SCRIPTS / "sql"
    done = subprocess.run(
        [FLINK_SCRIPTS / "run_flink.sh", sql / "ddl_kv.sql", sql / "kvsum.sql", "--passes", "2"],
        check=True,
        stdout=subprocess.PIPE,
        env={**os.environ, "PEERS": str(FLINK), "FMT": "csv", "DATA_DIR": str(folder)},
    )
    last = json.loads(done.stdout.splitlines()[-1])
    if last["status"] != "FINISHED":
        raise RuntimeError(f"Flink's job ended as {last['status']}")
    print(f"Flink: wall {last['wall_s']:.2f} s, CPU {last['cpu_s']:.2f} s, {last['sink_rows']:,} changes", flush=True)
    return rows / last["cpu_s"]


def stream_data(rows: int, keys: int) -> tuple[pathlib.Path, pathlib.Path]:
    """A Parquet file for ours, and a folder with two CSV files for Flink, of the same rows."""
    select = f"SELECT (h // 7 % {keys})::BIGINT AS k, (h % 1000)::BIGINT AS v FROM {hashed_rows(rows)}"
    path = made_data({f"kv-{keys}-{rows}.parquet": select})[f"kv-{keys}-{rows}.parquet"]
    folder = DATA / f"kv-{keys}-{rows}"
    if not folder.exists():
        partial = folder.with_name(f"partial-{folder.name}")
        partial.mkdir(exist_ok=True)
        with duckdb.connect() as duck:
            for part in range(2):
                half = f"SELECT * FROM '{path}' LIMIT {rows // 2} OFFSET {part * (rows // 2)}"
                duck.execute(f"COPY ({half}) TO '{partial}/part-{part}.csv' (FORMAT csv, HEADER false)")
        partial.rename(folder)
    return path, folder


def run_keys(flags: argparse.Namespace, stream: Stream, keys: int, with_flink: bool) -> list[Figure] | None:
    """The figures of one number of keys; None if the view is wrong."""
    path, csv_folder = stream_data(flags.rows, keys)
    stream.define(path)
    if not stream.check(path):
        print(f"{keys} keys: the view differs from DuckDB's result")
        return None
    rates, walls, flinks = [], [], []
    for _ in range(flags.rounds):
        run = stream.measure()
        rates.append(flags.rows / run.cpu)
        walls.append(run.wall)
        print(f"{keys:,} keys: wall {run.wall:.2f} s, CPU {run.cpu:.2f} s, others {run.others:.2f} s", flush=True)
        if with_flink and len(flinks) < flags.flink_rounds:
            flinks.append(flink_rows_per_cpu_second(csv_folder, flags.rows))
    stream.forget()
    name = f"stream, keyed sum, {keys:,} keys"
    figures = [
        Figure(f"{name}, rows per CPU second", max(rates), "rows/s", GOALS[keys], more_is_better=True),
        Figure(f"{name}, wall", min(walls), "s"),
    ]
    if flinks:
        figures.append(Figure(f"{name}, Flink's rows per CPU second", max(flinks), "rows/s"))
        ratio = max(rates) / max(flinks)
        figures.append(Figure(f"{name}, of Flink's", ratio, "×", RATIOS[keys], more_is_better=True))
    return figures


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--keys", type=int, choices=list(GOALS), action="append", help="only with so many keys")
    parser.add_argument("--no-flink", action="store_true", help="ours only")
    parser.add_argument("--flink-rounds", type=int, default=1, help="Flink's measurements, each of two runs")
    flags = parser.parse_args()

    with_flink = not flags.no_flink and flink_is_there()
    if with_flink:
        fetch_flink()
    elif not flags.no_flink:
        print("Flink is left out: ../shared/peers/stream, a JDK or Maven is not there")
    load = print_load()
    figures: list[Figure] = []
    with tempfile.TemporaryDirectory() as folder:
        stream = Stream(flags.build, pathlib.Path(folder))
        try:
            for keys in flags.keys or GOALS:
                more = run_keys(flags, stream, keys, with_flink)
                if more is None:
                    return 1
                figures += more
        finally:
            stream.stop()
    return finish(flags, load, figures)


if __name__ == "__main__":
    sys.exit(main())
