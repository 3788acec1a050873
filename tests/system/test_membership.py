"""How workers join a cluster, are fenced, come back, and leave; processes start from deploy/config/."""

import json
import pathlib
import signal
from collections.abc import Iterator

import grpc
import pytest
from conftest import BUILD
from support.configured_cluster import ConfiguredCluster, Program
from support.sql_client import SqlClient, message_class, rows_of
from support.waiting import wait_until

TOKEN = "_shared-storage-token"
NUM_ROWS = 200_000
# Half of the default, so that a test that waits for it does not take long.
SHORT_TIMEOUT = ("--heartbeat-interval", "200 ms", "--heartbeat-timeout", "1500 ms")


@pytest.fixture
def nodes(tmp_path) -> Iterator[ConfiguredCluster]:
    running = ConfiguredCluster(BUILD, tmp_path / "cluster")
    yield running
    running.stop()


@pytest.fixture
def connect() -> Iterator:
    clients = []

    def connected(nodes: ConfiguredCluster) -> SqlClient:
        clients.append(SqlClient(nodes.address))
        return clients[-1]

    yield connected
    for client in clients:
        client.close()


def start_worker(nodes: ConfiguredCluster, name: str, *arguments: str) -> tuple[Program, int]:
    worker = nodes.start_worker(name, *arguments)
    return worker, int(worker.ready()["worker"])


def workers_of_a_query(client: SqlClient, nodes: ConfiguredCluster) -> set[int]:
    """Where the tasks of a statement run that every slot gets a part of."""
    folder = nodes.folder / "numbers"
    folder.mkdir(exist_ok=True)
    for file in range(8):
        (folder / f"{file}.csv").write_text("i\n" + "\n".join(map(str, range(1000))) + "\n")
    sql = f"EXPLAIN ANALYZE SELECT i % 100, count(*) FROM '{folder}/*.csv' GROUP BY 1"
    lines = [row[0] for row in rows_of(client.execute(sql))]
    return {int(line.split("on worker ")[1].split(":")[0]) for line in lines if "on worker " in line}


class OpenQuery:
    """A statement whose client has read the first rows, and stands still: flow control holds its tasks."""

    def __init__(self, client: SqlClient) -> None:
        request = message_class("millrace.v1.ExecuteRequest")(
            sql=f"SELECT i, repeat('x', 200) FROM generate_series(1, {NUM_ROWS}) AS g(i)"
        )
        self._responses = client._execute(request, timeout=120, wait_for_ready=True)
        self._rows = 0
        while self._rows == 0:
            self._take(next(self._responses))

    def _take(self, response) -> None:
        if response.WhichOneof("message") == "statement_end":
            self._rows = response.statement_end.rows
        elif response.WhichOneof("message") == "batch":
            self._rows = max(self._rows, 1)

    def read_all(self) -> int:
        for response in self._responses:
            self._take(response)
        return self._rows


def worker_with_tasks(nodes: ConfiguredCluster) -> int:
    def busy() -> int:
        return next((id for id, row in nodes.workers().items() if row.get("running_tasks", 0) > 0), 0)

    return wait_until(busy, "tasks on a worker")


def test_a_cluster_starts_from_the_example_configurations(nodes, connect):
    nodes.start_coordinator()
    _, first = start_worker(nodes, "one")
    _, second = start_worker(nodes, "two")
    assert workers_of_a_query(connect(nodes), nodes) == {first, second}
    assert nodes.cli("sql", "-c", "SELECT 1 AS one", "-o", "csv").stdout == "one\n1\n"


def test_a_worker_that_listens_everywhere_is_reached_by_the_address_towards_the_coordinator(nodes):
    nodes.start_coordinator()
    worker = nodes.start_worker("one")
    assert worker.ready()["data"].startswith("127.0.0.1:")
    advertised = nodes.start_worker("two", "--advertise", "localhost")
    assert advertised.ready()["data"].startswith("localhost:")
    addresses = {row["name"]: row["data_address"] for row in nodes.workers().values()}
    assert addresses == {"one": worker.ready()["data"], "two": advertised.ready()["data"]}


