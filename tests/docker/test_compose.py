"""deploy/docker-compose.yml on a Docker engine: the image, the flights job from outside, and workers that are killed,
paused and cut off while it runs."""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
from conftest import BUILD, ROOT
from support.compose import ComposeProject, docker, inspect
from support.kafka_topics import Topics
from support.waiting import wait_until

SCRIPT = ROOT / "docs" / "examples" / "flights.sql"
MILLRACE = str(BUILD / "bin" / "millrace")
IMAGE_BYTES_MAX = 300 << 20
PAUSE_S = 60
# The live part takes about two minutes: longer than all that is done to the workers.
ROWS_PER_SECOND = 450
RESULTS = {
    "carrier_history": "carrier",
    "route_history": "origin, dest",
    "carrier_hourly": "window_start, carrier",
    "carrier_sliding": "window_start, carrier",
    "carrier_moving": "time_hour, carrier, flight, origin, dest, dep_delay, moving_delay",
    "airport_cumulative": "time_hour, origin, flight, carrier, flights_so_far",
}
QUERIES = "\n".join(f"SELECT * FROM {name} ORDER BY {order};" for name, order in RESULTS.items())
FILES = """
SELECT * FROM 'data/flights/out/hourly/*.parquet' ORDER BY window_start, carrier;
SELECT * FROM 'data/flights/out/carrier_history.parquet' ORDER BY carrier;
SELECT * FROM 'data/flights/out/route_history.parquet' ORDER BY origin, dest;
"""


@pytest.fixture(scope="module")
def image() -> Iterator[str]:
    tag = f"millrace:test-{os.getpid()}"
    done = subprocess.run(
        [ROOT / "deploy/image.sh", tag, BUILD], capture_output=True, text=True, timeout=600, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    yield tag
    docker("image", "rm", "-f", tag)
    # What the build stage has left.
    docker("image", "prune", "-f", "--filter", "label=org.opencontainers.image.title=millrace")


def make_folder(factory: pytest.TempPathFactory, name: str) -> pathlib.Path:
    """A folder with the data below data/, writable for the containers' user."""
    data = factory.getbasetemp().parent / "millrace-flights"
    subprocess.run([sys.executable, ROOT / "deploy/flights_data.py", data], check=True)
    folder = factory.mktemp(name)
    shutil.copytree(data, folder / "data" / "flights", ignore=shutil.ignore_patterns("out"))
    (folder / "data" / "flights").chmod(0o777)
    return folder


@pytest.fixture(scope="module")
def project(image, tmp_path_factory) -> Iterator[ComposeProject]:
    folder = make_folder(tmp_path_factory, "compose")
    running = ComposeProject(f"millrace-test-{os.getpid()}", image, folder)
    try:
        running.up("--scale", "worker=3")
        yield running
    finally:
        running.down("-v")


@pytest.fixture(scope="module")
def expected(tmp_path_factory) -> list[str]:
    """The same script and the same questions on a private cluster in which nothing happens."""
    folder = make_folder(tmp_path_factory, "reference")
    script = SCRIPT.read_text() + QUERIES + FILES
    command = [MILLRACE, "run", "-e", script, "-o", "csv"]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=300, check=True)
    rows = done.stdout.splitlines()
    assert len(rows) > 100_000  # Each flight of two months is in two of the views.
    return rows


