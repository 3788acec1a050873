"""What a streaming job has stored is the same to the row, whichever process dies or stands still."""

import json
import signal
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from fused_job import NUM_ROWS, FusedJob, definition
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

RECOVERY_S = 10.0


@pytest.fixture
def job(tmp_path, request):
    """Its input takes some ten seconds, or as many rows a second as the test asks for."""
    running = FusedJob(tmp_path / "job", rate=getattr(request, "param", 900))
    yield running
    running.stop()


def start(job, num_workers=3):
    for _ in range(num_workers):
        job.cluster.start_worker(slots=1)
    job.submit()
    job.wait_for_checkpoint()


def streams_attempt(job):
    """(attempt, newest published epoch) of the stream; a query might wait for the very worker that is missing."""
    status = json.loads(job.millrace("job", "get", "totals", "--json"))
    return status["attempt"], int(status["published_epoch"])


def time_to_go_on(job, break_it):
    """Seconds from the fault until another attempt has published an epoch."""
    attempt, epoch = streams_attempt(job)
    begin = time.monotonic()
    break_it()

    def goes_on():
        now = streams_attempt(job)
        return now[0] > attempt and now[1] > epoch

    wait_until(goes_on, job.status)
    return time.monotonic() - begin


def test_a_job_goes_on_within_ten_seconds_after_the_kill_of_a_worker(job):
    start(job)
    seconds = time_to_go_on(job, job.cluster.workers.pop().kill)
    print(f"went on after {seconds:.2f} s")
    assert seconds < RECOVERY_S
    assert job.rows("SELECT count(*) FROM totals")[0][0] > 0
    status = job.status()
    job.wait_for_end()
    job.check()
    assert status["state"] == "JOB_STATE_RUNNING"


def test_a_job_goes_on_without_a_worker_that_stands_still(job):
    start(job)
    frozen = job.cluster.workers[-1].popen
    try:
        seconds = time_to_go_on(job, lambda: frozen.send_signal(signal.SIGSTOP))
        print(f"went on after {seconds:.2f} s")
        assert seconds < RECOVERY_S
    finally:
        frozen.send_signal(signal.SIGCONT)
    # It wakes up and believes that it still has tasks; it joins again as another worker.
    job.wait_for_end()
    job.check()
    states = job.rows("SELECT state FROM millrace.workers")
    assert ("lost",) in states and states.count(("active",)) == 3


def test_a_job_goes_on_after_the_kill_of_the_coordinator(job):
    start(job)
    attempt, _ = streams_attempt(job)
    job.cluster.coordinator.kill()
    job.start_coordinator()
    wait_until(lambda: streams_attempt(job)[0] > attempt, job.status)
    job.wait_for_end()
    job.check()


def test_a_job_goes_on_after_the_kill_of_all_processes(job):
    start(job)
    attempt, _ = streams_attempt(job)
    for worker in job.cluster.workers:
        worker.popen.kill()
    job.cluster.coordinator.kill()
    for worker in job.cluster.workers:
        worker.kill()
    job.cluster.workers.clear()
    job.start_coordinator()
    for _ in range(2):
        job.cluster.start_worker(slots=1)
    wait_until(lambda: streams_attempt(job)[0] > attempt, job.status)
    job.wait_for_end()
    job.check()
    assert job.rows("SELECT name FROM millrace.jobs WHERE name = 'fused'") == [("fused",)]


def test_without_workers_a_job_waits(job):
    start(job, num_workers=1)
    job.cluster.workers.pop().kill()
    wait_until(lambda: "lost" in job.millrace("worker", "list"), "the loss to be known")
    assert job.status()["state"] == "JOB_STATE_RUNNING"
    job.cluster.start_worker(slots=1)
    job.wait_for_end()
    job.check()


@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 1)])
def test_a_restarted_job_uses_the_slots_that_are_there(job, before, after):
    start(job, before)
    job.millrace("job", "stop", "fused")
    assert job.status()["state"] == "JOB_STATE_STOPPED"
    while len(job.cluster.workers) > after:
        job.cluster.workers.pop().stop()
    while len(job.cluster.workers) < after:
        job.cluster.start_worker(slots=1)
    wait_until(
        lambda: len(job.rows("SELECT 1 FROM millrace.workers WHERE state = 'active'")) == after, "workers to be there"
    )
    job.millrace("job", "restart", "fused")
    fragments = wait_until(
        lambda: {int(fragment["parallelism"]) for fragment in job.status()["fragments"]}, "fragments of the job"
    )
    assert max(fragments) == after
    job.wait_for_end()
    job.check()


@pytest.mark.parametrize("job", [300], indirect=True)
def test_stopping_and_restarting_again_and_again_changes_nothing(job):
    start(job, 2)
    for _ in range(3):
        newest = job.wait_for_checkpoint()
        job.millrace("job", "stop", "fused")
        stopped = job.checkpoints()[0]
        assert stopped["final"] and int(stopped["epoch"]) >= newest
        # A stopped job shows its views, reads nothing, and loses nothing to a restart of the processes.
        before = job.rows("SELECT * FROM totals ORDER BY k")
        job.cluster.coordinator.kill()
        job.start_coordinator()
        assert job.rows("SELECT * FROM totals ORDER BY k") == before
        assert job.checkpoints()[0] == stopped
        files = job.files()
        job.millrace("job", "restart", "fused")
        assert set(files) <= set(job.files())
        job.wait_for_checkpoint(int(stopped["epoch"]))
    job.wait_for_end()
    job.check()


