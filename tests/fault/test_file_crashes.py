"""Crashes while files are written and committed: no half file is ever visible, and a restart gives the exact result."""

import contextlib
import csv
import pathlib
import threading

import pytest
from conftest import write_events
from folder_watch import listed_files, visible_files
from support.job_client import job_call, state_name
from support.sql_client import StatementFailed, rows_of
from support.waiting import wait_until

NUM_FILES = 3
ROWS_PER_FILE = 3000


def ids_in(folder: pathlib.Path) -> list[int]:
    """The ids in all visible files, each of which must be a whole one."""
    ids = []
    for path in visible_files(folder):
        text = path.read_text()
        assert text.startswith("id,") and text.endswith("\n"), path
        rows = list(csv.DictReader(text.splitlines()))
        assert all(row["id"] and row["k"] for row in rows), path
        ids += [int(row["id"]) for row in rows]
    return ids


def all_ids(folder: pathlib.Path) -> list[int]:
    """When every commit is through: readers by manifests and readers of the folder see the same."""
    assert listed_files(folder) == visible_files(folder)
    return sorted(ids_in(folder))


def define(client, source, target, options=""):
    client.execute(
        f"""CREATE TABLE events (id bigint, k integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
            WITH (connector = 'file', path = '{source}/*.csv'{options})"""
    )
    client.execute(
        f"""CREATE TABLE copies (id bigint, k integer)
            WITH (connector = 'file', path = '{target}/', format = 'csv', header = 'true')"""
    )


@pytest.fixture
def folders(tmp_path):
    num_rows = write_events(tmp_path / "events", NUM_FILES, ROWS_PER_FILE)
    (tmp_path / "out").mkdir()
    return tmp_path / "events", tmp_path / "out", num_rows


INSERT = "INSERT INTO copies SELECT id, k FROM events"


def start(cluster, connect, folders, failpoints="", options="", arguments=()):
    """A coordinator that is to crash, one worker, and the tables. Returns the coordinator and a client."""
    source, target, _ = folders
    coordinator = cluster.start_coordinator(failpoints, arguments)
    cluster.start_worker()
    client = connect(cluster)
    define(client, source, target, options)
    return coordinator, client


def restart(cluster) -> None:
    """After a crash; what is left of the processes ends."""
    cluster.stop()
    cluster.start_coordinator()
    cluster.start_worker()


def test_a_worker_dies_before_a_batch_file_is_synced(cluster, connect, folders):
    """It was the last one: the statement waits for another."""
    source, target, num_rows = folders
    cluster.start_coordinator()
    worker = cluster.start_worker(failpoints="file_sink.before_sync=abort")
    client = connect(cluster)
    define(client, source, target)
    insert = threading.Thread(target=client.execute, args=(INSERT,))
    insert.start()
    assert worker.wait_for_death() != 0
    assert visible_files(target) == []

    cluster.start_worker()
    insert.join()
    assert all_ids(target) == list(range(num_rows))


def test_a_statement_goes_on_with_the_workers_that_are_left(cluster, connect, tmp_path):
    source, target = tmp_path / "events", tmp_path / "out"
    # Enough files for both workers.
    num_rows = write_events(source, 40, ROWS_PER_FILE)
    target.mkdir()
    cluster.start_coordinator()
    cluster.start_worker()
    worker = cluster.start_worker(failpoints="file_sink.before_sync=abort")
    client = connect(cluster)
    define(client, source, target)
    client.execute(f"SET parallelism = 4; {INSERT}")
    assert worker.wait_for_death() != 0
    assert all_ids(target) == list(range(num_rows))


def test_the_coordinator_dies_before_it_commits_a_batch_file(cluster, connect, folders):
    _, target, num_rows = folders
    coordinator, client = start(cluster, connect, folders, "storage.before_commit_rename=abort")
    with pytest.raises(StatementFailed):
        client.execute(INSERT)
    assert coordinator.wait_for_death() != 0
    assert visible_files(target) == []

    restart(cluster)
    # The statement has got no answer, but it was decided: all of it is there, also for readers of the table.
    assert all_ids(target) == list(range(num_rows))
    assert rows_of(connect(cluster).execute("SELECT count(*) FROM copies")) == [(num_rows,)]


