"""A row that ends every process that works on it ends the job, with its name; not in an endless loop."""

import re

import pytest
from conftest import write_events
from support.job_client import job_call, state_name
from support.sql_client import rows_of
from support.waiting import wait_until

# It dies whenever it completes a file of the sink: at the same place of the input each time.
CRASH_IN_SINK = "file_sink.before_sync=abort"
# It dies whenever it has read this row of a file.
ROW = 2345
CRASH_AT_ROW = f"scan.row={ROW}*abort"


def job(cluster, name="insert_into_copies"):
    """State, attempt and error; by JobService, because a query would want a worker that lives."""
    answer = job_call(cluster.address, "Get", job=name)
    if answer is None:
        return "", 0, ""
    return state_name(answer.status), answer.status.attempt, answer.status.error.message


def start(cluster, connect, tmp_path, num_workers, failpoints):
    """A streaming job over events-0.csv and events-1.csv, which runs before the place is read."""
    cluster.start_coordinator()
    for _ in range(num_workers):
        cluster.start_worker(failpoints=failpoints)
    start_job(cluster, connect, tmp_path)


def start_job(cluster, connect, tmp_path):
    (tmp_path / "out").mkdir()
    client = connect(cluster)
    client.execute("SET epoch_interval = '100 ms'; SET checkpoint_interval = '300 ms'")
    client.execute(
        f"""CREATE TABLE events (id bigint, k integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
            WITH (connector = 'file', path = '{tmp_path / "events"}/*.csv', rows_per_second = '1000')"""
    )
    client.execute(
        f"""CREATE TABLE copies (id bigint, k integer)
            WITH (connector = 'file', path = '{tmp_path / "out"}/', format = 'csv', header = 'true')"""
    )
    client.execute(
        """INSERT INTO copies SELECT max(id) AS id, k FROM tumble(events, ts, INTERVAL '1 minute')
           GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE"""
    )


def error_of_failed_job(cluster, failpoints):
    """Starts processes again, as a supervisor does, until the job has failed."""

    def failed():
        for worker in list(cluster.workers):
            if worker.popen.poll() is not None:
                cluster.workers.remove(worker)
                cluster.start_worker(failpoints=failpoints)
        return job(cluster)[0] == "FAILED"

    wait_until(failed, lambda: job(cluster), deadline_s=240)
    _, attempts, error = job(cluster)
    assert attempts < 40
    assert "times in a row while they ran task" in error
    return error


@pytest.mark.parametrize("num_workers", [1, 2])
def test_the_row_that_closes_a_window_is_named_if_its_file_ends_every_process(cluster, connect, tmp_path, num_workers):
    write_events(tmp_path / "events", 2, 3000)
    start(cluster, connect, tmp_path, num_workers, CRASH_IN_SINK)
    error = error_of_failed_job(cluster, CRASH_IN_SINK)
    # The first one 65 seconds after midnight, of ten in a second.
    assert re.search(r'read row 651 of file "[^"]*/events-[01]\.csv"', error), error


@pytest.mark.parametrize("num_workers", [1, 2])
def test_a_row_that_ends_every_process_fails_the_job_with_its_name(cluster, connect, tmp_path, num_workers):
    write_events(tmp_path / "events", 2, 3000)
    # Only one of the files has the row.
    short, long = (tmp_path / "events" / f"events-{index}.csv" for index in range(2))
    lines = short.read_text().splitlines(keepends=True)
    short.write_text("".join(lines[:1001]))
    start(cluster, connect, tmp_path, num_workers, CRASH_AT_ROW)
    error = error_of_failed_job(cluster, CRASH_AT_ROW)
    begin = len("".join(long.read_text().splitlines(keepends=True)[:ROW]))
    assert f'read row {ROW} of file "{long}", which begins at byte {begin}' in error


# At the lower one most of their attempts end before they have read a row.
@pytest.mark.parametrize("rate", ["500", "0.04"])
def test_jobs_that_share_workers_with_one_that_ends_them_do_not_fail(cluster, connect, tmp_path, rate):
    write_events(tmp_path / "events", 2, 3000)
    write_events(tmp_path / "others", 2, 100_000)
    cluster.start_coordinator()
    cluster.start_worker(failpoints=CRASH_IN_SINK)
    client = connect(cluster)
    client.execute(
        f"""CREATE TABLE others (id bigint, k integer, ts text)
            WITH (connector = 'file', path = '{tmp_path / "others"}/*.csv', rows_per_second = '{rate}');
            SET epoch_interval = '100 ms'; SET checkpoint_interval = '2 s';
            CREATE MATERIALIZED VIEW steady AS SELECT k, count(*) AS n FROM others GROUP BY k;
            CREATE MATERIALIZED VIEW also_steady AS SELECT count(*) AS n FROM others"""
    )
    start_job(cluster, connect, tmp_path)
    error_of_failed_job(cluster, CRASH_IN_SINK)
    # The last one may have died when the job had failed already.
    cluster.start_worker()
    for name in ("steady", "also_steady"):
        state, attempts, error = job(cluster, name)
        # They were lost with it, until it was tried alone.
        assert (state, attempts > 1) == ("RUNNING", True), error
    wait_until(lambda: rows_of(connect(cluster).execute("SELECT n > 0 FROM also_steady")) == [(True,)], "it is read")
