"""Batch statements go on without the workers that die under them, and a script without the coordinator that does.

Every stored result is the same to the row as without the fault, and nothing that was staged in vain stays.
"""

import csv
import json
import pathlib
import re
import signal
import subprocess
import threading

import pytest
from conftest import BUILD, write_events
from support.sql_client import StatementFailed, rows_of
from support.waiting import wait_until

NUM_FILES = 24
ROWS_PER_FILE = 2000
NUM_ROWS = NUM_FILES * ROWS_PER_FILE
SUMS = "SELECT k, count(*) AS n, sum(id) AS s FROM events GROUP BY k"
SPREAD = "SET parallelism = 6;"


def expected_sums() -> list[tuple]:
    sums: dict[int, list[int]] = {}
    for row_id in range(NUM_ROWS):
        entry = sums.setdefault(row_id % ROWS_PER_FILE % 50, [0, 0])
        entry[0] += 1
        entry[1] += row_id
    return sorted((k, n, s) for k, (n, s) in sums.items())


@pytest.fixture
def out(tmp_path) -> pathlib.Path:
    assert write_events(tmp_path / "events", NUM_FILES, ROWS_PER_FILE) == NUM_ROWS
    folder = tmp_path / "out"
    folder.mkdir()
    return folder


def definitions(out: pathlib.Path) -> str:
    return f"""
        CREATE TABLE events (id bigint, k integer, ts timestamp)
          WITH (connector = 'file', path = '{out.parent}/events/*.csv');
        CREATE TABLE kept (k integer, n bigint, s bigint);
        CREATE TABLE copies (k integer, n bigint, s bigint)
          WITH (connector = 'file', path = '{out}/', format = 'csv', header = 'true');
    """


def rows_of_csv(paths) -> list[tuple]:
    rows = []
    for path in paths:
        rows += [(int(row["k"]), int(row["n"]), int(row["s"])) for row in csv.DictReader(path.read_text().splitlines())]
    return sorted(rows)


def visible(folder: pathlib.Path) -> list[pathlib.Path]:
    return sorted(path for path in folder.glob("*.csv") if path.name[0] != "_")


def staged(folder: pathlib.Path) -> list[str]:
    return sorted(path.name for path in folder.glob("_staging*"))


# What is run, and how its result is read.
STATEMENTS = {
    "select": (f"{SUMS}", None),
    "create_table_as": (f"CREATE TABLE made AS {SUMS}", "SELECT * FROM made"),
    "insert_into_table": (f"INSERT INTO kept {SUMS}", "SELECT * FROM kept"),
    "insert_into_files": (f"INSERT INTO copies {SUMS}", "SELECT * FROM copies"),
    "copy_to": (f"COPY ({SUMS}) TO '{{out}}/copied.csv' WITH (format csv, header true)", "copied.csv"),
}


def result_of(client, name: str, results, out: pathlib.Path) -> list[tuple]:
    read = STATEMENTS[name][1]
    if read is None:
        return sorted(rows_of(results))
    if read.endswith(".csv"):
        return rows_of_csv([out / read])
    return sorted(rows_of(client.execute(read)))


def start_with_one_that_dies(cluster, failpoints: str, **options):
    cluster.start_coordinator(**options)
    cluster.start_worker()
    dying = cluster.start_worker(failpoints=failpoints)
    cluster.start_worker()
    return dying


@pytest.mark.parametrize(
    ("statement", "failpoint"),
    [
        ("select", "scan.before_poll=abort"),
        ("select", "exchange.before_send=abort"),
        ("create_table_as", "scan.before_poll=abort"),
        ("create_table_as", "exchange.before_send=abort"),
        ("create_table_as", "file_sink.before_write=abort"),
        ("insert_into_table", "file_sink.before_sync=abort"),
        ("insert_into_files", "exchange.before_send=abort"),
        ("insert_into_files", "file_sink.before_write=abort"),
        ("copy_to", "scan.before_poll=abort"),
    ],
)
def test_a_statement_goes_on_when_a_worker_dies(cluster, connect, out, statement, failpoint):
    dying = start_with_one_that_dies(cluster, failpoint)
    client = connect(cluster)
    client.execute(definitions(out))
    results = client.execute(SPREAD + STATEMENTS[statement][0].format(out=out))
    assert dying.wait_for_death() == 137
    assert result_of(client, statement, results, out) == expected_sums()
    assert staged(out) == []
    # Segments of the lost attempt are gone too.
    segments = [path.name for path in (out.parent / "cluster" / "data").glob("tables/*/*")]
    assert not [name for name in segments if re.match(r"part-\d+-1-", name)], segments