@pytest.mark.parametrize("folder", ["data_dir", "checkpoint_dir"])
def test_a_worker_without_the_shared_storage_is_refused(nodes, folder):
    nodes.start_coordinator()
    path: pathlib.Path = getattr(nodes, folder)
    token = (path / TOKEN).read_text()
    setting = folder.replace("_", "-")
    for content, what in ((None, "on machine "), (token.replace("token ", "token 0"), "different")):
        if content is None:
            (path / TOKEN).unlink()
        else:
            (path / TOKEN).write_text(content)
        worker = nodes.start_worker("stranger")
        assert worker.wait() == 1
        for part in ("refuses this worker", "stranger", setting, str(path), what, "mount the same storage"):
            assert part in worker.text()
    (path / TOKEN).write_text(token)
    assert start_worker(nodes, "friend")[1] > 0
    assert not list(path.glob("_staging-probe*"))


def test_a_checkpoint_folder_belongs_to_one_cluster(nodes, tmp_path):
    nodes.start_coordinator()
    other = ConfiguredCluster(BUILD, tmp_path / "other")
    other.checkpoint_dir = nodes.checkpoint_dir
    try:
        with pytest.raises(RuntimeError, match="belongs to another cluster"):
            other.start_coordinator()
    finally:
        other.stop()


@pytest.mark.parametrize("folder", ["data_dir", "checkpoint_dir"])
def test_a_worker_does_not_take_a_folder_of_the_coordinator(nodes, folder):
    nodes.start_coordinator()
    path: pathlib.Path = getattr(nodes, folder)
    worker = nodes.start_worker("stranger", "--data-dir", str(path))
    assert worker.wait() == 1
    assert f"data-dir {path} belongs to a coordinator" in worker.text()
    assert not (path / "state").exists()


@pytest.mark.parametrize("folder", ["data_dir", "checkpoint_dir"])
def test_a_coordinator_does_not_take_a_folder_of_a_worker(nodes, tmp_path, folder):
    nodes.start_coordinator()
    start_worker(nodes, "one")
    path = nodes.folder / "one"
    other = ConfiguredCluster(BUILD, tmp_path / "other")
    setattr(other, folder, path)
    try:
        with pytest.raises(RuntimeError, match=f"{folder.replace('_', '-')} {path} belongs to a worker"):
            other.start_coordinator()
    finally:
        other.stop()
    assert not (path / "metadata").exists()


def test_a_worker_says_why_it_does_not_join(nodes):
    nodes.start_coordinator()

    def line(coordinator: str) -> str:
        worker = nodes.start_worker("lonely", "--coordinator", coordinator)
        begin = f"control: cannot join the coordinator at {coordinator}; trying again"
        wait_until(lambda: begin in worker.text(), worker.text)
        worker.kill()
        # Also one that listens everywhere, and so asks for its address before each attempt, says nothing else.
        found = worker.text().splitlines()
        assert len(found) == 1 and " warning " in found[0], found
        return found[0]

    assert "Connection refused" in line("127.0.0.1:1")
    at_clients = line(nodes.address)
    assert "port for clients" in at_clients and "control-listen" in at_clients


def test_a_client_at_the_port_for_workers_is_told_so(nodes):
    nodes.start_coordinator()
    for verb in (("sql", "-c", "SELECT 1"), ("worker", "list"), ("job", "list")):
        done = nodes.cli(*verb, server=nodes.control)
        assert done.returncode == 7
        assert f"{nodes.control} is not a coordinator's port for clients" in done.stderr
        assert "HINT: name a coordinator's port for clients" in done.stderr


def test_a_worker_that_stood_too_long_is_fenced_and_joins_again(nodes, connect):
    nodes.start_coordinator(*SHORT_TIMEOUT)
    client = connect(nodes)
    worker, old = start_worker(nodes, "frozen")
    client.execute("CREATE TABLE t (k integer, v integer)")
    client.execute("SET checkpoint_interval = '200 ms'")
    client.execute("CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(v) AS s FROM t GROUP BY k")
    client.execute("INSERT INTO t SELECT i % 10, i FROM generate_series(1, 1000) AS g(i)")
    _, other = start_worker(nodes, "awake")
    worker.send(signal.SIGSTOP)
    wait_until(lambda: nodes.state_of(old) == "lost", "the frozen worker is given up")
    client.execute("INSERT INTO t SELECT i % 10, i FROM generate_series(1001, 2000) AS g(i)")
    expected = "SELECT i % 10, count(*), sum(i) FROM generate_series(1, 2000) AS g(i) GROUP BY 1 ORDER BY 1"
    view = "FLUSH; SELECT * FROM sums ORDER BY k"
    assert rows_of(client.execute(view)) == rows_of(client.execute(expected))
    worker.send(signal.SIGCONT)

    def back() -> int:
        rows = nodes.workers().items()
        return next((id for id, row in rows if row["name"] == "frozen" and row["state"] == "WORKER_STATE_ACTIVE"), 0)

    new = wait_until(back, "the frozen worker has joined again")
    assert new > other > old and nodes.state_of(old) == "lost"
    assert rows_of(client.execute(view)) == rows_of(client.execute(expected))
    assert workers_of_a_query(client, nodes) == {other, new}


