"""The coordinator dies before or after each of its metadata writes: a statement is then done or undone."""

import concurrent.futures
import contextlib
import datetime
import os
import random
import shutil
from functools import partial
from pathlib import Path

import pytest
from at_once import run_at_once
from conftest import write_events
from support.job_client import job_call, state_name
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

# Every write in the long form, some in the short one.
EVERY = os.environ.get("MILLRACE_FAULT_LONG") == "1"
WRITES_MAX = 60
SHORT_WRITES_MAX = 16
ROWS = 600

PREPARED = """
    CREATE TABLE kept (a integer);
    INSERT INTO kept VALUES (1), (2);
    CREATE TABLE ticks (id bigint, k integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
      WITH (connector = 'file', path = '{files}/*.csv');
    CREATE TABLE copies (id bigint) WITH (connector = 'file', path = '{out}/', format = 'csv', header = 'true');
    CREATE MATERIALIZED VIEW sums AS SELECT count(*) AS n, sum(a) AS s FROM kept
"""
# Statement, and a query with its answers without the statement and with it; None: it fails, there is no such thing.
STATEMENTS = {
    "create_definition": (
        "CREATE TABLE events (id bigint) WITH (connector = 'file', path = '{files}/*.csv')",
        "SELECT count(*) FROM events",
        None,
        [(ROWS,)],
    ),
    "create_table": ("CREATE TABLE fresh (a integer)", "SELECT count(*) FROM fresh", None, [(0,)]),
    "create_table_as": ("CREATE TABLE copy AS SELECT a FROM kept", "SELECT sum(a) FROM copy", None, [(3,)]),
    "create_view": ("CREATE VIEW named AS SELECT a FROM kept", "SELECT sum(a) FROM named", None, [(3,)]),
    "create_live_view": (
        "CREATE MATERIALIZED VIEW live AS SELECT max(a) AS m FROM kept",
        "SELECT m FROM live",
        None,
        [(2,)],
    ),
    "create_definition_with_late_rows": (
        """CREATE TABLE arrivals (id bigint, k integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
           WITH (connector = 'file', path = '{files}/*.csv', late_into = 'too_late')""",
        "SELECT (SELECT count(*) FROM arrivals) AS n, (SELECT count(*) FROM too_late) AS late",
        None,
        [(ROWS, 0)],
    ),
    "insert_stream": (
        "INSERT INTO copies SELECT id FROM ticks EMIT ON WINDOW CLOSE",
        "SELECT count(*) FROM millrace.jobs WHERE name LIKE 'insert_into_copies%'",
        [(0,)],
        [(1,)],
    ),
    "insert": ("INSERT INTO kept SELECT a + 10 FROM kept", "SELECT n, s FROM sums", [(2, 3)], [(4, 26)]),
    "drop_live_view": ("DROP MATERIALIZED VIEW sums", "SELECT n, s FROM sums", [(2, 3)], None),
    "drop_table": ("DROP TABLE kept CASCADE", "SELECT count(*) FROM kept", [(2,)], None),
}


