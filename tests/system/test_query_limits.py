"""A query that wants too much ends with a clear error, and the processes go on."""

import os
import pathlib
import re
import threading
import time
from collections.abc import Iterator

import grpc
import pytest
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, message_class, rows_of
from support.waiting import wait_until

MILLION = 1_000_000
STATEMENTS_MAX = 4
CLIENT_TIMEOUT_S = 2


def start_cluster(folder: pathlib.Path) -> ProcessCluster:
    running = ProcessCluster(BUILD, folder)
    running.start_coordinator(
        arguments=("--max-statements", str(STATEMENTS_MAX), "--client-timeout", f"{CLIENT_TIMEOUT_S} s")
    )
    for _ in range(2):
        running.start_worker(arguments=("--memory-mb", "1024"))
    client = SqlClient(running.address)
    client.execute(
        f"""CREATE TABLE many (k bigint, v bigint) WITH (connector = 'datagen', rows = '{10 * MILLION}');
            CREATE TABLE few (k bigint, v bigint) WITH (connector = 'datagen', rows = '{MILLION}')"""
    )
    client.close()
    return running


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[ProcessCluster]:
    running = start_cluster(tmp_path_factory.mktemp("limits"))
    yield running
    running.stop()


@pytest.fixture
def fresh_cluster(tmp_path) -> Iterator[ProcessCluster]:
    """Its workers hold nothing yet of what others have freed."""
    running = start_cluster(tmp_path)
    yield running
    running.stop()


@pytest.fixture
def client(cluster) -> Iterator[SqlClient]:
    pids = [process.popen.pid for process in (cluster.coordinator, *cluster.workers)]
    connection = SqlClient(cluster.address)
    yield connection
    connection.settings.clear()
    assert all(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids)
    assert rows_of(connection.execute("SELECT count(*) FROM millrace.workers WHERE state = 'active'")) == [(2,)]
    connection.close()


WIDE = ", ".join(f"'{'x' * 500}{i}' || k AS c{i}" for i in range(400))


@pytest.mark.parametrize(
    "query",
    [
        "SELECT count(*) FROM (SELECT k, v, count(*) FROM many GROUP BY k, v) g",
        "SELECT k, v FROM many ORDER BY v, k",
        "SELECT count(*) FROM many a JOIN many b ON a.k = b.k AND a.v = b.v",
        "SELECT max(r) FROM (SELECT row_number() OVER (ORDER BY v, k) AS r FROM many) n",
        "SELECT count(DISTINCT k) FROM many",
        f"SELECT * FROM (SELECT {WIDE} FROM few) w ORDER BY c1, c2",
    ],
    ids=["aggregate", "sort", "join", "over", "distinct", "wide_rows"],
)
def test_a_query_over_its_memory_fails_alone(client, query):
    client.execute("SET query_memory_mb = 32")
    with pytest.raises(StatementFailed) as failure:
        client.execute(query)
    assert failure.value.sqlstate == "53200", failure.value
    assert "MiB" in failure.value.message and failure.value.hint
    # The next one is not touched by it.
    assert rows_of(client.execute("SELECT count(*) FROM few")) == [(MILLION,)]


def test_a_cross_join_is_stopped_by_the_statement_timeout(client):
    client.execute("SET query_memory_mb = 64; SET statement_timeout = '2 s'")
    with pytest.raises(StatementFailed) as failure:
        client.execute("SELECT count(*) FROM few a CROSS JOIN few b WHERE a.v + b.v = -1")
    assert failure.value.sqlstate in ("57014", "53200")


def test_a_large_value_goes_through_or_is_refused(client):
    size = 50 * MILLION
    try:
        rows = rows_of(client.execute(f"SELECT repeat('x', {size}) AS t"))
        assert len(rows[0][0]) == size
    except StatementFailed as failure:
        assert failure.sqlstate in ("53200", "54000", "22023"), failure
    # Each row alone, whatever a batch of them would have.
    lengths = f"SELECT count(*), min(length(t)) FROM (SELECT repeat('x', {size}) || v % 2 AS t FROM few LIMIT 20) f"
    assert rows_of(client.execute(lengths))[0][0] == 20
    with pytest.raises(StatementFailed) as failure:
        client.execute(f"SELECT repeat('x', {12 * size}) || k FROM many")
    assert failure.value.sqlstate in ("53200", "54000", "22023"), failure.value


def test_a_plan_that_is_too_large_is_refused_before_it_is_sent(client):
    """Flat and within all limits of the text: only what is made of it is too large."""
    columns = ", ".join(f"'{'x' * 640}' || k AS c{i}" for i in range(1500))
    client.execute(f"CREATE VIEW wide AS SELECT {columns} FROM few")

    def union_of(num_arms: int) -> str:
        return " UNION ALL ".join(["SELECT * FROM wide"] * num_arms) + " LIMIT 1"

    try:
        assert len(rows_of(client.execute(union_of(2)))[0]) == 1500
        with pytest.raises(StatementFailed) as failure:
            client.execute(union_of(35))
    finally:
        client.execute("DROP VIEW wide")
    assert failure.value.sqlstate == "54001" and failure.value.hint, failure.value
    assert re.match(r"the plan has \d+ operators and \d+ bytes, at most 50000 and 33554432 are", failure.value.message)


