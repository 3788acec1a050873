"""A place of the input that ends every process that works on it ends the job, with its name; not in an endless loop."""

import pytest
from conftest import write_events
from support.job_client import job_call, state_name
from support.waiting import wait_until

# It dies whenever it completes a file of the sink: at the same place of the input each time.
CRASH = "file_sink.before_sync=abort"


def job(cluster):
    """State, attempt and error; by JobService, because a query would want a worker that lives."""
    answer = job_call(cluster.address, "Get", job="insert_into_copies")
    if answer is None:
        return "", 0, ""
    return state_name(answer.status), answer.status.attempt, answer.status.error.message


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_place_that_ends_every_process_fails_the_job(cluster, connect, tmp_path, num_workers):
    write_events(tmp_path / "events", 2, 3000)
    (tmp_path / "out").mkdir()
    cluster.start_coordinator()
    for _ in range(num_workers):
        cluster.start_worker(failpoints=CRASH)
    client = connect(cluster)
    client.execute("SET epoch_interval = '100 ms'; SET checkpoint_interval = '300 ms'")
    client.execute(
        f"""CREATE TABLE events (id bigint, k integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
            WITH (connector = 'file', path = '{tmp_path / "events"}/*.csv', rows_per_second = '2000')"""
    )
    client.execute(
        f"""CREATE TABLE copies (id bigint, k integer)
            WITH (connector = 'file', path = '{tmp_path / "out"}/', format = 'csv', header = 'true')"""
    )
    client.execute(
        """INSERT INTO copies SELECT max(id) AS id, k FROM tumble(events, ts, INTERVAL '1 minute')
           GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE"""
    )

    def failed():
        # Somebody starts the processes again, as a supervisor does.
        for worker in list(cluster.workers):
            if worker.popen.poll() is not None:
                cluster.workers.remove(worker)
                cluster.start_worker(failpoints=CRASH)
        return job(cluster)[0] == "FAILED"

    wait_until(failed, lambda: job(cluster), deadline_s=240)
    _, attempts, error = job(cluster)
    assert attempts < 40
    assert "times in a row while they ran task" in error
    assert "events-0.csv from offset" in error
