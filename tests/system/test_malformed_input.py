"""Whatever comes in on the three ports: the processes live, go on to serve, and say little about it."""

import contextlib
import pathlib
import random
import socket
import struct
from collections.abc import Iterator

import grpc
import pytest
from conftest import BUILD
from support.process_cluster import Process, ProcessCluster
from support.sql_client import SqlClient, StatementFailed, message_class, rows_of
from support.waiting import wait_until

PORTS = ("client", "control", "data")
PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
SEED = 20261130
RANDOM = [random.Random(SEED + n).randbytes(size) for n, size in enumerate((1, 24, 300, 65_536, 1 << 20))]


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[ProcessCluster]:
    running = ProcessCluster(BUILD, tmp_path_factory.mktemp("malformed"))
    running.start_coordinator()
    for _ in range(2):
        running.start_worker()
    yield running
    running.stop()


def processes(cluster) -> list[Process]:
    return [cluster.coordinator, *cluster.workers]


def address(cluster, port: str) -> str:
    return cluster.workers[0].ready["data"] if port == "data" else cluster.coordinator.ready[port]


def log_lines(cluster) -> int:
    return sum(process.log.read_text(errors="replace").count("\n") for process in processes(cluster))


@pytest.fixture
def unharmed(cluster) -> Iterator[None]:
    """Nobody has died, nobody was lost, a query over both workers runs, and the log has grown by some lines at most."""
    before = log_lines(cluster)
    yield
    assert all(process.popen.poll() is None for process in processes(cluster))
    client = SqlClient(cluster.address)
    client.execute("SET parallelism = 4")
    rows = rows_of(client.execute("SELECT count(*) FROM millrace.workers WHERE state = 'active'"))
    assert rows == [(2,)]
    client.execute("CREATE TABLE IF NOT EXISTS numbers (k bigint) WITH (connector = 'datagen', rows = '100000')")
    assert rows_of(client.execute("SELECT count(*) FROM (SELECT k FROM numbers GROUP BY k) g"))[0][0] > 0
    client.close()
    assert log_lines(cluster) - before <= 10


