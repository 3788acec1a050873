"""The streams of a script are stopped and restarted by their own names: the script is what its streams are."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from typing import Any

import pytest
from conftest import BUILD
from support.job_client import job_call, state_name
from support.process_cluster import ProcessCluster
from support.waiting import wait_until

DEADLINE_S = 90
SCRIPT = """
CREATE TABLE numbers (k bigint) WITH (connector = 'datagen', rows = '1000000000', rows_per_second = '10');
CREATE MATERIALIZED VIEW early AS SELECT count(*) AS n FROM numbers;
-- Streaming statements on both sides of it are not one job.
CREATE TABLE gap (n bigint);
INSERT INTO gap VALUES (1);
CREATE MATERIALIZED VIEW later AS SELECT count(*) AS n FROM numbers;
"""


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[ProcessCluster]:
    running = ProcessCluster(BUILD, tmp_path_factory.mktemp("streams"))
    start_coordinator(running)
    running.start_worker(slots=4)
    yield running
    running.stop()


def start_coordinator(cluster: ProcessCluster) -> None:
    cluster.start_coordinator(arguments=("--epoch-interval", "100 ms", "--checkpoint-interval", "400 ms"))


def millrace(cluster: ProcessCluster, *arguments: str) -> str:
    done = subprocess.run(
        [str(BUILD / "bin" / "millrace"), "job", *arguments, "--server", cluster.address],
        check=False,
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        input=SCRIPT,
    )
    assert done.returncode == 0, f"{arguments}: {done.stderr}"
    return done.stdout


def status_of(cluster: ProcessCluster, job: str) -> Any:
    """None while there is no such job, or no coordinator."""
    answer = job_call(cluster.address, "Get", job=job)
    return answer.status if answer else None


def states(cluster: ProcessCluster) -> tuple[str, dict[str, str]]:
    """Of the script, and of its streams by name."""
    status = status_of(cluster, "both")
    if status is None:
        return "none", {}
    return state_name(status), {stream.name: state_name(stream) for stream in status.streams}


def await_states(cluster: ProcessCluster, script: str, early: str, later: str) -> None:
    expected = (script, {"early": early, "later": later})
    wait_until(lambda: states(cluster) == expected, lambda: f"{expected}: {states(cluster)}")


def attempt_and_restarts_agree(cluster: ProcessCluster) -> bool:
    status = status_of(cluster, "both")
    return status.num_restarts > 0 and status.attempt == max(ended.attempt for ended in status.restarts) + 1


def listed_epoch(cluster: ProcessCluster) -> int:
    """The last number of the script's line."""
    [line] = [line for line in millrace(cluster, "list").splitlines() if " both " in line]
    return int(line.split()[-1])


def test_a_script_is_what_its_streams_are(cluster):
    millrace(cluster, "submit", "-", "--name", "both")
    await_states(cluster, "RUNNING", "RUNNING", "RUNNING")
    millrace(cluster, "stop", "later")
    await_states(cluster, "RUNNING", "RUNNING", "STOPPED")
    millrace(cluster, "restart", "later")
    # The end of the other one is not that of the script: the first one runs again.
    millrace(cluster, "stop", "early")
    await_states(cluster, "RUNNING", "STOPPED", "RUNNING")
    millrace(cluster, "stop", "later")
    await_states(cluster, "STOPPED", "STOPPED", "STOPPED")
    assert status_of(cluster, "both").ended_at_micros > 0
    millrace(cluster, "restart", "early")
    assert states(cluster) == ("RUNNING", {"early": "RUNNING", "later": "STOPPED"})
    assert status_of(cluster, "both").ended_at_micros == 0
    before = status_of(cluster, "early").durable_epoch
    assert before > 0

    cluster.coordinator.kill()
    start_coordinator(cluster)
    await_states(cluster, "RUNNING", "RUNNING", "STOPPED")
    assert listed_epoch(cluster) >= before
    wait_until(lambda: attempt_and_restarts_agree(cluster), lambda: status_of(cluster, "both"))
    early = status_of(cluster, "early")
    assert f"\nstreams  {early.id} early (running), " in millrace(cluster, "get", "both")
    # It is no script that nobody can end.
    millrace(cluster, "stop", "both")
    await_states(cluster, "STOPPED", "STOPPED", "STOPPED")
    millrace(cluster, "restart", "both")
    await_states(cluster, "RUNNING", "RUNNING", "RUNNING")
    millrace(cluster, "cancel", "both")
    await_states(cluster, "CANCELLED", "CANCELLED", "CANCELLED")