class Server:
    """A coordinator that is restarted, and a worker that is not asked to survive it."""

    def __init__(self, build: Path, folder: Path) -> None:
        self._cluster = ProcessCluster(build, folder)
        self._client: SqlClient | None = None

    def start(self, failpoints: str = "") -> None:
        self.stop()
        self._cluster.start_coordinator(failpoints, ("--epoch-interval", "50 ms", "--checkpoint-interval", "100 ms"))
        self._cluster.start_worker()
        self._client = SqlClient(self._cluster.address, timeout_s=60)

    def stop(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None
        # Not the gentle way: nothing is tidied up.
        for process in (*self._cluster.workers, *([self._cluster.coordinator] if self._cluster.coordinator else [])):
            process.kill()
        self._cluster.workers.clear()

    def kill_coordinator(self) -> None:
        assert self._cluster.coordinator is not None
        self._cluster.coordinator.kill()

    @property
    def alive(self) -> bool:
        return self._cluster.coordinator is not None and self._cluster.coordinator.popen.poll() is None

    @property
    def address(self) -> str:
        return self._cluster.address

    def execute(self, sql: str, request_id: str = "") -> list[tuple]:
        assert self._client is not None
        results = self._client.execute(sql, request_id)
        return rows_of(results) if results[-1].schema is not None else []

    def answer(self, query: str) -> list[tuple] | None:
        """None if what it reads is not there."""

        def ask() -> tuple[list[tuple] | None] | None:
            try:
                # What has been inserted shows in the views' next epoch.
                return (self.execute(f"FLUSH; {query}"),)
            except StatementFailed as error:
                if error.sqlstate == "42P01":
                    return (None,)
                assert error.sqlstate in ("55000", "08006", "53000"), error
                return None

        return wait_until(ask, query)[0]


def numbers_of_writes(*what: str) -> list[int]:
    """Those before which or after which to die, counted from the start of the process, ascending."""
    numbers = range(1, WRITES_MAX)
    if EVERY:
        return list(numbers)
    day = datetime.datetime.now(datetime.UTC).strftime("%Y%m%d")
    return sorted(random.Random(f"{day} {what}").sample(numbers[:SHORT_WRITES_MAX], 2))


def prepare(server: Server, files: Path) -> None:
    num_rows = write_events(files, 2, ROWS // 2)
    assert num_rows == ROWS
    server.start()
    (files.parent / "out").mkdir()
    server.execute(PREPARED.format(files=files, out=files.parent / "out"))
    wait_until(lambda: server.answer("SELECT n, s FROM sums") == [(2, 3)], "the prepared view")


def start_and_run(server: Server, failpoint: str, sql: str, request_id: str) -> bool:
    """True if the statement has been acknowledged."""
    try:
        server.start(failpoint)
        server.execute(sql, request_id)
    except (RuntimeError, StatementFailed):
        # It died at the start already, or in the statement.
        wait_until(lambda: not server.alive, "the death that let the statement fail")
        return False
    return True


def check_statement(build: Path, folder: Path, statement: str, place: str) -> None:
    sql, query, without, done = STATEMENTS[statement]
    sql = sql.format(files=folder / "files")
    server = Server(build, folder / "prepared")
    try:
        prepare(server, folder / "files")
    finally:
        server.stop()
    for number in numbers_of_writes(statement, place):
        again = folder / str(number)
        shutil.copytree(folder / "prepared", again)
        server = Server(build, again)
        try:
            acknowledged = start_and_run(server, f"metadata.{place}_commit={number}*abort", sql, "once")
            server.start()
            answer = server.answer(query)
            assert answer == done or (answer == without and not acknowledged), f"write {number}: {answer}"
            # The client does not know, and asks again: done once.
            server.execute(sql, "once")
            assert server.answer(query) == done, f"write {number}, repeated"
        finally:
            server.stop()
        if acknowledged:
            break


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_statement_is_done_or_undone(build_with_failpoints: Path, tmp_path: Path, place: str) -> None:
    check = partial(check_statement, build_with_failpoints)
    run_at_once({name: partial(check, tmp_path / name, name, place) for name in STATEMENTS})


def test_a_stream_into_files_is_started_once(build_with_failpoints: Path, tmp_path: Path) -> None:
    """The coordinator dies when the job is durable and the statement is not acknowledged: the job goes on, and the
    repeated request finds it."""
    server = Server(build_with_failpoints, tmp_path / "cluster")
    sql = STATEMENTS["insert_stream"][0]
    try:
        prepare(server, tmp_path / "files")
        server.start("epoch.hold_start=hold")
        with concurrent.futures.ThreadPoolExecutor() as threads:
            first = threads.submit(server.execute, sql, "once")
            wait_until(lambda: job_call(server.address, "Get", job="insert_into_copies"), "the job's record")
            server.kill_coordinator()
            with pytest.raises(StatementFailed):
                first.result()
        server.start()
        server.execute(sql, "once")
        jobs = "SELECT name, state FROM millrace.jobs WHERE name LIKE 'insert_into_copies%'"
        wait_until(lambda: all(state == "finished" for _, state in server.execute(jobs)), "the job's end")
        assert len(server.execute(jobs)) == 1
        assert server.execute("SELECT count(*) AS n, count(DISTINCT id) AS ids FROM copies") == [(ROWS, ROWS)]
    finally:
        server.stop()


def test_a_stream_that_fails_at_its_start_is_not_remembered_as_done(
    build_with_failpoints: Path, tmp_path: Path
) -> None:
    server = Server(build_with_failpoints, tmp_path / "cluster")
    sql = "INSERT INTO copies SELECT 1 / (id - id) FROM ticks EMIT ON WINDOW CLOSE"
    try:
        prepare(server, tmp_path / "files")
        jobs = "SELECT count(*) FROM millrace.jobs WHERE name LIKE 'insert_into_copies%'"
        for restart in (False, False, True):
            if restart:
                server.start()
            try:
                server.execute(sql, "once")
            except StatementFailed as failed:
                assert failed.sqlstate == "22012"
                assert server.execute(jobs) == [(0,)]
            else:
                # Its first epoch was there before the row: the error is that of a job that was made.
                assert server.execute(jobs) == [(1,)]
                return
    finally:
        server.stop()


SCRIPT = """
    CREATE TABLE events (id bigint, k integer, ts timestamp) WITH (connector = 'file', path = '{files}/*.csv');
    CREATE TABLE a (n bigint);
    INSERT INTO a VALUES (1), (2);
    CREATE TABLE b AS SELECT n * 10 AS n FROM a;
    INSERT INTO b SELECT n + 1 FROM b;
    CREATE MATERIALIZED VIEW live AS SELECT k, count(*) AS n FROM events GROUP BY k;
    CALL millrace.wait_for('live', 'complete');
    CREATE TABLE c AS SELECT sum(n) AS n FROM live
"""


def submit_and_wait(server: Server, script: str) -> None:
    """Until the job has finished, or the coordinator has died."""

    def over() -> bool:
        answer = job_call(server.address, "Get", job="script")
        if answer is None:
            return not server.alive
        assert state_name(answer.status) in ("CREATED", "RUNNING", "FINISHED"), answer.status
        return state_name(answer.status) == "FINISHED"

    if job_call(server.address, "Submit", sql=script, name="script", request_id="once") is None:
        wait_until(lambda: not server.alive, "the death that let the submission fail")
        return
    wait_until(over, "the script's end")


@pytest.mark.parametrize("place", ["before", "after"])
def test_a_script_goes_on_at_the_step_that_was_not_committed(
    build_with_failpoints: Path, tmp_path: Path, place: str
) -> None:
    write_events(tmp_path / "files", 2, ROWS // 2)
    script = SCRIPT.format(files=tmp_path / "files")
    for number in numbers_of_writes("script", place):
        folder = tmp_path / str(number)
        server = Server(build_with_failpoints, folder)
        try:
            with contextlib.suppress(RuntimeError):
                server.start(f"metadata.{place}_commit={number}*abort")
                submit_and_wait(server, script)
            died = not server.alive
            server.start()
            submit_and_wait(server, script)
            assert server.answer("SELECT n FROM b ORDER BY n") == [(10,), (11,), (20,), (21,)], f"write {number}"
            assert server.answer("SELECT n FROM c") == [(ROWS,)], f"write {number}"
        finally:
            server.stop()
        shutil.rmtree(folder)
        if not died:
            break


def test_a_step_after_wait_for_builds_on_what_is_durable(build_with_failpoints: Path, tmp_path: Path) -> None:
    """The view is complete before its last checkpoint is; what comes then must not be lost with the coordinator."""
    write_events(tmp_path / "files", 2, ROWS // 2)
    script = "SET checkpoint_interval = '1 hour';" + SCRIPT.format(files=tmp_path / "files")
    # So that a view that begins again has little at first.
    script = script.replace("path =", f"rows_per_second = '{ROWS // 2}', path =")
    server = Server(build_with_failpoints, tmp_path / "cluster")
    try:
        server.start("checkpoint.before_manifest=abort")
        submit_and_wait(server, script)
        assert not server.alive
        server.start()
        submit_and_wait(server, script)
        assert server.answer("SELECT n FROM c") == [(ROWS,)]
    finally:
        server.stop()