STREAM = """
    INSERT INTO copies SELECT max(id) AS id, k FROM tumble(events, ts, INTERVAL '1 minute')
    GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE
"""
# Each file has every key in every minute, so each window's largest id comes from the last file.
EXPECTED = sorted((NUM_FILES - 1) * ROWS_PER_FILE + row for row in range(ROWS_PER_FILE) if row % 600 >= 550)


def start_stream(cluster, connect, folders, statement, failpoints, rows_per_second=3000, arguments=()):
    options = f", rows_per_second = '{rows_per_second}'"
    coordinator, client = start(cluster, connect, folders, failpoints, options, arguments)
    client.execute("SET parallelism = 2; SET epoch_interval = '100 ms'; SET checkpoint_interval = '200 ms'")
    # The coordinator may die before it has answered.
    with contextlib.suppress(StatementFailed):
        client.execute(statement)
    return coordinator


def finished(client) -> bool:
    rows = rows_of(client.execute("SELECT state FROM millrace.jobs WHERE name = 'insert_into_copies'"))
    assert rows and rows[0][0] != "failed", rows
    return rows[0][0] == "finished"


def test_a_worker_dies_in_a_stream_that_writes_files(cluster, connect, folders):
    source, target, _ = folders
    cluster.start_coordinator()
    cluster.start_worker()
    worker = cluster.start_worker(failpoints="file_sink.before_sync=abort")
    client = connect(cluster)
    client.execute("SET parallelism = 4; SET epoch_interval = '100 ms'; SET checkpoint_interval = '200 ms'")
    define(client, source, target, options=", rows_per_second = '6000'")
    client.execute(STREAM)
    assert worker.wait_for_death() != 0
    seen = ids_in(target)
    assert len(seen) == len(set(seen)) and set(seen) <= set(EXPECTED)

    cluster.start_worker()
    wait_until(lambda: finished(client), "the end of the stream")
    assert all_ids(target) == EXPECTED


@pytest.mark.parametrize(
    "failpoint",
    [
        "checkpoint.before_sink_commit=abort",
        "storage.before_commit_rename=abort",
        # One file of several has its name already.
        "storage.before_commit_rename=2*abort",
        # All files of the epoch have their names, and no manifest tells of them.
        "sink_commit.before_manifest=abort",
        "checkpoint.before_mark_committed=abort",
    ],
)
def test_the_coordinator_dies_while_a_stream_commits(cluster, connect, folders, failpoint):
    """The restarted one finishes the commit that the last checkpoint had begun."""
    _, target, _ = folders
    coordinator = start_stream(cluster, connect, folders, STREAM, failpoint, rows_per_second=6000)
    assert coordinator.wait_for_death() != 0
    assert set(ids_in(target)) <= set(EXPECTED)

    restart(cluster)
    client = connect(cluster)
    wait_until(lambda: finished(client), "the end of the stream")
    assert all_ids(target) == EXPECTED


@contextlib.contextmanager
def away(folder: pathlib.Path, mount_point: str):
    """The file system of `folder` is not mounted: nothing is there, or an empty folder."""
    place = folder.rename(folder.with_name("away"))
    if mount_point == "empty":
        folder.mkdir()
    yield
    if mount_point == "empty":
        assert list(folder.iterdir()) == []
        folder.rmdir()
    place.rename(folder)


@pytest.mark.parametrize("mount_point", ["missing", "empty"])
def test_a_decided_statement_waits_for_its_folder(cluster, connect, folders, mount_point):
    _, target, num_rows = folders
    coordinator, client = start(cluster, connect, folders, "file_commit.after_decision=abort")
    with pytest.raises(StatementFailed):
        client.execute(INSERT, request_id="load")
    assert coordinator.wait_for_death() != 0
    with away(target, mount_point):
        # Twice: the note outlives every start.
        restart(cluster)
        restart(cluster)
    wait_until(lambda: listed_files(target), lambda: list(target.iterdir()))
    assert all_ids(target) == list(range(num_rows))
    # What the client hears is what is there.
    assert connect(cluster).execute(INSERT, request_id="load")[-1].rows == num_rows
    assert all_ids(target) == list(range(num_rows))


