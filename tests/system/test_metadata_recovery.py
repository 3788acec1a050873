"""The coordinator dies at any moment: nothing that it has acknowledged is lost, nothing else is there by half."""

import os
import random
import threading
from collections.abc import Iterator

import grpc
import pytest
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, message_class, rows_of
from support.waiting import wait_until

KILLS = int(os.environ.get("MILLRACE_KILLS", "6"))
SEED = int(os.environ.get("MILLRACE_SEED", "23"))


@pytest.fixture
def cluster(tmp_path) -> Iterator[ProcessCluster]:
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    yield running
    running.stop()


def submit(address: str, name: str, sql: str) -> str:
    with grpc.insecure_channel(address) as channel:
        call = channel.unary_unary(
            "/millrace.v1.JobService/Submit",
            request_serializer=lambda message: message.SerializeToString(),
            response_deserializer=message_class("millrace.v1.SubmitJobResponse").FromString,
        )
        request = message_class("millrace.v1.SubmitJobRequest")(sql=sql, name=name, request_id=name)
        return call(request, timeout=60).job_id


class Changes(threading.Thread):
    """One change after another until the server is gone; `now` is the one that has no answer."""

    def __init__(self, address: str, first: int, generator: random.Random, tables: set[str]) -> None:
        super().__init__()
        self._address = address
        self._client = SqlClient(address, timeout_s=20)
        self._generator = generator
        self._tables = sorted(tables)
        self.next = first
        self.done: list[tuple[str, str]] = []
        self.now: tuple[str, str] | None = None
        self.job_ids: list[str] = []
        self.acknowledged_one = threading.Event()

    def run(self) -> None:
        try:
            while True:
                self._make(*self._choose())
                assert self.now is not None
                self.done.append(self.now)
                self.now = None
                self.acknowledged_one.set()
        except (StatementFailed, grpc.RpcError):
            self._client.close()

    def _choose(self) -> tuple[str, str]:
        kind = self._generator.choice(("table", "view", "insert", "drop", "job", "live"))
        if kind in ("insert", "drop") and not self._tables:
            kind = "table"
        name = f"{kind}_{self.next}"
        self.next += 1
        if kind in ("insert", "drop"):
            name = self._generator.choice(self._tables)
        return kind, name

    def _make(self, kind: str, name: str) -> None:
        self.now = (kind, name)
        if kind == "table":
            self._client.execute(f"CREATE TABLE {name} (a bigint)")
            self._tables.append(name)
        elif kind == "view":
            self._client.execute(f"CREATE VIEW {name} AS SELECT 1 AS a")
        elif kind == "live":
            self._client.execute(f"CREATE MATERIALIZED VIEW {name} AS SELECT a, count(*) AS n FROM log GROUP BY a")
        elif kind == "insert":
            # Two rows in one statement: there together or not at all.
            self._client.execute(f"INSERT INTO {name} VALUES ({self.next}), ({self.next})")
        elif kind == "drop":
            self._tables.remove(name)
            self._client.execute(f"DROP TABLE {name}")
        else:
            self.job_ids.append(submit(self._address, name, f"CREATE TABLE made_by_{name} (a bigint)"))


def exists(client: SqlClient, name: str) -> bool:
    try:
        client.execute(f"SELECT count(*) FROM {name}")
    except StatementFailed as failure:
        assert failure.sqlstate == "42P01", failure
        return False
    return True


def count(client: SqlClient, name: str) -> int:
    return rows_of(client.execute(f"SELECT count(*) FROM {name}"))[0][0]


class Expected:
    """What must be there: names of relations, and rows of tables."""

    def __init__(self) -> None:
        self.rows: dict[str, int] = {}
        self.others: set[str] = set()
        self.gone: set[str] = set()

    def apply(self, kind: str, name: str) -> None:
        if kind == "table":
            self.rows[name] = 0
        elif kind in ("view", "live"):
            self.others.add(name)
        elif kind == "insert":
            self.rows[name] += 2
        elif kind == "drop":
            del self.rows[name]
            self.gone.add(name)
        else:
            self.others.add(f"made_by_{name}")

    def settle(self, client: SqlClient, kind: str, name: str) -> None:
        """The change that was not answered was made wholly, or not at all; from now on that is fixed."""
        if kind == "insert":
            assert count(client, name) in (self.rows[name], self.rows[name] + 2)
            self.rows[name] = count(client, name)
        elif kind == "drop":
            if not exists(client, name):
                self.apply(kind, name)
        elif kind == "job":
            jobs = rows_of(client.execute(f"SELECT count(*) FROM millrace.jobs WHERE name = '{name}'"))
            if jobs == [(1,)]:
                self.apply(kind, name)
        elif exists(client, name):
            self.apply(kind, name)
        else:
            # The name is free again.
            client.execute(f"CREATE TABLE {name} (a bigint); DROP TABLE {name}")

    def check(self, client: SqlClient) -> None:
        for name in sorted(self.others):
            wait_until(lambda name=name: exists(client, name), f"{name} is there")
        for name, rows in sorted(self.rows.items()):
            assert count(client, name) == rows, name
        for name in sorted(self.gone):
            assert not exists(client, name), name


def test_acknowledged_changes_survive_kills_of_the_coordinator(cluster):
    generator = random.Random(SEED)
    expected = Expected()
    job_ids: list[str] = []
    changes: Changes | None = None
    first = 0
    for kill in range(KILLS + 1):
        cluster.start_coordinator()
        cluster.start_worker()
        client = SqlClient(cluster.address)
        if changes is None:
            client.execute("CREATE TABLE log (a bigint)")
        else:
            if changes.now is not None:
                expected.settle(client, *changes.now)
            expected.check(client)
        if kill == KILLS:
            break
        changes = Changes(cluster.address, first, generator, set(expected.rows))
        changes.start()
        assert changes.acknowledged_one.wait(60)
        changes.join(timeout=generator.uniform(0.02, 1.5))
        cluster.coordinator.kill()
        changes.join()
        client.close()
        cluster.stop()
        for change in changes.done:
            expected.apply(*change)
        first = changes.next
        job_ids += changes.job_ids
    assert len(job_ids) == len(set(job_ids)), "a number was given twice"
    client.close()
