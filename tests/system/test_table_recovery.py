"""Stored tables and crashes: what was acknowledged is there, once, in tables and in the views over them."""

import os
import random
import socket
import subprocess
import threading

import pytest
from conftest import BUILD
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient, StatementFailed, rows_of

KILLS = int(os.environ.get("MILLRACE_KILLS", "6"))


class Writer(threading.Thread):
    """Inserts numbers one after another until its server is gone; the last one may or may not be there."""

    def __init__(self, address: str, first: int) -> None:
        super().__init__()
        self._client = SqlClient(address, timeout_s=3)
        self.first = first
        self.next = first
        self.acknowledged_one = threading.Event()

    def run(self) -> None:
        while True:
            try:
                # Two rows in one statement: there together or not at all.
                self._client.execute(f"INSERT INTO log VALUES ({self.next}, 1), ({self.next}, -1)")
            except StatementFailed:
                self._client.close()
                return
            self.next += 1
            self.acknowledged_one.set()


@pytest.fixture
def data_dir(tmp_path):
    return tmp_path / "cluster"


def files_below(data_dir):
    return {path for path in data_dir.rglob("tables/*/*") if path.is_file()}


def test_acknowledged_rows_survive_kills_of_everything(data_dir):
    generator = random.Random(17)
    cluster = DevCluster(BUILD, data_dir)
    client = SqlClient(cluster.address)
    client.execute("SET epoch_interval = '30 ms'; SET checkpoint_interval = '150 ms'")
    client.execute("CREATE TABLE log (n bigint, weight integer)")
    client.execute("CREATE MATERIALIZED VIEW sums AS SELECT n, count(*) AS c, sum(weight) AS w FROM log GROUP BY n")
    certain: set[int] = set()
    possible: set[int] = set()
    first = 0
    try:
        for _ in range(KILLS):
            writer = Writer(cluster.address, first)
            writer.start()
            assert writer.acknowledged_one.wait(60)
            writer.join(timeout=generator.uniform(0.05, 1.2))
            cluster.crash()
            writer.join()
            certain |= set(range(writer.first, writer.next))
            possible.add(writer.next)
            first = writer.next + 1
            client.close()
            cluster = DevCluster(BUILD, data_dir)
            client = SqlClient(cluster.address)
            table = rows_of(client.execute("SELECT n, count(*), sum(weight) FROM log GROUP BY n"))
            numbers = {n for n, _, _ in table}
            assert certain <= numbers <= certain | possible, "rows were lost or invented"
            assert all(row[1:] == (2, 0) for row in table), "half a statement is there"
            client.execute("FLUSH")
            assert sorted(rows_of(client.execute("SELECT * FROM sums"))) == sorted(table)
            # Which of the unacknowledged ones were committed does not change any more.
            certain = numbers
            possible = set()
    finally:
        client.close()
        cluster.stop()


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for one in sockets:
        one.bind(("127.0.0.1", 0))
    ports = [one.getsockname()[1] for one in sockets]
    for one in sockets:
        one.close()
    return ports


class SeparateProcesses:
    """A coordinator on ports that stay, and two workers that outlive it."""

    def __init__(self, folder) -> None:
        self._folder = folder
        folder.mkdir()
        self._ports = free_ports(2)
        self.address = f"127.0.0.1:{self._ports[0]}"
        self._processes = {}
        self.start_coordinator()
        for number in (1, 2):
            self._start(
                "millrace-worker",
                number,
                ["--coordinator", f"127.0.0.1:{self._ports[1]}", "--data-dir", str(folder / f"worker{number}")],
            )

    def _start(self, binary: str, number: int, arguments: list[str]) -> None:
        with (self._folder / f"{binary}{number}.log").open("ab") as log:
            command = [str(BUILD / "bin" / binary), *arguments, "--exit-with-parent"]
            self._processes[binary, number] = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT
            )

    def start_coordinator(self) -> None:
        listen = ["--listen", self.address, "--control-listen", f"127.0.0.1:{self._ports[1]}"]
        intervals = ["--epoch-interval", "30 ms", "--checkpoint-interval", "150 ms"]
        self._start("millrace-coordinator", 0, [*listen, *intervals, "--data-dir", str(self._folder / "coordinator")])

    def kill_coordinator(self) -> None:
        self._processes["millrace-coordinator", 0].kill()
        self._processes["millrace-coordinator", 0].wait()

    def stop(self) -> None:
        for process in self._processes.values():
            process.kill()
            process.wait()


