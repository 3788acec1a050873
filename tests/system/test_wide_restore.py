"""A job of several statements on workers of many slots has a small state in many shards: it is restored as fast as one
in few."""

from pathlib import Path

import pytest
from conftest import BUILD
from support.process_cluster import Process, ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

VIEWS = {
    "by_key": "SELECT k, count(*) AS n FROM events GROUP BY k",
    "by_value": "SELECT v, count(*) AS n FROM events GROUP BY v",
    "by_minute": """SELECT window_start, k, count(*) AS n FROM tumble(events, ts, INTERVAL '1 minute')
                    GROUP BY window_start, window_end, k""",
    "moving": "SELECT id, k, sum(v) OVER (PARTITION BY k ORDER BY ts ROWS 9 PRECEDING) AS s FROM events",
}
# With what grows with the square of the shards it was about 50.
CPU_SECONDS_MAX = 10


@pytest.fixture
def processes(tmp_path):
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    yield running
    running.stop()


def cpu_seconds(process: Process) -> float:
    fields = Path(f"/proc/{process.popen.pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / 100


def test_many_shards_are_restored_in_little_time(processes, tmp_path):
    lines = "".join(f"{i},{i % 97},{i % 13},2024-01-01 00:{i // 60 % 60:02}:{i % 60:02}\n" for i in range(3000))
    (tmp_path / "events.csv").write_text("id,k,v,ts\n" + lines)
    processes.start_coordinator()
    for _ in range(2):
        processes.start_worker(slots=32)
    client = SqlClient(processes.address)
    client.execute(
        f"""CREATE TABLE events (id bigint, k integer, v integer, ts timestamp,
                                 WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
                WITH (connector = 'file', path = '{tmp_path}/events.csv', rows_per_second = '60');
            SET checkpoint_interval = '1 s'; SET parallelism = 4;
            {"".join(f"CREATE MATERIALIZED VIEW {name} AS {query};" for name, query in VIEWS.items())}"""
    )

    def progress() -> list[tuple[int, int, int, int]]:
        """(attempt, published epoch, durable epoch, rows of the newest cut) of each job."""
        try:
            return rows_of(
                client.execute(
                    """SELECT j.attempt, j.published_epoch, j.durable_epoch, coalesce(sum(p.rows), 0)::bigint
                       FROM millrace.jobs AS j LEFT JOIN millrace.positions AS p
                         ON p.job_id = j.id AND p.epoch = j.published_epoch
                       GROUP BY j.id, j.attempt, j.published_epoch, j.durable_epoch ORDER BY j.id"""
                )
            )
        except StatementFailed as error:
            assert error.sqlstate in ("55000", "08006", "53000"), error
            return []

    def all_durable():
        jobs = progress()
        return all(durable > 0 for _, _, durable, _ in jobs) and jobs

    before = wait_until(all_durable, lambda: f"checkpoints: {progress()}")
    processes.workers.pop(0).kill()
    [survivor] = processes.workers
    cpu_before = cpu_seconds(survivor)

    def all_have_new_rows():
        jobs = progress()
        return len(jobs) == len(before) and all(
            now[0] > then[0] and now[3] > then[3] for now, then in zip(jobs, before, strict=True)
        )

    wait_until(all_have_new_rows, lambda: f"new rows after {before}: {progress()}")
    assert cpu_seconds(survivor) - cpu_before < CPU_SECONDS_MAX
    client.close()