def test_a_worker_that_is_added_gets_new_work(nodes, connect):
    nodes.start_coordinator()
    client = connect(nodes)
    _, first = start_worker(nodes, "first")
    assert workers_of_a_query(client, nodes) == {first}
    _, second = start_worker(nodes, "second")
    assert workers_of_a_query(client, nodes) == {first, second}
    client.execute("CREATE TABLE t (k integer)")
    client.execute("CREATE MATERIALIZED VIEW counts AS SELECT k, count(*) AS n FROM t GROUP BY k")
    tasks = "SELECT DISTINCT worker_id FROM millrace.tasks WHERE state = 'running' ORDER BY 1"
    assert rows_of(client.execute(tasks)) == [(first,), (second,)]


def test_workers_come_back_to_a_coordinator_that_was_killed(nodes, connect):
    coordinator = nodes.start_coordinator()
    _, first = start_worker(nodes, "first")
    _, second = start_worker(nodes, "second")
    client = connect(nodes)
    client.execute("CREATE TABLE t (k integer); INSERT INTO t SELECT i FROM generate_series(1, 1000) AS g(i)")
    client.execute("CREATE MATERIALIZED VIEW counts AS SELECT count(*) AS n FROM t")
    coordinator.kill()
    nodes.start_coordinator()

    def active() -> set[int]:
        return {id for id, row in nodes.workers().items() if row["state"] == "WORKER_STATE_ACTIVE"}

    wait_until(lambda: len(active()) == 2, "both workers are back")
    assert min(active()) > max(first, second)
    again = connect(nodes)
    assert rows_of(again.execute("SELECT n FROM counts")) == [(1000,)]
    again.execute("INSERT INTO t VALUES (1)")
    assert rows_of(again.execute("FLUSH; SELECT n FROM counts")) == [(1001,)]


def test_a_coordinator_ends_in_good_order(nodes):
    coordinator = nodes.start_coordinator()
    worker, _ = start_worker(nodes, "one")
    coordinator.send(signal.SIGTERM)
    assert coordinator.wait() == 0
    assert worker.popen.poll() is None
    nodes.start_coordinator()
    wait_until(lambda: any(row["state"] == "WORKER_STATE_ACTIVE" for row in nodes.workers().values()), "it is back")


@pytest.mark.parametrize("way", ["signal", "command"])
def test_a_worker_that_leaves_finishes_what_it_has_begun(nodes, connect, way):
    nodes.start_coordinator()
    programs = dict(reversed(start_worker(nodes, name)) for name in ("one", "two"))
    query = OpenQuery(connect(nodes))
    leaving = worker_with_tasks(nodes)
    stays = next(id for id in programs if id != leaving)
    if way == "signal":
        programs[leaving].send(signal.SIGTERM)
    else:
        name = nodes.workers()[leaving]["name"]
        assert nodes.cli("worker", "drain", name).returncode == 0
        assert nodes.cli("worker", "drain", str(leaving)).returncode == 0
    wait_until(lambda: nodes.state_of(leaving) == "draining", "the worker is about to leave")
    assert workers_of_a_query(connect(nodes), nodes) == {stays}
    assert programs[leaving].popen.poll() is None
    assert query.read_all() == NUM_ROWS
    assert programs[leaving].wait() == 0
    assert nodes.state_of(leaving) == "lost"
    assert nodes.workers()[leaving]["lost_reason"] == "has left"
    assert workers_of_a_query(connect(nodes), nodes) == {stays}