def test_losses_of_many_workers_end_no_statement(cluster, connect, out):
    """One worker at a time; each of the first four dies a little later than the one before it."""
    cluster.start_coordinator()
    client = connect(cluster)
    client.execute(definitions(out))
    inserted = threading.Thread(target=client.execute, args=("INSERT INTO kept " + SUMS,))
    inserted.start()
    for hits in range(1, 5):
        assert cluster.start_worker(failpoints=f"scan.before_poll={hits}*abort").wait_for_death() == 137
    cluster.start_worker()
    inserted.join()
    assert sorted(rows_of(client.execute("SELECT * FROM kept"))) == expected_sums()


def test_a_select_repeats_no_row_that_the_client_has(cluster, connect, out):
    """The worker dies after more rows than the queues between it and the client can hold."""
    cluster.start_coordinator()
    dying = cluster.start_worker(failpoints="scan.before_poll=4000*abort")
    cluster.start_worker()
    client = connect(cluster)
    client.execute("CREATE TABLE many (a bigint, b bigint, c bigint) WITH (connector = 'datagen', rows = '100000000')")
    with pytest.raises(StatementFailed) as failure:
        client.execute("SELECT a, b, c FROM many")
    assert dying.wait_for_death() == 137
    assert failure.value.sqlstate == "08006"
    assert "run the statement again" in failure.value.hint


def millrace(cluster, *arguments: str) -> str:
    command = [BUILD / "bin" / "millrace", *arguments, "--server", cluster.address]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def submit(cluster, out: pathlib.Path, statements: str) -> str:
    script = out.parent / "script.sql"
    script.write_text(definitions(out) + SPREAD + statements)
    return millrace(cluster, "job", "submit", str(script), "--name", "steps").strip()


def status(cluster, job: str = "steps") -> dict:
    return json.loads(millrace(cluster, "job", "get", job, "--json"))


def await_end(cluster) -> dict:
    ended = wait_until(
        lambda: (now := status(cluster))["state"] in ("JOB_STATE_FINISHED", "JOB_STATE_FAILED") and now,
        lambda: status(cluster),
        deadline_s=180,
    )
    assert ended["state"] == "JOB_STATE_FINISHED", ended
    return ended


def test_a_step_of_a_job_goes_on_and_the_job_tells_why_it_started_again(cluster, connect, out):
    # A SELECT in a job has no client that could have seen its rows.
    dying = start_with_one_that_dies(cluster, "scan.before_poll=abort")
    submit(cluster, out, f"SELECT id, k FROM events; INSERT INTO kept {SUMS}; INSERT INTO copies SELECT * FROM kept;")
    ended = await_end(cluster)
    assert dying.wait_for_death() == 137
    assert int(ended["num_restarts"]) >= 1
    assert "worker" in ended["restarts"][0]["cause"]["message"], ended["restarts"]
    assert sorted(rows_of(connect(cluster).execute("SELECT * FROM kept"))) == expected_sums()
    assert rows_of_csv(visible(out)) == expected_sums()


def test_a_step_waits_for_a_worker_and_says_so(cluster, connect, out):
    cluster.start_coordinator()
    submit(cluster, out, f"INSERT INTO kept {SUMS};")

    def cause() -> str:
        return " ".join(step.get("error", {}).get("message", "") for step in status(cluster)["steps"])

    wait_until(lambda: "no worker is connected" in cause(), cause)
    cluster.start_worker()
    assert not any("error" in step for step in await_end(cluster)["steps"])
    assert sorted(rows_of(connect(cluster).execute("SELECT * FROM kept"))) == expected_sums()


def test_a_statement_gives_up_waiting_for_a_worker_at_its_deadline(cluster, connect, out):
    cluster.start_coordinator(arguments=("--worker-wait", "2 s"))
    client = connect(cluster)
    with pytest.raises(StatementFailed, match="no worker is connected") as failure:
        client.execute("SELECT 1")
    assert failure.value.sqlstate == "53000"


def test_a_statement_that_ends_its_workers_again_and_again_fails(cluster, connect, out):
    cluster.start_coordinator()
    stop = threading.Event()

    def keep_two_workers() -> None:
        while not stop.is_set():
            alive = [worker for worker in cluster.workers if worker.popen.poll() is None]
            if len(alive) < 2:
                cluster.start_worker(failpoints="file_sink.before_write=abort")

    client = connect(cluster)
    client.execute(definitions(out))
    keeper = threading.Thread(target=keep_two_workers)
    keeper.start()
    try:
        with pytest.raises(StatementFailed, match="without getting on") as failure:
            client.execute(f"INSERT INTO copies {SUMS}")
    finally:
        stop.set()
        keeper.join()
    # Who repeats what can be repeated must not repeat this.
    assert failure.value.sqlstate == "XX000" and failure.value.hint
    assert "worker processes have ended" in str(failure.value)
    assert visible(out) == [] and staged(out) == []


STEPS = f"""
    INSERT INTO kept {SUMS};
    INSERT INTO copies SELECT k, n, s FROM kept;
    COPY (SELECT * FROM kept) TO '{{out}}/one/copied.csv' WITH (format csv, header true);
    CREATE TABLE made AS SELECT * FROM kept;
"""