def frame(kind: int, payload: bytes, flags: int = 0, stream: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", stream) + payload


BROKEN = {
    **{f"random_{len(noise)}": noise for noise in RANDOM},
    "http1": b"GET /jobs HTTP/1.1\r\nHost: millrace\r\n\r\n",
    "http1_post": b"POST /millrace.v1.SqlService/Execute HTTP/1.1\r\nContent-Length: 1000000\r\n\r\n" + b"x" * 1000,
    "tls": bytes.fromhex("1603010200010001fc0303") + RANDOM[2],
    "preface_then_random": PREFACE + RANDOM[3],
    "huge_frame": PREFACE + frame(4, b"") + struct.pack(">I", 0xFFFFFF)[1:] + b"\0\0\0\0\0\1" + b"x" * 4096,
    "headers_that_are_no_hpack": PREFACE + frame(4, b"") + frame(1, RANDOM[2], flags=4, stream=1),
    "data_without_headers": PREFACE + frame(4, b"") + frame(0, b"x" * 100, flags=1, stream=1),
    "settings_flood": PREFACE + frame(4, b"") * 5000,
    "only_half_a_preface": PREFACE[:10],
}


@pytest.mark.parametrize("port", PORTS)
def test_bytes_that_are_no_protocol(cluster, unharmed, port):
    host, number = address(cluster, port).rsplit(":", 1)
    for noise in BROKEN.values():
        # The server may hang up in the middle of it.
        with (
            contextlib.suppress(OSError),
            socket.create_connection((host, int(number)), timeout=20) as connection,
        ):
            connection.sendall(noise)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(65_536):
                pass


@pytest.mark.parametrize("port", PORTS)
def test_connections_that_say_nothing_do_no_harm(cluster, unharmed, port):
    host, number = address(cluster, port).rsplit(":", 1)
    with contextlib.ExitStack() as silent:
        for _ in range(200):
            silent.enter_context(socket.create_connection((host, int(number)), timeout=20))
        client = SqlClient(cluster.address)
        assert rows_of(client.execute("SELECT 1")) == [(1,)]
        client.close()


def calls(channel, method: str):
    same = {"request_serializer": lambda message: message, "response_deserializer": lambda message: message}
    return channel.stream_stream(method, **same)


METHODS = {
    "client": ("SqlService/Execute", "JobService/Submit", "JobService/Watch", "ClusterService/ListWorkers"),
    "control": ("ControlService/Connect",),
    "data": ("DataService/Exchange", "DataService/FetchResult"),
}


@pytest.mark.parametrize("port", PORTS)
def test_messages_that_are_no_messages(cluster, unharmed, port):
    with grpc.insecure_channel(address(cluster, port)) as channel:
        for method in METHODS[port]:
            for noise in RANDOM:
                answers = []
                with contextlib.suppress(grpc.RpcError):
                    answers = list(calls(channel, f"/millrace.v1.{method}")(iter([noise, noise]), timeout=20))
                assert answers == []


@pytest.mark.parametrize("port", PORTS)
def test_unknown_methods_and_large_headers_are_refused(cluster, unharmed, port):
    with grpc.insecure_channel(address(cluster, port)) as channel:
        for method in ("/millrace.v1.SqlService/Destroy", "/none/none", "/" + "x" * 5000):
            with pytest.raises(grpc.RpcError) as refused:
                list(calls(channel, method)(iter([b"x"]), timeout=20))
            assert refused.value.code() in (grpc.StatusCode.UNIMPLEMENTED, grpc.StatusCode.RESOURCE_EXHAUSTED)
        with pytest.raises(grpc.RpcError):
            headers = (("x-large", "y" * 100_000),)
            list(calls(channel, f"/millrace.v1.{METHODS[port][0]}")(iter([b"x"]), timeout=20, metadata=headers))


def test_requests_beyond_their_limit_get_a_clear_error(cluster, unharmed):
    client = SqlClient(cluster.address)
    for size, sqlstates in ((1 << 20, ("54000",)), (5 << 20, ("54000", "?????"))):
        with pytest.raises(StatementFailed) as failure:
            client.execute("SELECT '" + "x" * size + "'")
        assert failure.value.sqlstate in sqlstates
        assert "bytes" in failure.value.message or "larger than max" in failure.value.message
    with pytest.raises(StatementFailed) as failure:
        client.execute("SELECT 1", request_id="r" * 1000)
    assert failure.value.sqlstate == "22023"
    client.close()


def hello(cluster, **changed):
    """What a worker of this cluster says first, but for what is `changed`."""
    client = SqlClient(cluster.address)
    [(version,)] = rows_of(client.execute("SELECT DISTINCT version FROM millrace.workers"))
    client.close()
    message = message_class("millrace.v1.WorkerMessage")()
    right = {"version": version, "name": "stranger", "slots": 1, "data_address": "127.0.0.1:1", "incarnation": 1}
    for name, value in (right | changed).items():
        setattr(message.hello, name, value)
    return message


def test_a_worker_of_another_kind_is_refused(cluster, unharmed):
    """Hellos of which one thing is wrong, and a message before any hello."""
    heartbeat = message_class("millrace.v1.WorkerMessage")()
    heartbeat.heartbeat.rss_bytes = 1
    precondition = grpc.StatusCode.FAILED_PRECONDITION
    refusals = (
        (hello(cluster, version="0.0.0"), precondition, "worker has version 0.0.0, the coordinator has "),
        (hello(cluster, slots=0), precondition, "worker offers no slots"),
        (hello(cluster, data_address=""), precondition, "worker names no data address"),
        (heartbeat, grpc.StatusCode.INVALID_ARGUMENT, "the first message must be a hello"),
    )
    with grpc.insecure_channel(address(cluster, "control")) as channel:
        for first, code, text in refusals:
            with pytest.raises(grpc.RpcError) as refused:
                connect = calls(channel, "/millrace.v1.ControlService/Connect")
                list(connect(iter([first.SerializeToString()]), timeout=20))
            assert (refused.value.code(), refused.value.details()[: len(text)]) == (code, text)


def test_descriptors_come_back(cluster):
    """Connections that were cut leave nothing behind."""

    def descriptors() -> int:
        return sum(len(list(pathlib.Path(f"/proc/{p.popen.pid}/fd").iterdir())) for p in processes(cluster))

    before = descriptors()
    for port in PORTS:
        host, number = address(cluster, port).rsplit(":", 1)
        for _ in range(100):
            with socket.create_connection((host, int(number)), timeout=20) as connection:
                connection.sendall(PREFACE + frame(4, b""))
    wait_until(lambda: descriptors() <= before + 10, lambda: (before, descriptors()))
