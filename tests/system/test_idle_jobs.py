"""A job into which nothing comes lives on, however often the workers under it die."""

from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from conftest import BUILD
from support.job_client import job_call, state_name
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

# More than a row that ends its process is given.
NUM_KILLS = 20
# What tasks wait for that have read all there is.
NOTHING_TO_READ = {"table", "input"}


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ProcessCluster]:
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    yield running
    running.stop()


def status_of(cluster: ProcessCluster) -> Any:
    answer = job_call(cluster.address, "Get", job="live")
    assert answer is not None and state_name(answer.status) == "RUNNING", answer
    return answer.status


def stands_idle(cluster: ProcessCluster, attempt: int) -> bool:
    """This or a later attempt runs and has shown the view, what was read is durable, and all tasks have said that they
    wait for more."""
    status = status_of(cluster)
    return (
        status.attempt >= attempt
        and status.published_epoch >= status.durable_epoch > 0
        and len(status.tasks) > 0
        and all(task.waiting_for in NOTHING_TO_READ for task in status.tasks)
    )


def id_of(client: SqlClient, name: str) -> int:
    """Of the process that is there now."""
    query = f"SELECT id FROM millrace.workers WHERE name = '{name}' AND state = 'active'"
    return wait_until(lambda: rows_of(client.execute(query)), name)[0][0]


def view(client: SqlClient) -> list[tuple] | None:
    try:
        return rows_of(client.execute("SELECT k, s FROM live ORDER BY k"))
    except StatementFailed as error:
        assert error.sqlstate in ("55000", "08006"), error
        return None


@pytest.mark.parametrize("num_others", [0, 1])
def test_the_worker_of_an_idle_job_may_be_killed_as_often_as_one_likes(
    cluster: ProcessCluster, num_others: int
) -> None:
    cluster.start_coordinator(
        "", ("--epoch-interval", "100 ms", "--checkpoint-interval", "300 ms", "--heartbeat-interval", "200 ms")
    )
    for _ in range(num_others):
        cluster.start_worker()
    worker = cluster.start_worker(name="killed")
    client = SqlClient(cluster.address)
    client.execute("CREATE TABLE t (k integer, v integer); INSERT INTO t VALUES (1, 2), (2, 3)")
    client.execute("CREATE MATERIALIZED VIEW live AS SELECT k, sum(v) AS s FROM t GROUP BY k")
    attempt = 1
    for _ in range(NUM_KILLS):
        wait_until(partial(stands_idle, cluster, attempt), partial(status_of, cluster))
        status = status_of(cluster)
        concerned = id_of(client, "killed") in {task.worker_id for task in status.tasks}
        attempt = status.attempt + (1 if concerned else 0)
        cluster.workers.remove(worker)
        worker.kill()
        worker = cluster.start_worker(name="killed")
    rows = wait_until(lambda: view(client), "the view")
    client.close()
    assert rows == [(1, 2), (2, 3)]
    assert attempt > (1 if num_others > 0 else NUM_KILLS)
