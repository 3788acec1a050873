"""What a cancelled job leaves: what it has committed, and nothing else."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import BUILD
from support.job_client import job_call
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, rows_of
from support.waiting import wait_until

JOB = "insert_into_copies"
NUM_ROWS = 40_000


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[ProcessCluster]:
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    yield running
    running.stop()


def start_job(cluster: ProcessCluster, folder: Path) -> None:
    """It writes for some twenty seconds."""
    (folder / "events").mkdir()
    (folder / "out").mkdir()
    lines = [f"{i},2024-01-01 {i // 3600:02}:{i // 60 % 60:02}:{i % 60:02}" for i in range(NUM_ROWS)]
    (folder / "events" / "a.csv").write_text("\n".join(["id,ts", *lines, ""]))
    client = SqlClient(cluster.address)
    client.execute(
        f"""CREATE TABLE events (id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
              WITH (connector = 'file', path = '{folder}/events/*.csv', rows_per_second = '2000');
            CREATE TABLE copies (id bigint)
              WITH (connector = 'file', path = '{folder}/out/', format = 'csv', header = 'true');
            INSERT INTO copies SELECT id FROM events EMIT ON WINDOW CLOSE"""
    )
    client.close()


def staged(folder: Path) -> list[str]:
    return sorted(path.name for path in (folder / "out").glob("_staging-*"))


def kept(cluster: ProcessCluster) -> list[str]:
    """Checkpoints and plans."""
    data = cluster.folder / "data"
    return sorted(
        str(path.relative_to(data)) for below in ("checkpoints", "jobs") for path in (data / below).glob("job-*")
    )


def test_nothing_but_committed_rows_is_left_of_a_cancelled_job(cluster: ProcessCluster, tmp_path: Path) -> None:
    cluster.start_coordinator("", ("--epoch-interval", "100 ms", "--checkpoint-interval", "1 s"))
    worker = cluster.start_worker(name="killed")
    start_job(cluster, tmp_path)
    wait_until(lambda: job_call(cluster.address, "Get", job=JOB).status.durable_epoch > 0, "a checkpoint")
    wait_until(lambda: staged(tmp_path), "a file that is being written")
    cluster.workers.remove(worker)
    worker.kill()
    files = staged(tmp_path)
    assert files
    before = tmp_path / "before"
    shutil.copytree(cluster.folder / "data" / "jobs", before / "jobs")
    shutil.copytree(cluster.folder / "data" / "checkpoints", before / "checkpoints")
    assert job_call(cluster.address, "Cancel", job=JOB) is not None
    wait_until(lambda: not staged(tmp_path) and not kept(cluster), lambda: (staged(tmp_path), kept(cluster)))
    # As if the coordinator had died before it was done: the next one does it.
    cluster.coordinator.kill()
    shutil.copytree(before, cluster.folder / "data", dirs_exist_ok=True)
    for name in files:
        (tmp_path / "out" / name).write_text("id\n1\n")
    cluster.start_coordinator()
    cluster.start_worker(name="killed")
    wait_until(lambda: not staged(tmp_path) and not kept(cluster), lambda: (staged(tmp_path), kept(cluster)))
    client = SqlClient(cluster.address)
    assert rows_of(client.execute(f"SELECT state FROM millrace.jobs WHERE name = '{JOB}'")) == [("cancelled",)]
    (num_rows, num_ids), *_ = rows_of(client.execute("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM copies"))
    client.close()
    assert 0 < num_rows == num_ids < NUM_ROWS