def test_a_commit_that_fails_behind_its_rename_is_taken_back(cluster, connect, folders):
    _, target, num_rows = folders
    _, client = start(cluster, connect, folders, "storage.before_commit_sync=1*error")
    with pytest.raises(StatementFailed):
        client.execute(INSERT, request_id="load")
    assert visible_files(target) == listed_files(target) == []
    client.execute(INSERT, request_id="load")
    assert all_ids(target) == list(range(num_rows))


STREAM_OF_IDS = f"{INSERT} EMIT ON WINDOW CLOSE"


@pytest.mark.parametrize(
    "failpoint",
    [
        # The manifest of the epoch is there, or is not: then only the names tell.
        "checkpoint.before_mark_committed=2*abort",
        "sink_commit.before_manifest=2*abort",
    ],
)
def test_files_may_be_taken_away_before_their_commit_is_recorded(cluster, connect, folders, failpoint):
    _, target, num_rows = folders
    coordinator = start_stream(cluster, connect, folders, STREAM_OF_IDS, failpoint)
    assert coordinator.wait_for_death() != 0
    cluster.stop()
    taken = ids_in(target)
    assert taken
    for path in visible_files(target):
        path.unlink()

    restart(cluster)
    client = connect(cluster)
    wait_until(lambda: finished(client), "the end of the stream")
    assert sorted(taken + ids_in(target)) == list(range(num_rows))


def stream_of(cluster):
    answer = job_call(cluster.address, "Get", job="insert_into_copies")
    return answer.status if answer else None


def cause(cluster) -> str:
    status = stream_of(cluster)
    return str(status.error) + str(status.steps) + str(status.restarts) if status else ""


def go_on(cluster) -> None:
    """Until the stream has read everything; one that has given up waiting is restarted, as a user would do."""

    def over() -> bool:
        state = state_name(stream_of(cluster))
        if state == "FAILED":
            assert "not the one that was written to" in cause(cluster), stream_of(cluster)
            job_call(cluster.address, "Restart", job="insert_into_copies")
        return state == "FINISHED"

    wait_until(over, lambda: stream_of(cluster))


@pytest.mark.parametrize("mount_point", ["missing", "empty"])
def test_a_stream_waits_for_the_folder_with_its_promised_files(cluster, connect, folders, mount_point):
    _, target, num_rows = folders
    coordinator = start_stream(cluster, connect, folders, STREAM_OF_IDS, "sink_commit.before_manifest=2*abort")
    assert coordinator.wait_for_death() != 0
    with away(target, mount_point):
        restart(cluster)
        wait_until(lambda: "not the one that was written to" in cause(cluster), lambda: stream_of(cluster))
    go_on(cluster)
    assert all_ids(target) == list(range(num_rows))


def test_the_coordinator_dies_while_a_stream_goes_back(cluster, connect, folders):
    """The newest manifest is gone and its files are not: the restarted one removes them before it writes them again."""
    _, target, num_rows = folders
    failpoint = "sink_commit.after_manifest_removal=abort"
    keep_all = ("--checkpoints-kept", "100")
    coordinator = start_stream(cluster, connect, folders, STREAM_OF_IDS, failpoint, arguments=keep_all)
    first = wait_until(lambda: stream_of(cluster).durable_epoch, lambda: stream_of(cluster))

    def committed_since() -> list[pathlib.Path]:
        return [path for path in (target / "_manifest").glob("[!_]*.json") if int(path.stem.split("-")[2]) > first]

    wait_until(committed_since, lambda: list(target.iterdir()))
    job_call(cluster.address, "Restart", job="insert_into_copies", checkpoint_epoch=first)
    assert coordinator.wait_for_death() != 0
    assert set(listed_files(target)) < set(visible_files(target))
    restart(cluster)
    go_on(cluster)
    assert all_ids(target) == list(range(num_rows))