def execute(cluster, sql: str):
    """A call that nobody reads, and its channel."""
    channel = grpc.insecure_channel(cluster.address, options=[("grpc.max_receive_message_length", -1)])
    call = channel.unary_stream(
        "/millrace.v1.SqlService/Execute",
        request_serializer=lambda message: message.SerializeToString(),
        response_deserializer=message_class("millrace.v1.ExecuteResponse").FromString,
    )(message_class("millrace.v1.ExecuteRequest")(sql=sql), timeout=300)
    return channel, call


def running_tasks(client) -> int:
    return rows_of(client.execute("SELECT count(*) FROM millrace.tasks WHERE state = 'running' AND fragment >= 0"))[0][
        0
    ]


def test_a_client_that_stands_still_loses_its_statement(cluster, client):
    channel, call = execute(cluster, "SELECT k, v FROM many")
    next(call)
    try:
        logs = cluster.coordinator.log
        wait_until(lambda: "has not read its result in time" in logs.read_text(), lambda: logs.read_text()[-2000:])
        stall = next(line for line in logs.read_text().splitlines() if "has not read its result in time" in line)
        assert "peer=ipv4:127.0.0.1:" in stall, stall
        # Its tasks are gone; those of the question itself are not counted, they are the last ones.
        wait_until(lambda: running_tasks(client) <= 1, lambda: running_tasks(client))
        with pytest.raises(grpc.RpcError) as failure:
            for _ in call:
                pass
        assert failure.value.code() == grpc.StatusCode.CANCELLED
        cause = f"the client has taken no rows for {CLIENT_TIMEOUT_S} s; read on in time, or raise client-timeout"
        assert failure.value.details().startswith(cause), failure.value.details()
    finally:
        channel.close()


def test_one_statement_too_many_is_refused(cluster, client):
    # None of them comes to an end before it is cancelled: 10^10 pairs.
    client.execute("CREATE TABLE less (k bigint, v bigint) WITH (connector = 'datagen', rows = '100000')")
    endless = "SELECT count(*) FROM less a CROSS JOIN less b WHERE a.v + b.v = -1"
    held = [execute(cluster, endless) for _ in range(STATEMENTS_MAX)]

    def refused() -> StatementFailed | None:
        try:
            client.execute("SELECT 1")
        except StatementFailed as failure:
            return failure
        return None

    def refused_beside_the_others() -> StatementFailed | None:
        failure = refused()
        # One that came when this one was there has been refused in its place.
        for i, (channel, call) in enumerate(held):
            if not call.is_active():
                channel.close()
                held[i] = execute(cluster, endless)
        return failure

    try:
        failure = wait_until(refused_beside_the_others, "a statement that is refused")
        assert failure.sqlstate == "53000" and failure.hint, failure
    finally:
        for channel, call in held:
            call.cancel()
            channel.close()
    wait_until(lambda: refused() is None, "statements run again")


def rss_bytes(worker) -> int:
    pages = int(pathlib.Path(f"/proc/{worker.popen.pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def peak_rss_bytes(worker) -> int:
    status = pathlib.Path(f"/proc/{worker.popen.pid}/status").read_text()
    return int(re.search(r"^VmHWM:\s+(\d+) kB$", status, re.MULTILINE)[1]) << 10


WIDE_PEAK_MAX_BYTES = 400 << 20
PAYLOAD = ", ".join(f"rpad(k::text, 1000, 'y{i}') AS c{i}" for i in range(100))
PAYLOAD_LENGTH = " + ".join(f"length(c{i})" for i in range(100))


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        # A batch of its input has 8192 rows, which become 1.6 GB.
        (f"SELECT {WIDE} FROM (SELECT k FROM few LIMIT 8000) f", 8000),
        # One key: 1000 x 100 pairs of 100 kB.
        (
            f"SELECT max({PAYLOAD_LENGTH}) FROM (SELECT k, 1 AS j FROM few LIMIT 1000) a"
            f" JOIN (SELECT 1 AS j, {PAYLOAD} FROM few LIMIT 100) b ON a.j = b.j",
            1,
        ),
        # Values that are held once, and joined a thousand times.
        (
            "SELECT max(length(s)) FROM (SELECT v % 1000 AS g, string_agg(repeat('x', 1000), ',') AS s"
            " FROM few GROUP BY v % 1000) g",
            1,
        ),
        ("SELECT count(*) FROM (SELECT k FROM few LIMIT 8000) f WHERE length(rpad(k::text, 100000)) = 100000", 1),
        (f"CREATE TABLE wide_copy AS SELECT {WIDE} FROM (SELECT k FROM few LIMIT 8000) f", 0),
    ],
    ids=["projection", "join", "string_agg", "filter", "parquet"],
)
def test_rows_that_become_wide_are_worked_on_in_parts(fresh_cluster, query, rows):
    channel, call = execute(fresh_cluster, query)
    received = sum(response.batch.rows for response in call if response.WhichOneof("message") == "batch")
    channel.close()
    assert received == rows
    peaks = [peak_rss_bytes(worker) for worker in fresh_cluster.workers]
    assert max(peaks) < WIDE_PEAK_MAX_BYTES, [f"{peak >> 20} MiB" for peak in peaks]