def test_acknowledged_rows_survive_kills_of_the_coordinator_alone(tmp_path):
    generator = random.Random(5)
    cluster = SeparateProcesses(tmp_path / "cluster")
    acknowledged: set[int] = set()
    possible: set[int] = set()
    first = 0
    try:
        client = SqlClient(cluster.address)
        client.execute("CREATE TABLE log (n bigint, weight integer)")
        client.execute("CREATE MATERIALIZED VIEW sums AS SELECT n, count(*) AS c, sum(weight) AS w FROM log GROUP BY n")
        for _ in range(KILLS):
            writer = Writer(cluster.address, first)
            writer.start()
            assert writer.acknowledged_one.wait(60)
            writer.join(timeout=generator.uniform(0.02, 0.6))
            cluster.kill_coordinator()
            writer.join()
            acknowledged |= set(range(writer.first, writer.next))
            possible.add(writer.next)
            first = writer.next + 1
            cluster.start_coordinator()
            # The connection of before may not know yet that its other end is gone.
            client.close()
            client = SqlClient(cluster.address)
            table = rows_of(client.execute("SELECT n, count(*), sum(weight) FROM log GROUP BY n"))
            numbers = {n for n, _, _ in table}
            assert acknowledged <= numbers <= acknowledged | possible
            assert all(row[1:] == (2, 0) for row in table)
            client.execute("FLUSH")
            assert sorted(rows_of(client.execute("SELECT * FROM sums"))) == sorted(table)
            acknowledged = numbers
            possible = set()
        client.close()
    finally:
        cluster.stop()


def test_what_a_crash_leaves_on_the_disk_goes_at_the_next_start(data_dir):
    cluster = DevCluster(BUILD, data_dir)
    try:
        client = SqlClient(cluster.address)
        client.execute("CREATE TABLE kept (a integer); INSERT INTO kept VALUES (1)")
        client.execute("CREATE TABLE gone (a integer); INSERT INTO gone VALUES (1)")
        held = files_below(data_dir)
        folder = next(iter(held)).parent
        client.close()
        cluster.crash()
        (folder / "_staging-99-1-part-1.parquet").write_bytes(b"half")
        (folder / "part-99-1-0-0-0.parquet").write_bytes(b"never committed")
        orphan = folder.parent / "424242"
        orphan.mkdir()
        (orphan / "part.parquet").write_bytes(b"of a table that is gone")
        cluster = DevCluster(BUILD, data_dir)
        client = SqlClient(cluster.address)
        assert files_below(data_dir) == held
        assert not orphan.exists()
        assert rows_of(client.execute("SELECT * FROM kept UNION ALL SELECT * FROM gone")) == [(1,), (1,)]
        client.close()
    finally:
        cluster.stop()


def test_a_repeated_request_does_nothing_twice_also_after_a_restart(data_dir):
    cluster = DevCluster(BUILD, data_dir)
    try:
        script = "CREATE TABLE t (a integer); INSERT INTO t VALUES (1), (2); INSERT INTO t SELECT a FROM t"
        for repeated in range(4):
            if repeated == 2:
                cluster.crash()
                cluster = DevCluster(BUILD, data_dir)
            client = SqlClient(cluster.address)
            results = client.execute(script, request_id="load-1")
            assert [result.rows for result in results] == [0, 2, 2]
            assert rows_of(client.execute("SELECT count(*) FROM t")) == [(4,)]
            with pytest.raises(StatementFailed, match="used before with another text"):
                client.execute("INSERT INTO t VALUES (3)", request_id="load-1")
            client.close()
    finally:
        cluster.stop()
