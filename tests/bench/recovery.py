#!/usr/bin/env python3
"""Recovery of a view with a gigabyte of state: seconds from kill -9 to the first new rows.

Usage: tests/bench/recovery.py [--keys N] [--view sums|joined] [--only worker|all] [--build build/release] [--rounds N]
                               [--json FILE]

On real processes, a coordinator and two workers of two slots: a Parquet file with all keys (once each), an integer and
a text, and a CSV file with the same keys that goes on at a rate. The view sums both by key, or joins the second with
the first. When a checkpoint holds all keys, one worker, or every process, is killed. New rows are there when an epoch
is published that has read more than the checkpoint.
"""

from __future__ import annotations

import itertools
import pathlib
import re
import shutil
import sys
import tempfile
import time

from harness import DATA, ROOT, Figure, cpu_seconds, finish, made_data, options, print_load

sys.path.insert(0, str(ROOT / "tests"))

from support.process_cluster import ProcessCluster  # noqa: E402
from support.sql_client import SqlClient, StatementFailed, rows_of  # noqa: E402
from support.waiting import wait_until  # noqa: E402

GOAL_S = 10.0
DEADLINE_S = 600
LIVE_ROWS = 2_000_000
LIVE_RATE = 2000
VIEWS = {
    "sums": """SELECT id, name, sum(v) AS s, count(*) AS n
               FROM (SELECT * FROM history UNION ALL SELECT * FROM live) AS r GROUP BY id, name""",
    "joined": """SELECT l.id, l.v, h.v AS first_v
                 FROM live AS l JOIN history AS h ON l.id = h.id AND l.name = h.name""",
}


def make_data(keys: int) -> dict[str, pathlib.Path]:
    columns = "id, md5(id::VARCHAR) || md5((id + 1)::VARCHAR) AS name"
    return made_data(
        {
            f"recovery-{keys}.parquet": f"SELECT {columns}, id % 1000 AS v FROM range({keys}) r(id)",
            f"recovery-live-{keys}.csv": f"""SELECT {columns}, i % 1000 AS v
                FROM (SELECT i, (i * 2654435761 + 40503) % {keys} AS id FROM range({LIVE_ROWS}) r(i))""",
        }
    )


class Subject:
    """The cluster with its one job."""

    def __init__(self, build: pathlib.Path, folder: pathlib.Path, files: dict[str, pathlib.Path], view: str) -> None:
        self.folder = folder
        self.view = view
        self.cluster = ProcessCluster(build, folder)
        self.start()
        history, live = files.values()
        columns = "(id bigint, name text, v bigint)"
        self.client.execute(
            f"""CREATE TABLE history {columns} WITH (connector = 'file', path = '{history}');
                CREATE TABLE live {columns} WITH (connector = 'file', path = '{live}', rows_per_second = '{LIVE_RATE}');
                SET query_memory_mb = 8000;
                CREATE MATERIALIZED VIEW {view} AS {VIEWS[view]}"""
        )

    def start(self) -> None:
        self.cluster.start_coordinator()
        for _ in range(2):
            self.cluster.start_worker()
        self.client = SqlClient(self.cluster.address)

    def job(self) -> tuple[int, int, int]:
        """(attempt, published epoch, durable epoch)"""
        [row] = rows_of(
            self.client.execute(
                f"SELECT attempt, published_epoch, durable_epoch FROM millrace.jobs WHERE name = '{self.view}'"
            )
        )
        return row

    def rows_read(self, epoch: int) -> int:
        rows = rows_of(self.client.execute(f"SELECT sum(rows) FROM millrace.positions WHERE epoch = {epoch}"))
        return int(rows[0][0] or 0) if rows else 0

    def checkpoint_bytes(self) -> int:
        [folder] = (self.folder / "data" / "checkpoints").glob("job-*")
        return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())

    def await_checkpoint_of(self, rows: int) -> None:
        """An epoch in which at least so many rows were read is durable."""
        seen: dict[int, int] = {}

        def durable() -> bool:
            _, published, last = self.job()
            seen[published] = self.rows_read(published)
            return any(epoch <= last and count >= rows for epoch, count in seen.items())

        wait_until(durable, lambda: f"a checkpoint of {rows} rows; {self.job()}, {seen}", DEADLINE_S)

    def kill(self, which: str) -> None:
        if which == "all":
            self.cluster.coordinator.kill()
            for worker in self.cluster.workers:
                worker.kill()
            self.cluster.workers.clear()
        else:
            self.cluster.workers.pop().kill()