HOT_TEXT = (
    "(SELECT CASE WHEN v = 1 THEN repeat('x', 20000000) ELSE 'a' END AS s, v FROM generate_series(1, 130) g(v)) t"
)


@pytest.mark.parametrize(
    ("query", "outcome"),
    [
        # Texts that are held once, and would be joined to more than an array can hold.
        ("SELECT length(string_agg(repeat('x', 100000), ',')) FROM generate_series(1, 22000) g(v)", "54000"),
        # To more than the query may hold.
        ("SELECT length(string_agg(repeat('x', 100000), ',')) FROM generate_series(1, 4000) g(v)", "53200"),
        ("SELECT length(string_agg('x', repeat('y', 100000))) FROM generate_series(1, 22000) g(v)", "54000"),
        # 2.6 GB, if each row had a text of its own.
        (f"SELECT sum(length(m)) FROM (SELECT max(s) OVER () AS m FROM {HOT_TEXT}) z", 130 * 20_000_000),
        (f"SELECT sum(length(m)) FROM (SELECT string_agg(s, '') OVER () AS m FROM {HOT_TEXT}) z", 130 * 20_000_129),
        (f"SELECT sum(length(m)) FROM (SELECT lag(s, 1, s) OVER (ORDER BY v) AS m FROM {HOT_TEXT}) z", 40_000_128),
        # Each row has one of its own.
        (
            "SELECT sum(length(m)) FROM (SELECT string_agg('abcdefghij', '') OVER (ORDER BY v) AS m"
            " FROM generate_series(1, 22000) g(v)) z",
            "54000",
        ),
        # One constant for all rows, which the function over them copies.
        (
            "SELECT count(m) FROM (SELECT lag(s, 1, s) OVER (ORDER BY v) AS m FROM"
            " (SELECT v, repeat('x', 20000000) AS s FROM generate_series(1, 130) g(v)) t) z",
            "53200",
        ),
    ],
)
def test_text_that_is_held_once_does_not_end_a_worker_when_it_is_written_out(fresh_cluster, query, outcome):
    client = SqlClient(fresh_cluster.address)
    client.execute("SET query_memory_mb = 256")
    if isinstance(outcome, str):
        with pytest.raises(StatementFailed) as failure:
            client.execute(query)
        assert failure.value.sqlstate == outcome, failure.value
    else:
        assert rows_of(client.execute(query)) == [(outcome,)]
    client.close()
    assert all(worker.popen.poll() is None for worker in fresh_cluster.workers)
    peaks = [peak_rss_bytes(worker) for worker in fresh_cluster.workers]
    assert max(peaks) < 1500 << 20, [f"{peak >> 20} MiB" for peak in peaks]


def test_ten_queries_at_their_own_limit_do_not_end_a_worker(fresh_cluster):
    """Together they want more than the workers have: some fail, the workers live, and stay within what they have."""
    outcomes: list[str] = []
    pids = [process.popen.pid for process in (fresh_cluster.coordinator, *fresh_cluster.workers)]

    def run() -> None:
        own = SqlClient(fresh_cluster.address)
        try:
            own.execute("SELECT count(*) FROM (SELECT k, v, count(*) FROM many GROUP BY k, v) g")
            outcomes.append("ok")
        except StatementFailed as failure:
            outcomes.append(failure.sqlstate)
        own.close()

    threads = [threading.Thread(target=run) for _ in range(10)]
    for thread in threads:
        thread.start()
    peak = 0
    while any(thread.is_alive() for thread in threads):
        for worker in fresh_cluster.workers:
            peak = max(peak, rss_bytes(worker))
        time.sleep(0.05)
    assert peak < 2 << 30, f"{peak >> 20} MiB"
    assert len(outcomes) == 10
    assert set(outcomes) <= {"ok", "53200", "53000"}, outcomes
    assert all(pathlib.Path(f"/proc/{pid}/exe").exists() for pid in pids)


def test_a_parallelism_that_workers_could_not_keep_is_refused(client):
    client.execute("SET parallelism = 512")
    with pytest.raises(StatementFailed, match="channels between its tasks, at most 200000") as refused:
        client.execute("SELECT count(*) FROM few a JOIN few b ON a.k = b.k")
    assert refused.value.sqlstate == "54000"
    client.execute("SET parallelism = 64")
    assert rows_of(client.execute("SELECT count(*) FROM (VALUES (1), (2)) v(a)")) == [(2,)]
