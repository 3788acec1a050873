"""SUBSCRIBE across the loss of a worker: a reader of durable epochs loses nothing and gets nothing twice."""

from collections import Counter

import pytest
from conftest import eventually_readable, write_events
from support.sql_client import rows_of
from support.subscription import Subscription, total_of
from support.waiting import wait_until

ROWS_PER_FILE = 6000
NUM_FILES = 3
RATE = 3000


def prepare(cluster, connect, tmp_path, failpoints=""):
    """A view over files that are read slowly; returns a client and the worker to lose."""
    write_events(tmp_path / "events", NUM_FILES, ROWS_PER_FILE)
    cluster.start_coordinator()
    cluster.start_worker()
    victim = cluster.start_worker(failpoints=failpoints)
    client = connect(cluster)
    client.execute(
        f"""SET epoch_interval = '100 ms'; SET checkpoint_interval = '400 ms'; SET parallelism = 2;
            CREATE TABLE events (id bigint, k integer, ts timestamp)
            WITH (connector = 'file', path = '{tmp_path}/events/*.csv', rows_per_second = '{RATE}');
            CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n, sum(id) AS s FROM events GROUP BY k"""
    )
    return client, victim


def restarts(client):
    return rows_of(client.execute("SELECT attempt FROM millrace.jobs WHERE name = 'totals'"))[0][0]


@pytest.mark.parametrize("epochs", ["durable", "published"])
@pytest.mark.parametrize("kill_after_rows", [1, 200])
def test_a_lost_worker_in_between(cluster, connect, tmp_path, epochs, kill_after_rows):
    client, victim = prepare(cluster, connect, tmp_path)
    reader = Subscription(cluster.address, f"SUBSCRIBE TO totals WITH (snapshot = true, epochs = '{epochs}')")
    wait_until(lambda: len(reader.rows) >= kill_after_rows, "rows before the loss")
    victim.kill()
    wait_until(lambda: restarts(client) >= 2, "another attempt")
    cluster.start_worker()
    wait_until(reader.ended, "the end of the job", 240)
    assert (reader.error, reader.tag) == (None, "SUBSCRIBE")
    rows = eventually_readable(client, "SELECT k, n, s FROM totals")
    assert sum(row[1] for row in rows) == NUM_FILES * ROWS_PER_FILE
    assert total_of(reader.rows) == Counter(dict.fromkeys(rows, 1))
    if epochs == "durable":
        assert all(row[1] != 0 for row in reader.rows), "nothing is taken back"
        assert [row[0] for row in reader.rows] == sorted(row[0] for row in reader.rows)


def test_a_worker_lost_between_checkpoint_and_reading(cluster, connect, tmp_path):
    """The checkpoint waits for its readers: what it holds is never known to the lost worker alone."""
    client, victim = prepare(cluster, connect, tmp_path)
    readers = [Subscription(cluster.address, "SUBSCRIBE TO totals WITH (snapshot = true)") for _ in range(4)]
    wait_until(lambda: all(len(reader.rows) >= 100 for reader in readers), "rows before the loss")
    [(durable,)] = rows_of(client.execute("SELECT durable_epoch FROM millrace.jobs WHERE name = 'totals'"))
    newer = f"SELECT count(*) FROM millrace.jobs WHERE name = 'totals' AND durable_epoch > {durable}"
    # At the first moment at which the newer checkpoint counts.
    wait_until(lambda: rows_of(client.execute(newer)) == [(1,)], "the next checkpoint")
    victim.kill()
    cluster.start_worker()
    wait_until(lambda: all(reader.ended() for reader in readers), "the end of the job", 240)
    rows = eventually_readable(client, "SELECT k, n, s FROM totals")
    for reader in readers:
        assert (reader.error, reader.tag) == (None, "SUBSCRIBE")
        assert total_of(reader.rows) == Counter(dict.fromkeys(rows, 1))
