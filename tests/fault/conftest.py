"""Shared pieces of the fault tests: processes with failpoints, which release builds do not have."""

import os
import pathlib
import sys
import time
from collections.abc import Callable, Iterator

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests"))

from support.process_cluster import ProcessCluster  # noqa: E402
from support.sql_client import SqlClient, StatementFailed, rows_of  # noqa: E402

BUILD = ROOT / "build" / os.environ.get("MILLRACE_BUILD", "asan")
DEADLINE_S = 120


@pytest.fixture(scope="session")
def build_with_failpoints() -> pathlib.Path:
    worker = BUILD / "bin" / "millrace-worker"
    if not worker.exists():
        pytest.fail(f"{worker} is not there; run deploy/build.sh asan first")
    if b"epoch.hold_ack" not in worker.read_bytes():
        pytest.fail(f"{worker} has no failpoints: it is a release build")
    return BUILD


@pytest.fixture
def cluster(build_with_failpoints, tmp_path) -> Iterator[ProcessCluster]:
    running = ProcessCluster(build_with_failpoints, tmp_path / "cluster")
    yield running
    running.stop()


@pytest.fixture
def connect() -> Iterator[Callable[[ProcessCluster], SqlClient]]:
    """Makes clients of clusters, which may be restarted meanwhile."""
    clients = []

    def to(cluster: ProcessCluster) -> SqlClient:
        clients.append(SqlClient(cluster.address))
        return clients[-1]

    yield to
    for client in clients:
        client.close()


def eventually_readable(client: SqlClient, query: str) -> list[tuple]:
    """Reads a view of a job that is being restarted."""
    deadline = time.monotonic() + DEADLINE_S
    while True:
        try:
            return rows_of(client.execute(query))
        except StatementFailed as error:
            if time.monotonic() > deadline:
                raise
            assert error.sqlstate in ("55000", "08006", "53000"), error
            time.sleep(0.1)


def write_events(folder: pathlib.Path, num_files: int, rows_per_file: int) -> int:
    """Event files in order of time; returns the number of rows."""
    folder.mkdir(parents=True)
    for index in range(num_files):
        lines = ["id,k,ts"]
        for row in range(rows_per_file):
            minute, second = divmod(row // 10, 60)
            lines.append(f"{index * rows_per_file + row},{row % 50},2024-01-01 00:{minute:02}:{second:02}")
        (folder / f"events-{index}.csv").write_text("\n".join(lines) + "\n")
    return num_files * rows_per_file
