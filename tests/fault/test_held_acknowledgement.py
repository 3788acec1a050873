"""I1: an epoch is published only after every task of the job has acknowledged it."""

from conftest import eventually_readable, write_events
from support.sql_client import rows_of
from support.waiting import wait_until

ROWS_PER_FILE = 6000
SLOW = 2000


def define(client, folder, rate):
    client.execute(
        f"""CREATE TABLE events (id bigint, k integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
            WITH (connector = 'file', path = '{folder}/*.csv', rows_per_second = '{rate}')"""
    )


def job(client, view):
    """(id, published epoch, state)"""
    rows = rows_of(client.execute(f"SELECT id, published_epoch, state FROM millrace.jobs WHERE name = '{view}'"))
    assert len(rows) == 1, rows
    return rows[0]


def progress(client, job_id):
    """(largest epoch that a task has passed, rows that the tasks have read)"""
    return rows_of(
        client.execute(f"SELECT max(epoch), CAST(sum(rows_in) AS bigint) FROM millrace.tasks WHERE job_id = {job_id}")
    )[0]


def covered_rows(client, job_id, epoch):
    return rows_of(
        client.execute(
            f"""SELECT CAST(sum(rows) AS bigint) FROM millrace.positions
                WHERE job_id = {job_id} AND epoch = {epoch}"""
        )
    )[0][0]


def test_one_held_acknowledgement_publishes_nothing(cluster, connect, tmp_path):
    num_rows = write_events(tmp_path / "events", 4, ROWS_PER_FILE)
    cluster.start_coordinator()
    cluster.start_worker()
    # The ninth acknowledgement of this worker is not sent: one task's, of one epoch.
    held = cluster.start_worker(failpoints="epoch.hold_ack=9*hold")
    client = connect(cluster)
    client.execute("SET epoch_interval = '100 ms'; SET parallelism = 2")
    define(client, tmp_path / "events", SLOW)
    client.execute("CREATE MATERIALIZED VIEW totals AS SELECT k, count(*) AS n FROM events GROUP BY k")
    job_id, _, _ = job(client, "totals")

    # The tasks have passed a later epoch than the published one, and both stand: no more than two are in flight.
    wait_until(lambda: progress(client, job_id)[0] >= job(client, "totals")[1] + 2, "two epochs in flight")
    published = job(client, "totals")[1]
    assert published > 0
    covered = covered_rows(client, job_id, published)
    assert 0 < covered < num_rows

    # Much more is read, and a flush is asked for: still nothing is published, and readers see the old epoch.
    wait_until(lambda: progress(client, job_id)[1] > 2 * covered + SLOW, "sources go on reading")
    assert job(client, "totals")[1:] == (published, "running")
    assert rows_of(client.execute("SELECT CAST(sum(n) AS bigint) FROM totals")) == [(covered,)]
    waiting = rows_of(client.execute(f"SELECT max(epoch) FROM millrace.epochs WHERE job_id = {job_id}"))
    assert waiting == [(published,)]

    # Another job on the same workers publishes: only the job of the missing acknowledgement stands.
    client.execute("CREATE MATERIALIZED VIEW lines AS SELECT id FROM events")
    other = job(client, "lines")[1]
    wait_until(lambda: job(client, "lines")[1] > other, "the other job's next epoch")
    assert job(client, "totals")[1] == published

    # Without the worker the job starts again, and ends with what a run without faults gives.
    held.kill()
    cluster.start_worker()
    wait_until(lambda: job(client, "totals")[2] == "finished", "the end of the restarted job")
    expected = [(key, num_rows // 50) for key in range(50)]
    assert eventually_readable(client, "SELECT k, n FROM totals ORDER BY k") == expected