def cli(project: ComposeProject, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [MILLRACE, *arguments, "--server", project.address]
    return subprocess.run(command, cwd=project.folder, capture_output=True, text=True, timeout=120, check=False)


def states(project: ComposeProject) -> list[str]:
    listed = cli(project, "worker", "list", "--json")
    rows = [json.loads(line) for line in listed.stdout.splitlines()]
    return [row["state"].removeprefix("WORKER_STATE_").lower() for row in rows]


def running_workers(project: ComposeProject) -> list[str]:
    """Without those that were killed before: the engine does not start them again."""
    return [c for c in project.containers("worker") if inspect(c, "{{.State.Running}}") == "true"]


def wait_for_active(project: ComposeProject, number: int) -> None:
    wait_until(lambda: states(project).count("active") == number, lambda: f"{number} workers: {states(project)}")


def flights_seen(project: ComposeProject) -> int:
    """How far the live part is: the views' rows at the newest cut; 0 while they cannot be read."""
    done = cli(project, "sql", "-o", "csv", "-c", "SELECT count(*) FROM airport_cumulative")
    lines = done.stdout.split()
    return int(lines[1]) if done.returncode == 0 and len(lines) == 2 else 0


def wait_for_more(project: ComposeProject) -> None:
    seen = flights_seen(project)
    wait_until(lambda: flights_seen(project) > max(seen, 0), lambda: f"more than {seen} flights\n{project.logs()}")


def test_image_is_small_and_has_no_compiler(image):
    assert int(docker("image", "inspect", "-f", "{{.Size}}", image)) < IMAGE_BYTES_MAX
    run = ("run", "--rm", "--read-only", "--cap-drop", "ALL", image)
    assert docker(*run, "id", "-u") == "10001"
    assert docker(*run, "millrace", "version").startswith("millrace ")
    for program in ("cc", "gcc", "g++", "ld", "make", "cmake", "python3"):
        assert docker(*run, "sh", "-c", f"command -v {program} || echo none") == "none"
    assert "not found" not in docker(*run, "sh", "-c", "ldd /opt/millrace/bin/*")


def test_ports_are_published_on_loopback_only(project):
    services = project.config()["services"]
    published = [port for service in services.values() for port in service.get("ports", [])]
    assert published and {port["host_ip"] for port in published} == {"127.0.0.1"}


def test_containers_are_locked_down_and_healthy(project):
    containers = project.containers("coordinator") + project.containers("worker")
    assert len(containers) == 4
    for container in containers:
        assert inspect(container, "{{.State.Health.Status}}") == "healthy"
        assert inspect(container, "{{.HostConfig.ReadonlyRootfs}} {{.HostConfig.CapDrop}}") == "true [ALL]"
        assert int(inspect(container, "{{.HostConfig.Memory}}")) > 0
    wait_for_active(project, 3)


def test_flights_job_survives_what_happens_to_its_workers(project, expected):
    script = project.folder / "flights.sql"
    script.write_text(SCRIPT.read_text().replace("'20000'", f"'{ROWS_PER_SECOND}'"))
    submitted = subprocess.Popen(
        [MILLRACE, "job", "submit", script, "--name", "flights", "--wait", "--server", project.address],
        cwd=project.folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        wait_until(lambda: flights_seen(project) > 0, lambda: f"the stream part\n{project.logs()}")
        status = json.loads(cli(project, "job", "get", "flights", "--json").stdout)
        assert status["state"] == "JOB_STATE_RUNNING" and status["steps"]

        killed, paused, cut_off = project.containers("worker")
        docker("kill", killed)
        wait_for_active(project, 2)
        wait_for_more(project)

        docker("pause", paused)
        until = time.monotonic() + PAUSE_S
        wait_for_active(project, 1)
        wait_for_more(project)
        wait_until(lambda: time.monotonic() > until, "the minute", 2 * PAUSE_S)
        docker("unpause", paused)
        wait_for_active(project, 2)

        docker("network", "disconnect", project.network(), cut_off)
        wait_for_active(project, 1)
        wait_for_more(project)
        docker("network", "connect", project.network(), cut_off)
        wait_for_active(project, 2)

        out, _ = submitted.communicate(timeout=400)
    finally:
        submitted.kill()
    assert submitted.returncode == 0, f"{out}\n{cli(project, 'job', 'get', 'flights').stdout}\n{project.logs()}"
    answer = cli(project, "sql", "-o", "csv", "-c", SCRIPT.read_text().split("\n-- 6.")[1].split("\n", 1)[1] + QUERIES)
    assert answer.returncode == 0, answer.stderr
    rows = answer.stdout.splitlines() + cli(project, "sql", "-o", "csv", "-c", FILES).stdout.splitlines()
    assert rows == expected


def test_a_stopped_container_drains_its_worker(project):
    wait_until(lambda: "active" in states(project), "a worker")
    before = states(project).count("active")
    stopped = running_workers(project)[0]
    docker("stop", stopped)
    assert inspect(stopped, "{{.State.ExitCode}}") == "0"
    assert states(project).count("active") == before - 1
    docker("start", stopped)
    wait_for_active(project, before)


def test_a_worker_that_is_drained_by_a_command_is_not_started_again(project):
    wait_until(lambda: "active" in states(project), "a worker")
    before = states(project).count("active")
    listed = [json.loads(line) for line in cli(project, "worker", "list", "--json").stdout.splitlines()]
    leaving = next(row["worker_id"] for row in listed if row["state"] == "WORKER_STATE_ACTIVE")
    running = running_workers(project)
    drained = cli(project, "worker", "drain", str(leaving))
    assert drained.returncode == 0, drained.stderr

    def ended() -> list[str]:
        # A container that the engine is about to start again is "restarting", never "exited".
        return [c for c in running if inspect(c, "{{.State.Status}}") == "exited"]

    container = wait_until(ended, lambda: f"the end of worker {leaving}\n{project.logs()}")[0]
    assert inspect(container, "{{.State.ExitCode}} {{.RestartCount}}") == "0 0"
    assert states(project).count("active") == before - 1
    docker("start", container)
    wait_for_active(project, before)


def test_the_kafka_profile_and_what_is_kept_over_down_and_up(image, tmp_path_factory):
    folder = tmp_path_factory.mktemp("kafka")
    (folder / "data").mkdir()
    project = ComposeProject(f"millrace-kafka-test-{os.getpid()}", image, folder)
    definitions = """
        CREATE TABLE orders (id bigint)
          WITH (connector = 'kafka', brokers = 'kafka:9092', topic = 'orders', format = 'json');
        CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, sum(id) AS s FROM orders;
        CREATE TABLE numbers AS SELECT i FROM generate_series(1, 1000) AS g(i);
    """

    def answer(sql: str) -> str:
        done = cli(project, "sql", "-o", "csv", "-c", sql)
        return done.stdout if done.returncode == 0 else done.stderr

    def wait_for_answer(sql: str, rows: str) -> None:
        wait_until(lambda: answer(sql).splitlines()[1:] == [rows], lambda: f"{answer(sql)}\n{project.logs()}")

    try:
        project.compose("--profile", "kafka", "build", "kafka", timeout_s=900)
        project.up("--scale", "worker=1", profile="kafka")
        project.compose("exec", "-T", "kafka", "topics.sh", "--create", "--topic", "orders", "--partitions", "2")
        # Messages come from outside of the containers' network, and are read inside of it.
        topics = Topics(project.kafka_address)
        topics.send("orders", [{"id": i} for i in range(100)])
        created = cli(project, "sql", "-c", definitions)
        assert created.returncode == 0, created.stderr
        wait_for_answer("SELECT * FROM totals", "100,4950")

        project.down()
        assert project.compose("--profile", "kafka", "ps", "-a", "-q") == ""
        project.up("--scale", "worker=1", profile="kafka")
        assert answer("SELECT count(*), sum(i) FROM numbers").splitlines()[1:] == ["1000,500500"]
        topics.send("orders", [{"id": i} for i in range(100, 110)])
        wait_for_answer("SELECT * FROM totals", "110,5995")
    finally:
        project.down("-v")