def test_a_running_job_is_restarted_from_a_checkpoint_of_now(job):
    start(job, 2)
    newest = int(job.checkpoints()[0]["epoch"])
    job.millrace("job", "restart", "fused", "--request-id", "r1")
    assert job.status()["state"] == "JOB_STATE_RUNNING"
    assert int(job.checkpoints()[0]["epoch"]) > newest
    attempt = job.status()["attempt"]
    job.millrace("job", "restart", "fused", "--request-id", "r1")
    assert job.status()["attempt"] == attempt
    job.wait_for_end()
    job.check()


@pytest.mark.parametrize("job", [300], indirect=True)
def test_going_back_to_an_older_checkpoint_writes_no_row_twice(job):
    start(job, 2)
    wait_until(lambda: len(job.checkpoints()) == 3 and job.files(), job.status)
    first = int(job.checkpoints()[-1]["epoch"])
    job.millrace("job", "stop", "fused")
    kept = [int(checkpoint["epoch"]) for checkpoint in job.checkpoints()]
    assert first not in kept, "it takes a while to read a minute"
    refused = job.millrace("job", "restart", "fused", "--checkpoint", str(first), code=4)
    assert refused == ""
    job.millrace("job", "restart", "fused", "--checkpoint", str(kept[-1]))
    job.wait_for_checkpoint(kept[0])
    assert kept[0] not in [int(checkpoint["epoch"]) for checkpoint in job.checkpoints()]
    job.wait_for_end()
    job.check()


@pytest.mark.parametrize("job", [300], indirect=True)
def test_going_back_waits_for_a_sink_whose_folder_is_away(job):
    start(job, 2)
    wait_until(lambda: len(job.checkpoints()) == 3 and job.files(), job.status)
    job.millrace("job", "stop", "fused")
    kept = [int(checkpoint["epoch"]) for checkpoint in job.checkpoints()]
    assert [path for path in job.files() if int(path.stem.split("-")[-2]) > kept[-1]], "nothing would be withdrawn"
    # Its file system is not mounted: an empty folder is in its place.
    away = job.out.rename(job.out.with_name("away"))
    job.out.mkdir()
    job.millrace("job", "restart", "fused", "--checkpoint", str(kept[-1]))
    wait_until(lambda: "not the one that was written to" in json.dumps(job.status()), job.status)
    assert list(job.out.iterdir()) == []
    job.out.rmdir()
    away.rename(job.out)

    def goes_on():
        # It tries again some times only.
        if job.status()["state"] == "JOB_STATE_FAILED":
            job.millrace("job", "restart", "fused")
        return kept[0] not in [int(checkpoint["epoch"]) for checkpoint in job.checkpoints()]

    wait_until(goes_on, job.status)
    job.wait_for_end()
    job.check()


def test_a_running_job_goes_back_to_the_oldest_checkpoint_that_is_kept(job):
    job.cluster.start_worker()
    submit(job, "SET checkpoint_interval = '1 hour';" + job.script.read_text())
    wait_until(lambda: len(step_states(job)) > 6 and "STEP_STATE_WAITING" not in step_states(job), job.status)
    for _ in range(3):
        job.millrace("checkpoint", "create", "fused")
    epochs = [int(checkpoint["epoch"]) for checkpoint in job.checkpoints()]
    assert len(epochs) == 3
    job.millrace("job", "restart", "fused", "--checkpoint", str(epochs[-1]))
    wait_until(lambda: [int(checkpoint["epoch"]) for checkpoint in job.checkpoints()] == epochs[-1:], job.checkpoints)
    assert job.status()["state"] == "JOB_STATE_RUNNING"
    job.wait_for_end()
    job.check()


@pytest.mark.parametrize("name", ["fused", "totals"])
def test_going_back_that_is_refused_lets_the_job_run(job, name):
    start(job, 2)
    attempt, _ = streams_attempt(job)
    job.millrace("job", "restart", name, "--checkpoint", "999999999", code=4)
    job.wait_for_checkpoint(int(job.checkpoints()[0]["epoch"]))
    assert job.status()["state"] == "JOB_STATE_RUNNING"
    assert streams_attempt(job)[0] == attempt
    job.wait_for_end()
    job.check()


def submit(job, text):
    path = job.script.with_name("steps.sql")
    path.write_text(text)
    job.millrace("job", "submit", str(path), "--name", "fused")


def step_states(job):
    return [step["state"] for step in job.status().get("steps", [])]


WAIT = "CALL millrace.wait_for('sums', 'complete', 'true', '3 minutes')"


