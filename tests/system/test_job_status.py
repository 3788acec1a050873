"""What `job get`, JobService and the system views say of jobs: right values for running, ended and failed ones."""

import datetime
import json
import re
import subprocess

import grpc
import pytest
from conftest import BUILD
from support.sql_client import StatementFailed, message_class, rows_of
from support.waiting import wait_until

DEADLINE_S = 60
NUM_FILES = 6
ROWS_PER_FILE = 4000
NUM_ROWS = NUM_FILES * ROWS_PER_FILE
NUM_KEYS = 40
START = datetime.datetime(2024, 1, 1)
LAST_TIME = START + datetime.timedelta(seconds=ROWS_PER_FILE - 1)
WATERMARK = LAST_TIME - datetime.timedelta(seconds=30)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Every file covers the same time, a row each second."""
    folder = tmp_path_factory.mktemp("watched")
    for index in range(NUM_FILES):
        lines = [
            f"{index * ROWS_PER_FILE + row},{row % NUM_KEYS},{START + datetime.timedelta(seconds=row)}"
            for row in range(ROWS_PER_FILE)
        ]
        (folder / f"part-{index}.csv").write_text("id,k,ts\n" + "\n".join(lines) + "\n")
    return folder


def definition(folder, options=""):
    return (
        "CREATE TABLE events (id bigint, k integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '30 seconds') "
        f"WITH (connector = 'file', path = '{folder}/*.csv'{options})"
    )


def millrace(cluster, *arguments, code=0):
    done = subprocess.run(
        [BUILD / "bin" / "millrace", "job", *arguments, "--server", cluster.address],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def status_of(cluster, job):
    """As the command line prints it for programs; numbers of 64 bits are text there."""
    return json.loads(millrace(cluster, "get", job, "--json"))


def status_over_grpc(cluster, job):
    with grpc.insecure_channel(cluster.address) as channel:
        get = channel.unary_unary(
            "/millrace.v1.JobService/Get",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_class("millrace.v1.GetJobResponse").FromString,
        )
        return get(message_class("millrace.v1.GetJobRequest")(job=job), timeout=DEADLINE_S).status


def submit(cluster, tmp_path, name, text):
    path = tmp_path / f"{name}.sql"
    path.write_text(text)
    return millrace(cluster, "submit", str(path), "--name", name).strip()


def tasks_with(status, operator):
    return [task for task in status["tasks"] if any(op["name"] == operator for op in task["operators"])]


def counted(tasks, operator, counter):
    return sum(int(op[counter]) for task in tasks for op in task["operators"] if op["name"] == operator)


@pytest.fixture
def running(client, cluster, files, tmp_path):
    """A script with two views over one followed source: it has read everything, and goes on."""
    script = (
        "SET epoch_interval = '100 ms'; "
        f"{definition(files, options=', follow = true')}; "
        "CREATE MATERIALIZED VIEW per_key AS SELECT k, count(*) AS n FROM events GROUP BY k; "
        "CREATE MATERIALIZED VIEW few AS SELECT id FROM events WHERE k < 4;"
    )
    job = submit(cluster, tmp_path, "watched", script)

    def settled():
        status = status_of(cluster, job)
        steps = status["steps"]
        if len(steps) < 4 or steps[2]["rows_in"] != str(NUM_ROWS) or not steps[2]["has_watermark"]:
            return False
        return counted(status["tasks"], "ViewSink", "state_rows") == NUM_KEYS + NUM_ROWS // 10

    wait_until(settled, lambda: status_of(cluster, job))
    yield job
    millrace(cluster, "cancel", job)
    client.execute("DROP TABLE events CASCADE")


def test_a_running_stream_shows_what_its_steps_and_tasks_have_done(cluster, running):
    status = status_of(cluster, running)
    assert status["state"] == "JOB_STATE_RUNNING"
    steps = status["steps"]
    assert [step["state"] for step in steps] == ["STEP_STATE_FINISHED"] * 2 + ["STEP_STATE_RUNNING"] * 2
    per_key, few = steps[2:]
    assert (per_key["rows_in"], per_key["rows"]) == (str(NUM_ROWS), str(NUM_KEYS))
    assert (few["rows_in"], few["rows"]) == (str(NUM_ROWS), str(NUM_ROWS // 10))
    micros = (WATERMARK - datetime.datetime(1970, 1, 1)) // datetime.timedelta(microseconds=1)
    for step in (per_key, few):
        assert (step["has_watermark"], step["watermark_micros"]) == (True, str(micros))
        assert step["worker_ids"] == [1, 2]
        assert int(step["epoch"]) > 0
        assert (step["late_rows"], step["bad_rows"]) == ("0", "0")
    scans = tasks_with(status, "Scan")
    # One scan for both views, and every task of it has read something.
    assert sum(int(task["rows_in"]) for task in scans) == NUM_ROWS
    assert {task["worker_id"] for task in status["tasks"]} == {1, 2}
    for task in status["tasks"]:
        assert task["state"] == "TASK_STATE_RUNNING"
        assert int(task["epoch"]) > 0
        # A task without a file of its own holds nobody up: its time is at the end.
        assert task["watermark_micros"] in (str(micros), str(2**63 - 1))
        assert task.get("error") is None
    sinks = tasks_with(status, "ViewSink")
    assert {task["watermark_micros"] for task in sinks} == {str(micros)}
    assert counted(sinks, "ViewSink", "state_rows") == NUM_KEYS + NUM_ROWS // 10
    assert {task["step"] for task in sinks} == {2, 3}


def test_the_text_is_readable(cluster, running):
    text = millrace(cluster, "get", running)
    assert re.search(rf"^job {running} \(watched\)  running$", text, re.M)
    lines = text.splitlines()
    header = next(line for line in lines if line.startswith("step"))
    for word in ("state", "workers", "rows in", "rows", "watermark", "epoch", "statement"):
        assert word in header
    step = next(line for line in lines if re.match(r"\s*\d", line) and "per_key" in line)
    assert re.search(rf"\s1,2\s+{NUM_ROWS}\s+\d+\s+{NUM_KEYS}\s+0\s+0\s+{WATERMARK}\s+\d+\s", step), step
    tasks = [line for line in lines if re.match(r"\d+/\d+\.\d+ ", line)]
    assert len(tasks) == len(status_of(cluster, running)["tasks"])
    assert all(str(WATERMARK) in line or " end " in line for line in tasks)
    assert all(str(WATERMARK) in line for line in tasks if "ViewSink" in line)


def test_the_system_views_say_the_same(client, cluster, running):
    steps = rows_of(
        client.execute(
            f"""SELECT step, state, rows_in, rows, workers, watermark, error FROM millrace.steps
                WHERE job_id = {running} AND step >= 2 ORDER BY step"""
        )
    )
    assert steps == [
        (2, "running", NUM_ROWS, NUM_KEYS, "1, 2", WATERMARK, None),
        (3, "running", NUM_ROWS, NUM_ROWS // 10, "1, 2", WATERMARK, None),
    ]
    stream = rows_of(client.execute(f"SELECT max(job_id) FROM millrace.tasks WHERE watermark = '{WATERMARK}'"))[0][0]
    operators = dict(
        rows_of(
            client.execute(
                f"""SELECT operator, CAST(sum(rows_in) AS bigint) FROM millrace.operators
                    WHERE job_id = {stream} GROUP BY operator"""
            )
        )
    )
    assert operators["Scan"] == NUM_ROWS
    tasks = rows_of(
        client.execute(
            f"""SELECT state, min(epoch) > 0, count(error) AS errors, count(DISTINCT worker_id) AS workers
                FROM millrace.tasks WHERE job_id = {stream} GROUP BY state"""
        )
    )
    assert tasks == [("running", True, 0, 2)]
    jobs = rows_of(client.execute(f"SELECT state, published_epoch > 0, error FROM millrace.jobs WHERE id = {running}"))
    assert jobs == [("running", True, None)]


def test_a_view_may_read_a_system_view_but_nothing_follows_one(client, running):
    client.execute("CREATE VIEW running_jobs AS SELECT id FROM millrace.jobs WHERE state = 'running'")
    assert (int(running),) in rows_of(client.execute("SELECT id FROM running_jobs"))
    with pytest.raises(StatementFailed, match="following a system view is not supported") as refused:
        client.execute("CREATE MATERIALIZED VIEW followed AS SELECT id FROM running_jobs")
    assert refused.value.sqlstate == "0A000"
    client.execute("DROP VIEW running_jobs")


def test_grpc_clients_get_the_same(cluster, running):
    over_grpc = status_over_grpc(cluster, running)
    printed = status_of(cluster, running)
    assert [(str(step.rows_in), str(step.rows), step.title) for step in over_grpc.steps] == [
        (step["rows_in"], step["rows"], step["title"]) for step in printed["steps"]
    ]
    assert len(over_grpc.tasks) == len(printed["tasks"])
    assert {task.worker_id for task in over_grpc.tasks} == {1, 2}


def test_an_ended_script_keeps_the_counters_of_its_steps(client, cluster, files, tmp_path):
    script = (
        f"{definition(files)}; CREATE TABLE daily AS SELECT k, count(*) AS n FROM events GROUP BY k; "
        "CREATE TABLE chosen AS SELECT id FROM events WHERE k = 7;"
    )
    try:
        job = submit(cluster, tmp_path, "ended", script)
        wait_until(lambda: status_of(cluster, job)["state"] == "JOB_STATE_FINISHED", lambda: status_of(cluster, job))
        status = status_of(cluster, job)
        steps = status["steps"]
        assert [(step["rows_in"], step["rows"]) for step in steps] == [
            ("0", "0"),
            (str(NUM_ROWS), str(NUM_KEYS)),
            (str(NUM_ROWS), str(NUM_ROWS // NUM_KEYS)),
        ]
        assert steps[1]["worker_ids"] == [1, 2]
        assert {task["state"] for task in status["tasks"]} == {"TASK_STATE_FINISHED"}
        assert {task["step"] for task in status["tasks"]} == {1, 2}
        for index in (1, 2):
            scans = [task for task in tasks_with(status, "Scan") if task["step"] == index]
            assert sum(int(task["rows_in"]) for task in scans) == NUM_ROWS
    finally:
        client.execute("DROP TABLE IF EXISTS daily; DROP TABLE IF EXISTS chosen; DROP TABLE IF EXISTS events")


def test_a_failed_step_names_its_place(client, cluster, tmp_path):
    (tmp_path / "broken.csv").write_text("id,k\n1,1\n2,two\n3,3\n")
    script = (
        f"CREATE TABLE broken (id bigint, k integer) WITH (connector = 'file', path = '{tmp_path}/broken.csv'); "
        "CREATE TABLE copied AS SELECT k, count(*) AS n FROM broken GROUP BY k;"
    )
    try:
        job = submit(cluster, tmp_path, "broken", script)
        wait_until(lambda: status_of(cluster, job)["state"] == "JOB_STATE_FAILED", lambda: status_of(cluster, job))
        status = status_of(cluster, job)
        assert [step["state"] for step in status["steps"]] == ["STEP_STATE_FINISHED", "STEP_STATE_FAILED"]
        failed = [task for task in status["tasks"] if task["state"] == "TASK_STATE_FAILED"]
        assert len(failed) == 1
        for error in (failed[0]["error"], status["steps"][1]["error"], status["error"]):
            assert "broken.csv" in error["message"], error
            assert re.search(r"line 3\b|:3\b", error["message"]), error
            assert error["detail"]["sqlstate"] == "22P02"
        others = {task["state"] for task in status["tasks"] if task not in failed}
        assert others <= {"TASK_STATE_CANCELLED", "TASK_STATE_FINISHED"}
        text = millrace(cluster, "get", job)
        assert re.search(r"^step 2 error 22P02: .*broken\.csv", text, re.M), text
        assert re.search(r"^task \d+/\d+\.\d+ error 22P02: .*broken\.csv", text, re.M), text
        assert rows_of(client.execute(f"SELECT count(error) FROM millrace.steps WHERE job_id = {job}")) == [(1,)]
    finally:
        client.execute("DROP TABLE IF EXISTS copied; DROP TABLE IF EXISTS broken")


def test_a_failed_stream_names_the_task_and_the_line(client, cluster, tmp_path):
    folder = tmp_path / "growing"
    folder.mkdir()
    (folder / "a.csv").write_text("id,k\n1,1\n2,2\n")
    client.execute(
        f"""CREATE TABLE growing (id bigint, k integer)
            WITH (connector = 'file', path = '{folder}/*.csv', follow = true, follow_interval = '50 ms')"""
    )
    try:
        client.execute("CREATE MATERIALIZED VIEW grown AS SELECT k, count(*) AS n FROM growing GROUP BY k")
        with (folder / "a.csv").open("a") as out:
            out.write("3,three\n")
        wait_until(
            lambda: status_of(cluster, "grown")["state"] == "JOB_STATE_FAILED", lambda: status_of(cluster, "grown")
        )
        status = status_of(cluster, "grown")
        failed = [task for task in status["tasks"] if task["state"] == "TASK_STATE_FAILED"]
        assert len(failed) == 1
        for error in (failed[0]["error"], status["steps"][0]["error"]):
            assert "a.csv" in error["message"] and "three" in error["message"], error
        [(state, error)] = rows_of(client.execute("SELECT state, error FROM millrace.steps WHERE job = 'grown'"))
        assert state == "failed" and "a.csv" in error
        failed_tasks = rows_of(
            client.execute(
                f"SELECT worker_id, error FROM millrace.tasks WHERE job_id = {status['id']} AND state = 'failed'"
            )
        )
        assert failed_tasks == [(failed[0]["worker_id"], failed[0]["error"]["message"])]
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS grown; DROP TABLE growing")
