"""`millrace job` as scripts use it: exit codes, lists, and waiting over a restart of the coordinator."""

import os
import subprocess
from collections.abc import Callable, Iterator

import grpc
import pytest
from conftest import BUILD
from support.job_client import job_call, state_name
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, failure_of, message_class
from support.waiting import wait_until

DEADLINE_S = 90
WRONG_USE = 2
SQL_ERROR = 3
JOB_FAILED = 8
# As docs/limits.md says.
WATCHERS_MAX = 256
ENDLESS = "CREATE TABLE endless (k bigint) WITH (connector = 'datagen', rows = '1000000000', rows_per_second = '10')"
SCRIPT = "SELECT count(*) FROM endless"


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[ProcessCluster]:
    running = ProcessCluster(BUILD, tmp_path_factory.mktemp("jobs"))
    running.start_coordinator()
    running.start_worker()
    client = SqlClient(running.address)
    client.execute(ENDLESS)
    client.close()
    yield running
    running.stop()


def command(cluster: ProcessCluster, *arguments: str) -> list[str]:
    return [str(BUILD / "bin" / "millrace"), "job", *arguments, "--server", cluster.address]


def millrace(cluster: ProcessCluster, *arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command(cluster, *arguments), capture_output=True, text=True, timeout=DEADLINE_S, check=False, input=SCRIPT
    )


def begin(cluster: ProcessCluster, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        command(cluster, *arguments),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def state_of(cluster: ProcessCluster, job: str) -> str:
    answer = job_call(cluster.address, "Get", job=job)
    return state_name(answer.status) if answer else "none"


def submit(cluster: ProcessCluster, name: str) -> None:
    done = millrace(cluster, "submit", "-", "--name", name)
    assert done.returncode == 0, done.stderr
    wait_until(lambda: state_of(cluster, name) == "RUNNING", f"job {name} runs")


@pytest.mark.parametrize(("end", "state"), [("cancel", "cancelled"), ("stop", "stopped")])
def test_waiting_for_a_job_that_is_ended_by_somebody_is_no_success(cluster, end, state):
    name = f"waited-{end}"
    waiting = begin(cluster, "submit", "-", "--name", name, "--wait")
    assert waiting.stdin is not None
    waiting.stdin.write(SCRIPT)
    waiting.stdin.close()
    waiting.stdin = None
    wait_until(lambda: state_of(cluster, name) == "RUNNING", "the job runs")
    assert millrace(cluster, end, name).returncode == 0
    out, _ = waiting.communicate(timeout=DEADLINE_S)
    assert (waiting.returncode, state in out) == (JOB_FAILED, True), out


@pytest.mark.parametrize(("end", "code"), [("cancel", JOB_FAILED), ("stop", 0)])
def test_watching_a_job_ends_with_it(cluster, end, code):
    name = f"watched-{end}"
    submit(cluster, name)
    watching = begin(cluster, "watch", name)
    assert watching.stdout is not None
    assert "running" in watching.stdout.readline()
    assert millrace(cluster, end, name).returncode == 0
    watching.communicate(timeout=DEADLINE_S)
    assert watching.returncode == code


@pytest.mark.parametrize("end_of_coordinator", [lambda process: process.kill(), lambda process: process.stop()])
def test_waiting_goes_on_when_the_coordinator_is_started_again(cluster, end_of_coordinator: Callable):
    name = f"patient-{os.urandom(4).hex()}"
    submit(cluster, name)
    watching = begin(cluster, "watch", name)
    assert watching.stdout is not None
    assert "running" in watching.stdout.readline()
    end_of_coordinator(cluster.coordinator)
    cluster.start_coordinator()
    wait_until(lambda: state_of(cluster, name) == "RUNNING", "the job runs again")
    assert watching.poll() is None, watching.communicate()
    assert millrace(cluster, "stop", name).returncode == 0
    out, err = watching.communicate(timeout=DEADLINE_S)
    assert watching.returncode == 0 and "stopped" in out, err


@pytest.mark.parametrize("name", ["41", "+41", "job-41", " 41", "before ", " behind", " ", "x" * 257, "two\nlines"])
def test_names_that_could_be_taken_for_others_are_refused(cluster, name):
    refused = millrace(cluster, "submit", "-", "--name", name)
    assert refused.returncode != 0
    assert refused.stderr.startswith(("ERROR 42602: ", "ERROR 42622: ")), refused.stderr
    assert state_of(cluster, name) == "none"


@pytest.mark.parametrize(
    "arguments",
    [["submit", "-", "--name", ""], ["submit", "-", "--request-id", ""], ["restart", "x", "--request-id", ""]],
)
def test_what_is_given_must_not_be_empty(cluster, arguments):
    refused = millrace(cluster, *arguments)
    assert (refused.returncode, refused.stdout) == (WRONG_USE, ""), refused.stdout
    assert f"{arguments[-2]}: must not be empty" in refused.stderr


def test_a_script_that_does_not_parse_is_no_job(cluster, tmp_path):
    script = tmp_path / "wrong.sql"
    script.write_text("SELECT count(*) FROM endless;\nSELEC 1;\n")
    refused = millrace(cluster, "submit", str(script), "--name", "wrong")
    assert (refused.returncode, refused.stdout) == (SQL_ERROR, "")
    assert refused.stderr.startswith("ERROR 42601: ") and "LINE 2: SELEC 1;\n        ^\n" in refused.stderr
    assert state_of(cluster, "wrong") == "none"


def test_a_list_says_that_there_are_more_jobs(cluster):
    for number in range(3):
        submit(cluster, f"listed-{number}")
        assert millrace(cluster, "cancel", f"listed-{number}").returncode == 0
    some = millrace(cluster, "list", "--limit", "2")
    assert "listed-2" in some.stdout and "listed-1" in some.stdout and "listed-0" not in some.stdout
    assert some.stderr == "the newest 2 are listed; --limit N lists more\n"
    everything = millrace(cluster, "list", "--limit", "1000")
    assert "listed-0" in everything.stdout and everything.stderr == ""
    assert len(millrace(cluster, "list", "--limit", "2", "--json").stdout.splitlines()) == 2


def test_those_who_watch_leave_room_for_those_who_do(cluster):
    submit(cluster, "seen")
    with grpc.insecure_channel(cluster.address) as channel:
        watch = channel.unary_stream(
            "/millrace.v1.JobService/Watch",
            request_serializer=lambda request: request.SerializeToString(),
            response_deserializer=message_class("millrace.v1.WatchJobResponse").FromString,
        )
        request = message_class("millrace.v1.WatchJobRequest")(job="seen")
        watchers = [watch(request, timeout=DEADLINE_S) for _ in range(WATCHERS_MAX)]
        for watcher in watchers:
            next(watcher)
        with pytest.raises(grpc.RpcError) as one_too_many:
            next(watch(request, timeout=DEADLINE_S))
        assert failure_of(one_too_many.value).sqlstate == "53000"
        submit(cluster, "seen-by-nobody")
        for arguments in (("stop", "seen-by-nobody"), ("restart", "seen-by-nobody"), ("cancel", "seen-by-nobody")):
            done = millrace(cluster, *arguments)
            assert done.returncode == 0, (arguments, done.stderr)
        assert millrace(cluster, "cancel", "seen").returncode == 0
        for watcher in watchers:
            *_, last = watcher
            assert state_name(last.status) == "CANCELLED"