def submit_waiting(job):
    """A script that stores what its view holds at the end of the input; returns while it waits for that."""
    job.cluster.start_worker()
    submit(
        job,
        definition(job.events, rate=900)
        + f"""CREATE MATERIALIZED VIEW sums AS SELECT k, count(*) AS n FROM events GROUP BY k; {WAIT};
              CREATE TABLE stored AS SELECT CAST(sum(n) AS bigint) AS n FROM sums;""",
    )
    wait_until(lambda: step_states(job)[2:3] == ["STEP_STATE_RUNNING"], job.status)
    wait_until(lambda: job.rows("SELECT count(*) FROM sums") != [(0,)], "rows of the view")


def wait_as_client(job):
    """What the view holds when the wait is over, or the error of the wait."""
    client = SqlClient(job.cluster.address)
    try:
        client.execute(WAIT)
        return rows_of(client.execute("SELECT CAST(sum(n) AS bigint) FROM sums"))
    except StatementFailed as error:
        return error
    finally:
        client.close()


def assert_stopped(error):
    assert isinstance(error, StatementFailed), error
    assert (error.sqlstate, "the job of sums was stopped" in str(error)) == ("55000", True)
    assert "restart" in error.hint


@pytest.mark.parametrize("name", ["fused", "sums"])
def test_nobody_takes_a_restart_for_the_end_of_the_input(job, name):
    submit_waiting(job)
    with ThreadPoolExecutor() as pool:
        client = pool.submit(wait_as_client, job)
        for _ in range(2):
            job.millrace("job", "restart", name)
        assert client.result() == [(NUM_ROWS,)]
    job.wait_for_end()
    assert job.rows("SELECT n FROM stored") == [(NUM_ROWS,)]


@pytest.mark.parametrize("name", ["fused", "sums"])
def test_nobody_takes_a_stop_for_the_end_of_the_input(job, name):
    submit_waiting(job)
    with ThreadPoolExecutor() as pool:
        client = pool.submit(wait_as_client, job)
        job.millrace("job", "stop", name)
        assert_stopped(client.result())
    job.cluster.coordinator.kill()
    job.start_coordinator()
    assert_stopped(wait_as_client(job))
    assert step_states(job)[3] != "STEP_STATE_FINISHED"
    job.millrace("job", "restart", name)
    assert wait_as_client(job) == [(NUM_ROWS,)]
    job.wait_for_end()
    assert job.rows("SELECT n FROM stored") == [(NUM_ROWS,)]


def test_a_script_half_done_resumes_at_its_first_step_that_is_not_committed(job):
    job.cluster.start_worker()
    submit(
        job,
        definition(job.events, rate=2000)
        + """CREATE TABLE one (n integer); INSERT INTO one VALUES (1);
             -- A second or more: every row is compared with every other one.
             CREATE TABLE slow AS SELECT id FROM events WHERE
                 (SELECT count(*) FROM events a CROSS JOIN events b WHERE a.id * b.id = -5) = 0;
             CREATE TABLE three AS SELECT count(*) AS n FROM slow;""",
    )
    wait_until(lambda: step_states(job)[3:4] == ["STEP_STATE_RUNNING"], job.status)
    job.cluster.coordinator.kill()
    job.start_coordinator()
    job.wait_for_end()
    assert job.rows("SELECT * FROM one") == [(1,)]
    assert job.rows("SELECT * FROM three") == [(NUM_ROWS,)]
    assert job.status()["attempt"] == 2


def test_a_failed_script_is_restarted_at_the_step_that_has_failed(job):
    job.cluster.start_worker()
    missing = job.events.with_name("missing.csv")
    submit(
        job,
        f"""CREATE TABLE one (n integer); INSERT INTO one VALUES (1);
            CREATE TABLE two AS SELECT * FROM '{missing}';
            CREATE TABLE three AS SELECT count(*) AS n FROM two;""",
    )
    wait_until(lambda: job.status()["state"] == "JOB_STATE_FAILED", job.status)
    assert job.rows("SELECT * FROM one") == [(1,)]
    missing.write_text("a\n1\n2\n")
    job.millrace("job", "restart", "fused")
    job.wait_for_end()
    assert job.rows("SELECT * FROM one") == [(1,)]
    assert job.rows("SELECT * FROM three") == [(2,)]
    assert all(state == "STEP_STATE_FINISHED" for state in step_states(job))
    job.millrace("job", "restart", "fused", code=5)


def test_a_job_that_cannot_be_taken_up_is_seen_as_failed_and_can_be_repaired(job):
    start(job, 1)
    job.cluster.coordinator.kill()
    file = next((job.cluster.folder / "data" / "jobs").glob("job-*.pb"))
    content = file.read_bytes()
    file.write_bytes(b"damaged" + content)
    job.start_coordinator()
    state, error = job.rows("SELECT state, error FROM millrace.jobs WHERE name = 'totals'")[0]
    assert state == "failed" and "job file is damaged" in error
    wait_until(lambda: job.status()["state"] == "JOB_STATE_FAILED", job.status)
    file.write_bytes(content)
    job.millrace("job", "restart", "fused")
    job.wait_for_end()
    job.check()
