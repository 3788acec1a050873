"""Rates, checkpoints, restarts, memory and disk of jobs and workers, on real processes, and `job watch`."""

import json
import os
import pty
import re
import subprocess

import pytest
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, rows_of
from support.waiting import wait_until

RATE = 2000
NUM_KEYS = 1000


@pytest.fixture
def processes(tmp_path):
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    running.start_coordinator()
    running.start_worker()
    yield running
    running.stop()


@pytest.fixture
def sql(processes):
    client = SqlClient(processes.address)
    yield client
    client.close()


def millrace(processes, *arguments):
    done = subprocess.run(
        [BUILD / "bin" / "millrace", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "MILLRACE_SERVER": processes.address},
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def status_of(processes, job):
    return json.loads(millrace(processes, "job", "get", job, "--json"))


def workers_of(processes):
    lines = millrace(processes, "worker", "list", "--json").splitlines()
    return {worker["worker_id"]: worker for worker in map(json.loads, lines)}


def start_view(sql, folder, num_rows, checkpoint="1 s"):
    """A view over a file that is read slowly."""
    (folder / "slow.csv").write_text("k,v\n" + "".join(f"{row % NUM_KEYS},{row}\n" for row in range(num_rows)))
    sql.execute(
        f"""SET epoch_interval = '100 ms'; SET checkpoint_interval = '{checkpoint}'; SET parallelism = 2;
            CREATE TABLE slow (k integer, v bigint)
            WITH (connector = 'file', path = '{folder}/slow.csv', rows_per_second = '{RATE}');
            CREATE MATERIALIZED VIEW sums AS SELECT k, sum(v) AS total FROM slow GROUP BY k"""
    )


def near(rate):
    return 0.8 * RATE < rate < 1.2 * RATE


def test_rates_are_those_of_the_source_and_end_with_it(processes, sql, tmp_path):
    start_view(sql, tmp_path, 14 * RATE)

    def as_fast_as_the_source():
        status = status_of(processes, "sums")
        scans = [task for task in status["tasks"] if any(op["name"] == "Scan" for op in task["operators"])]
        return (
            near(status["rows_in_per_second"])
            and near(status["steps"][0]["rows_in_per_second"])
            and near(sum(task["rows_in_per_second"] for task in scans))
            and near(sum(task["rows_out_per_second"] for task in scans))
        )

    wait_until(as_fast_as_the_source, lambda: status_of(processes, "sums"))
    [(of_job,)] = rows_of(sql.execute("SELECT rows_in_per_second FROM millrace.jobs WHERE name = 'sums'"))
    [(of_step,)] = rows_of(sql.execute("SELECT rows_in_per_second FROM millrace.steps WHERE job = 'sums'"))
    assert near(of_job) and near(of_step)
    text = millrace(processes, "job", "get", "sums")
    assert near(int(re.search(r"^rows in (\d+)/s", text, re.M).group(1))), text
    sql.execute("CALL millrace.wait_for('sums', 'complete', '90 s')")
    wait_until(lambda: status_of(processes, "sums")["rows_in_per_second"] == 0, lambda: status_of(processes, "sums"))


def test_checkpoint_and_state_have_age_size_and_time(processes, sql, tmp_path):
    start_view(sql, tmp_path, 20 * RATE)
    wait_until(
        lambda: status_of(processes, "sums").get("last_checkpoint") and int(status_of(processes, "sums")["disk_bytes"]),
        lambda: status_of(processes, "sums"),
    )
    status = status_of(processes, "sums")
    last = status["last_checkpoint"]
    assert last["epoch"] == status["durable_epoch"]
    age_micros = int(status["now_micros"]) - int(last["created_at_micros"])
    assert 0 <= age_micros < 60_000_000
    assert 0 < int(last["duration_micros"]) < 60_000_000
    assert last["num_files"] > 0
    assert 0 < int(last["uploaded_bytes"]) <= int(last["size_bytes"])
    stored = sum(path.stat().st_size for path in (tmp_path / "cluster" / "data").rglob("*") if path.is_file())
    assert int(last["size_bytes"]) < stored
    # A thousand sums, in the operators' tables and in the view.
    assert 16 * NUM_KEYS < int(status["memory_bytes"]) < 1 << 30
    assert 16 * NUM_KEYS < int(status["disk_bytes"]) < 1 << 30
    text = millrace(processes, "job", "get", "sums")
    line = r"^checkpoint \d+  \d+\.\d s old, made in \d+ ms, \d+ \w+ in \d+ files, \d+ \w+ uploaded$"
    assert re.search(line, text, re.M), text
    rows = rows_of(sql.execute("SELECT epoch, size_bytes FROM millrace.checkpoints WHERE job = 'sums' ORDER BY epoch"))
    assert rows and all(size > 0 for _, size in rows)
    [worker] = workers_of(processes).values()
    assert int(worker["state_disk_bytes"]) > 0
    assert int(worker["memory_bytes_max"]) > int(worker["memory_used_bytes"]) > 0
    assert int(worker["disk_free_bytes"]) > 1 << 20
    [(free, used)] = rows_of(sql.execute("SELECT disk_free_bytes, memory_used_bytes FROM millrace.workers"))
    assert free > 1 << 20 and used > 0


def test_a_restart_has_its_cause_and_a_lost_worker_its_reason(processes, sql, tmp_path):
    victim = processes.start_worker()
    start_view(sql, tmp_path, 20 * RATE)
    wait_until(lambda: int(status_of(processes, "sums")["durable_epoch"]), "a checkpoint")
    victim.kill()
    wait_until(lambda: status_of(processes, "sums")["num_restarts"] == 1, lambda: status_of(processes, "sums"))
    status = status_of(processes, "sums")
    [restart] = status["restarts"]
    assert restart["attempt"] == 1
    assert int(restart["restored_epoch"]) > 0
    assert restart["cause"]["detail"]["sqlstate"] == "08006", restart
    assert "worker 2" in restart["cause"]["message"]
    text = millrace(processes, "job", "get", "sums")
    assert re.search(r"^restarts 1\n  .*attempt 1 ended, went on from epoch \d+: 08006: .*worker 2", text, re.M), text
    [(attempt, sqlstate)] = rows_of(sql.execute("SELECT attempt, sqlstate FROM millrace.restarts WHERE job = 'sums'"))
    assert (attempt, sqlstate) == (1, "08006")
    lost = workers_of(processes)[2]
    assert lost["state"] == "WORKER_STATE_LOST"
    assert lost["lost_reason"].startswith("connection lost"), lost
    assert re.search(r"^2 .* lost .*connection lost", millrace(processes, "worker", "list"), re.M)
    assert rows_of(sql.execute("SELECT lost_reason FROM millrace.workers WHERE id = 2")) == [(lost["lost_reason"],)]
    # Rates begin anew with the attempt and come back.
    wait_until(lambda: near(status_of(processes, "sums")["rows_in_per_second"]), lambda: status_of(processes, "sums"))


def test_watch_prints_lines_and_the_whole_at_the_end(processes, sql, tmp_path):
    start_view(sql, tmp_path, 3 * RATE)
    lines = millrace(processes, "job", "watch", "sums").splitlines()
    running = [line for line in lines if line.startswith("running  steps done 0/1  rows in ")]
    assert len(running) > 3
    assert len(set(running)) == len(running)
    rows = [int(re.search(r"rows in (\d+)", line).group(1)) for line in running]
    assert rows == sorted(rows)
    assert "\x1b" not in "".join(lines)
    assert re.match(r"job \d+ \(sums\)  finished", lines[len(running)])


def test_watch_redraws_a_terminal(processes, sql, tmp_path):
    start_view(sql, tmp_path, 3 * RATE)
    terminal, side = pty.openpty()
    process = subprocess.Popen(
        [BUILD / "bin" / "millrace", "job", "watch", "sums", "--server", processes.address],
        stdout=side,
        stdin=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    os.close(side)
    shown = b""
    try:
        while True:
            shown += os.read(terminal, 65536)
    except OSError:
        pass  # The other side was closed.
    finally:
        os.close(terminal)
    assert process.wait(60) == 0, process.stderr.read()
    screens = shown.split(b"\x1b[H")[1:]
    assert len(screens) > 3
    for screen in screens[:-1]:
        assert screen.startswith(b"job ") and screen.endswith(b"\x1b[J")
        assert screen.count(b"\n") < 24
    assert re.search(rb"\(sums\)  finished\r\n", screens[-1])