@pytest.mark.parametrize(
    "failpoint",
    [
        "table.before_version=abort",
        "table.before_version=2*abort",
        "file_commit.before_decision=abort",
        "file_commit.after_decision=abort",
        "file_commit.after_rename=abort",
        "storage.before_commit_rename=2*abort",
        "file_commit.after_decision=2*abort",
        "file_commit.after_rename=2*abort",
    ],
)
def test_a_script_resumes_at_its_first_uncommitted_step(cluster, connect, out, failpoint):
    (out / "one").mkdir()
    coordinator = cluster.start_coordinator(failpoints=failpoint)
    for _ in range(2):
        cluster.start_worker()
    submit(cluster, out, STEPS.format(out=out))
    assert coordinator.wait_for_death() == 137
    cluster.stop()

    cluster.start_coordinator()
    for _ in range(2):
        cluster.start_worker()
    await_end(cluster)
    client = connect(cluster)
    for table in ("kept", "made", "copies"):
        assert sorted(rows_of(client.execute(f"SELECT * FROM {table}"))) == expected_sums(), table
    assert rows_of_csv(visible(out)) == expected_sums()
    assert rows_of_csv(visible(out / "one")) == expected_sums()
    assert staged(out) == [] and staged(out / "one") == []


@pytest.mark.parametrize("failpoint", ["file_commit.before_decision", "file_commit.after_decision"])
def test_a_repeated_request_writes_its_files_once(cluster, connect, out, failpoint):
    coordinator = cluster.start_coordinator(failpoints=f"{failpoint}=abort")
    cluster.start_worker()
    connect(cluster).execute(definitions(out))
    request = f"INSERT INTO copies {SUMS}"
    with pytest.raises(StatementFailed):
        connect(cluster).execute(request, request_id="load")
    assert coordinator.wait_for_death() == 137
    cluster.stop()

    cluster.start_coordinator()
    cluster.start_worker()
    for _ in range(2):
        assert connect(cluster).execute(request, request_id="load")[-1].rows == 50
    assert rows_of_csv(visible(out)) == expected_sums()
    assert staged(out) == []


@pytest.mark.parametrize("who", ["worker", "coordinator"])
def test_a_compaction_that_dies_loses_and_doubles_nothing(cluster, connect, out, who):
    inserts = 40
    # The first compaction comes after the 32nd segment: each INSERT is one hit before it.
    failpoint = "file_sink.before_sync=33*abort" if who == "worker" else "table.before_version=33*abort"
    coordinator = cluster.start_coordinator(failpoints=failpoint if who == "coordinator" else "")
    dying = cluster.start_worker(failpoints=failpoint if who == "worker" else "")
    client = connect(cluster)
    client.execute("CREATE TABLE log (n bigint)")
    done = 0
    for number in range(inserts):
        try:
            client.execute(f"INSERT INTO log VALUES ({number})", request_id=f"insert-{number}")
        except StatementFailed:
            break
        done += 1
        if done == 32 and who == "worker":
            cluster.start_worker()
    assert (dying if who == "worker" else coordinator).wait_for_death() == 137
    if who == "coordinator":
        cluster.stop()
        cluster.start_coordinator()
        cluster.start_worker()
        client = connect(cluster)
    for number in range(done, inserts):
        client.execute(f"INSERT INTO log VALUES ({number})", request_id=f"insert-{number}")
    assert sorted(rows_of(client.execute("SELECT n FROM log"))) == [(number,) for number in range(inserts)]
    tables = out.parent / "cluster" / "data" / "tables"

    def compacted() -> bool:
        return len(list(tables.glob("*/*"))) < 32

    wait_until(compacted, lambda: sorted(tables.glob("*/*")))
    assert sorted(rows_of(client.execute("SELECT n FROM log"))) == [(number,) for number in range(inserts)]


def test_a_worker_that_wakes_up_late_commits_nothing(cluster, connect, out):
    start_with_one_that_dies(cluster, "", arguments=("--heartbeat-interval", "300 ms", "--heartbeat-timeout", "2 s"))
    sleeping = cluster.workers[1]
    client = connect(cluster)
    client.execute(definitions(out))
    sleeping.popen.send_signal(signal.SIGSTOP)
    try:
        client.execute(SPREAD + f"INSERT INTO copies {SUMS}; INSERT INTO kept {SUMS}")
    finally:
        sleeping.popen.send_signal(signal.SIGCONT)
    workers = "SELECT count(*) FROM millrace.workers WHERE state = 'active'"
    wait_until(lambda: rows_of(client.execute(workers)) == [(3,)], "the late worker joins as a new one")
    assert sorted(rows_of(client.execute("SELECT * FROM kept"))) == expected_sums()
    assert rows_of_csv(visible(out)) == expected_sums()
    assert staged(out) == []
