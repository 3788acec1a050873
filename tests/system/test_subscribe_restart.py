"""SUBSCRIBE across a restart and the loss of a worker: a reader of durable epochs loses nothing, gets nothing twice."""

from collections import Counter

import pytest
from conftest import BUILD
from support.job_client import job_call
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.subscription import Subscription, total_of
from support.waiting import wait_until

NUM_ROWS = 24_000
NUM_KEYS = 50
RATE = 3000
END_S = 240


@pytest.fixture
def cluster(tmp_path):
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    running.start_coordinator()
    running.start_worker()
    yield running
    running.stop()


@pytest.fixture
def client(cluster):
    connection = SqlClient(cluster.address)
    yield connection
    connection.close()


@pytest.fixture
def victim(cluster, client, tmp_path):
    """The worker to lose, with a part of a view over files that are read slowly."""
    worker = cluster.start_worker()
    folder = tmp_path / "events"
    folder.mkdir()
    for index in range(3):
        rows = range(index * NUM_ROWS // 3, (index + 1) * NUM_ROWS // 3)
        (folder / f"{index}.csv").write_text("id,k\n" + "".join(f"{row},{row % NUM_KEYS}\n" for row in rows))
    client.execute(
        f"""SET epoch_interval = '100 ms'; SET checkpoint_interval = '400 ms'; SET parallelism = 2;
            CREATE TABLE events (id bigint, k integer)
            WITH (connector = 'file', path = '{folder}/*.csv', rows_per_second = '{RATE}');
            CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(id) AS s FROM events GROUP BY k"""
    )
    return worker


def view_rows(client):
    """At the end of the job."""

    def read():
        try:
            return rows_of(client.execute("SELECT k, n, s FROM totals"))
        except StatementFailed as error:
            assert error.sqlstate in ("55000", "08006", "53000"), error
            return None

    rows = wait_until(read, "a readable view")
    assert sum(row[1] for row in rows) == NUM_ROWS
    return Counter(dict.fromkeys(rows, 1))


def of_job(client, column):
    [(value,)] = rows_of(client.execute(f"SELECT {column} FROM millrace.jobs WHERE name = 'totals'"))
    return value


@pytest.mark.parametrize("epochs", ["durable", "published"])
@pytest.mark.parametrize("rows_before", [1, 300])
def test_a_lost_worker_in_between(cluster, client, victim, epochs, rows_before):
    reader = Subscription(cluster.address, f"SUBSCRIBE TO totals WITH (snapshot = true, epochs = '{epochs}')")
    # Of an epoch that has come whole: rows of a snapshot that have left cannot be read again.
    wait_until(lambda: len(reader.complete_rows()) >= rows_before, lambda: (reader.rows, reader.error))
    victim.kill()
    wait_until(lambda: of_job(client, "attempt") >= 2, "another attempt")
    cluster.start_worker()
    wait_until(reader.ended, "the end of the job", END_S)
    assert (reader.error, reader.tag) == (None, "SUBSCRIBE")
    assert total_of(reader.rows) == view_rows(client)
    if epochs == "durable":
        assert all(row[1] != 0 for row in reader.rows), "nothing is taken back"
        assert [row[0] for row in reader.rows] == sorted(row[0] for row in reader.rows)


def test_a_worker_lost_right_behind_a_checkpoint(cluster, client, victim):
    """The checkpoint waits for its readers: what it holds is never known to the lost worker alone."""
    readers = [Subscription(cluster.address, "SUBSCRIBE TO totals WITH (snapshot = true)") for _ in range(4)]
    wait_until(lambda: all(len(reader.rows) >= 100 for reader in readers), "rows before the loss")
    durable = of_job(client, "durable_epoch")
    wait_until(lambda: of_job(client, "durable_epoch") > durable, "the next checkpoint")
    victim.kill()
    cluster.start_worker()
    wait_until(lambda: all(reader.ended() for reader in readers), "the end of the job", END_S)
    expected = view_rows(client)
    for reader in readers:
        assert (reader.error, reader.tag) == (None, "SUBSCRIBE")
        assert total_of(reader.rows) == expected


@pytest.mark.parametrize("epochs", ["durable", "published"])
def test_a_restart_on_request_does_not_end_it(cluster, client, victim, epochs):
    reader = Subscription(cluster.address, f"SUBSCRIBE TO totals WITH (snapshot = true, epochs = '{epochs}')")
    wait_until(lambda: len(reader.complete_rows()) > 0, lambda: (reader.rows, reader.error))
    assert job_call(cluster.address, "Restart", job="totals") is not None
    wait_until(reader.ended, "the end of the job", END_S)
    assert (reader.error, reader.tag) == (None, "SUBSCRIBE")
    assert of_job(client, "attempt") >= 2
    assert total_of(reader.rows) == view_rows(client)