def test_streams_move_from_a_worker_that_leaves(nodes, connect):
    nodes.start_coordinator()
    programs = dict(reversed(start_worker(nodes, name)) for name in ("one", "two"))
    client = connect(nodes)
    client.execute("CREATE TABLE t (k integer, v integer)")
    client.execute("CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n, sum(v) AS s FROM t GROUP BY k")
    client.execute("INSERT INTO t SELECT i % 10, i FROM generate_series(1, 1000) AS g(i)")
    inserted = 1000
    for leaving in list(programs):
        programs[leaving].send(signal.SIGTERM)
        while programs[leaving].popen.poll() is None:
            inserted += 1
            client.execute(f"INSERT INTO t VALUES ({inserted % 10}, {inserted})")
        assert programs.pop(leaving).wait() == 0
        start_worker(nodes, f"after-{leaving}")
    expected = f"SELECT i % 10, count(*), sum(i) FROM generate_series(1, {inserted}) AS g(i) GROUP BY 1 ORDER BY 1"
    assert rows_of(client.execute("FLUSH; SELECT * FROM sums ORDER BY k")) == rows_of(client.execute(expected))
    job = json.loads(nodes.cli("job", "get", "sums", "--json").stdout)
    assert job["attempt"] == 3


def test_patience_and_a_second_signal_cut_leaving_short(nodes, connect):
    nodes.start_coordinator()
    patient, _ = start_worker(nodes, "patient", "--drain-patience", "1 hour")
    first = OpenQuery(connect(nodes))
    patient.send(signal.SIGTERM)
    wait_until(lambda: "leaving" in patient.text(), "it wants to leave")
    patient.send(signal.SIGTERM)
    assert patient.wait() == 0
    hasty, _ = start_worker(nodes, "hasty", "--drain-patience", "50 ms")
    second = OpenQuery(connect(nodes))
    hasty.send(signal.SIGTERM)
    assert hasty.wait() == 0
    assert "the patience is over" in hasty.text()
    for cut_off in (first, second):
        with pytest.raises(grpc.RpcError):
            cut_off.read_all()


def test_a_worker_leaves_at_once_when_nobody_is_there(nodes):
    coordinator = nodes.start_coordinator()
    worker, _ = start_worker(nodes, "one", "--drain-patience", "1 hour")
    coordinator.kill()
    wait_until(lambda: "lost the coordinator" in worker.text(), "it has noticed")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0


def test_draining_names_one_worker(nodes):
    nodes.start_coordinator()
    for _ in range(2):
        start_worker(nodes, "twin")
    twin = nodes.cli("worker", "drain", "twin")
    assert (twin.returncode, "2 workers are called" in twin.stderr) == (5, True)
    nobody = nodes.cli("worker", "drain", "nobody")
    assert (nobody.returncode, "does not exist" in nobody.stderr) == (4, True)


def test_health_tells_whether_a_server_and_its_services_can_be_used(nodes, connect):
    nodes.start_coordinator()
    worker = nodes.start_worker("one", "--drain-patience", "1 hour")
    data = worker.ready()["data"]

    def health(server: str, service: str = "") -> tuple[int, str]:
        done = nodes.cli("health", *(("--service", service) if service else ()), server=server)
        return done.returncode, done.stdout.strip()

    for server in (nodes.address, nodes.control, data):
        assert health(server) == (0, "serving")
    for service in ("SqlService", "JobService", "CheckpointService", "ClusterService"):
        assert health(nodes.address, f"millrace.v1.{service}") == (0, "serving")
    assert health(nodes.control, "millrace.v1.ControlService") == (0, "serving")
    assert health(data, "millrace.v1.DataService") == (0, "serving")
    assert health(data, "millrace.v1.SqlService")[0] == 4
    query = OpenQuery(connect(nodes))
    worker.send(signal.SIGTERM)
    wait_until(lambda: health(data, "millrace.v1.DataService") == (1, "not serving"), "it leaves")
    assert health(data) == (0, "serving")
    assert query.read_all() == NUM_ROWS
    assert worker.wait() == 0
    assert health(data)[0] == 7


def test_a_worker_that_cannot_reach_its_coordinator_is_alive_but_not_of_use(nodes):
    coordinator = nodes.start_coordinator()
    data = nodes.start_worker("one").ready()["data"]
    coordinator.kill()
    service = ("--service", "millrace.v1.DataService")
    wait_until(lambda: nodes.cli("health", *service, server=data).stdout == "not serving\n", "it has noticed")
    assert nodes.cli("health", server=data).stdout == "serving\n"