def recover(subject: Subject, which: str) -> dict[str, float]:
    """Seconds since the kill, by what was reached; prints them with the CPU of the workers that are left."""
    attempt, published, _ = subject.job()
    at_least = subject.rows_read(published)
    start = time.monotonic()
    subject.kill(which)
    if which == "all":
        subject.start()
    phases: dict[str, float] = {}

    def workers_cpu() -> float:
        return sum(cpu_seconds(worker.popen.pid) for worker in subject.cluster.workers)

    cpu_before = workers_cpu() if which == "worker" else 0.0

    def note(what: str) -> None:
        phases[what] = time.monotonic() - start
        print(f"  {phases[what]:8.2f} s  {what} ({workers_cpu() - cpu_before:.2f} CPU seconds of workers)", flush=True)

    note("processes are there")

    def reached(what, condition):
        def holds():
            try:
                return condition()
            except StatementFailed as error:
                assert error.sqlstate in ("55000", "08006", "53000"), error
                return False

        wait_until(holds, what, DEADLINE_S)
        note(what)

    reached("a new attempt runs", lambda: subject.job()[0] > attempt and subject.job()[1] > 0)

    def new_rows():
        now, epoch, durable = subject.job()
        return now > attempt and epoch > durable and subject.rows_read(epoch) > subject.rows_read(durable)

    reached("first new rows", new_rows)
    reached(
        "the view is read", lambda: rows_of(subject.client.execute(f"SELECT count(*) FROM {subject.view}"))[0][0] > 0
    )
    reached("no row was lost", lambda: subject.rows_read(subject.job()[1]) >= at_least)
    return phases


def print_logs(folder: pathlib.Path, which: str) -> None:
    wanted = re.compile(r"streaming job starts|will be restarted|state was restored|view was loaded|state was loaded")
    for log in sorted(folder.glob("*.log")):
        for line in log.read_text(errors="replace").splitlines():
            if wanted.search(line):
                print(f"    {which} {log.name}: {line}")


def main() -> int:
    parser = options(__doc__, rounds=1)
    parser.add_argument("--keys", type=int, default=5_700_000)
    parser.add_argument("--view", choices=tuple(VIEWS))
    parser.add_argument("--only", choices=("worker", "all"))
    parser.add_argument("--folder", type=pathlib.Path, default=DATA, help="where the clusters put their data")
    flags = parser.parse_args()
    load = print_load()
    files = make_data(flags.keys)
    figures = []
    for view, which in itertools.product(VIEWS, ("worker", "all")):
        if flags.view not in (None, view) or flags.only not in (None, which):
            continue
        best: dict[str, float] = {}
        for _ in range(flags.rounds):
            folder = pathlib.Path(tempfile.mkdtemp(prefix="recovery-", dir=flags.folder))
            subject = Subject(flags.build, folder / "cluster", files, view)
            try:
                seconds = time.monotonic()
                subject.await_checkpoint_of(flags.keys)
                seconds = time.monotonic() - seconds
                size = subject.checkpoint_bytes()
                print(
                    f"{view}, {which}: {size / 2**30:.2f} GiB in the checkpoint folder after {seconds:.1f} s",
                    flush=True,
                )
                phases = recover(subject, which)
                print_logs(subject.folder, which)
                if not best or phases["first new rows"] < best["first new rows"]:
                    best = phases
            finally:
                subject.cluster.stop()
                shutil.rmtree(folder)
        label = f"{view}, " + ("one of two workers killed" if which == "worker" else "all processes killed")
        note = f"{size / 2**30:.2f} GiB"
        figures.append(Figure(f"first new rows, {label}", best["first new rows"], "s", GOAL_S, note=note))
        figures.append(Figure(f"view readable, {label}", best["the view is read"], "s", note=note))
    return finish(flags, load, figures)


if __name__ == "__main__":
    sys.exit(main())
