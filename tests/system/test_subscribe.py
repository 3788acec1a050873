"""SUBSCRIBE on real processes: what it sends adds up to the view, at every epoch."""

import json
import os
import subprocess
from collections import Counter

import pytest
from conftest import BUILD
from support.sql_client import StatementFailed, rows_of
from support.subscription import Subscription, total_of, totals_by_epoch
from support.waiting import wait_until

NUM_KEYS = 23
RATE = 3000
EPOCHS = ("durable", "published")


def with_snapshot(epochs):
    return f" WITH (snapshot = true, epochs = '{epochs}')"


def view_rows(client, view="counts", at=""):
    return Counter(dict.fromkeys(rows_of(client.execute(f"SELECT * FROM {view}{at}")), 1))


@pytest.fixture
def source(client, tmp_path):
    """A folder that is followed; add(n) appends rows."""
    folder = tmp_path / "events"
    folder.mkdir()
    (folder / "a.csv").write_text("k,v\n")
    client.execute(
        f"""CREATE TABLE events (k integer, v bigint)
            WITH (connector = 'file', path = '{folder}/*.csv', follow = true, follow_interval = '50 ms')"""
    )
    written = 0

    def add(num_rows):
        nonlocal written
        with (folder / "a.csv").open("a") as out:
            out.write("".join(f"{row % NUM_KEYS},{row}\n" for row in range(written, written + num_rows)))
        written += num_rows
        return written

    yield add
    client.execute("RESET ALL; DROP TABLE events CASCADE")


@pytest.fixture
def subscribe(cluster):
    opened = []

    def to(view="counts", options=""):
        opened.append(Subscription(cluster.address, f"SUBSCRIBE TO {view}{options}"))
        return opened[-1]

    yield to
    for subscription in opened:
        if not subscription.ended():
            subscription.cancel()


def create(client, parallelism=2, checkpoint="500 ms"):
    client.execute(
        f"""SET parallelism = {parallelism}; SET epoch_interval = '100 ms'; SET checkpoint_interval = '{checkpoint}';
            CREATE MATERIALIZED VIEW counts AS SELECT k, count(*) AS n, sum(v) AS total FROM events GROUP BY k"""
    )


def wait_for_rows(client, num_rows):
    client.execute(f"CALL millrace.wait_for('counts', 'rows', {num_rows}, '90 s')")


@pytest.mark.parametrize("parallelism", [1, 2, 4])
@pytest.mark.parametrize("epochs", EPOCHS)
def test_the_changes_add_up_to_the_view(client, source, subscribe, epochs, parallelism):
    source(1000)
    create(client, parallelism)
    wait_for_rows(client, 1000)
    reader = subscribe(options=with_snapshot(epochs))
    for _ in range(4):
        wait_for_rows(client, source(500))
    expected = view_rows(client)
    wait_until(lambda: total_of(reader.complete_rows()) == expected, lambda: reader.rows[-3:])
    assert reader.names == ["epoch", "weight", "k", "n", "total"]
    epochs_sent = [row[0] for row in reader.rows]
    assert epochs_sent == sorted(epochs_sent)
    # An update is the old row taken back and the new one added.
    assert {row[1] for row in reader.rows} == {-1, 1}


def test_every_epoch_is_the_view_at_that_epoch(client, source, subscribe):
    create(client)
    reader = subscribe(options=" WITH (snapshot = true, epochs = 'published', progress = true)")
    compared = set()

    def ten_epochs_compared():
        source(50)
        marks = totals_by_epoch(list(reader.rows))
        if not marks or max(marks) in compared:
            return False
        epoch = max(marks)
        try:
            assert view_rows(client, at=f" AS OF EPOCH {epoch}") == marks[epoch]
            compared.add(epoch)
        except StatementFailed as error:
            assert error.sqlstate == "22023", error  # Not kept any more: the test was slow.
        return len(compared) >= 10

    wait_until(ten_epochs_compared, lambda: compared)
    assert reader.error is None


def test_without_a_snapshot_only_what_changes_from_now_on_is_sent(client, source, subscribe):
    source(230)
    create(client)
    wait_for_rows(client, 230)
    reader = subscribe(options=" WITH (epochs = 'published', progress = true)")
    before = view_rows(client)
    wait_until(lambda: reader.rows, "the first mark")
    assert total_of(reader.rows) == Counter()
    wait_for_rows(client, source(230))
    expected = view_rows(client)
    expected.subtract(before)
    expected = Counter({row: weight for row, weight in expected.items() if weight})
    wait_until(lambda: total_of(reader.complete_rows()) == expected, lambda: reader.rows[-3:])


def test_durable_epochs_only(client, source, subscribe):
    """What was sent is never above what would survive the loss of all processes."""
    create(client, checkpoint="300 ms")
    reader = subscribe(options=" WITH (snapshot = true)")
    for _ in range(6):
        wait_for_rows(client, source(300))
        newest = max((row[0] for row in list(reader.rows)), default=0)
        [(durable,)] = rows_of(client.execute("SELECT durable_epoch FROM millrace.jobs WHERE name = 'counts'"))
        assert newest <= durable
    expected = view_rows(client)
    wait_until(lambda: total_of(reader.complete_rows()) == expected, lambda: reader.rows[-3:])


def test_several_readers_of_several_views_get_the_same(client, source, subscribe):
    create(client)
    client.execute("CREATE MATERIALIZED VIEW few AS SELECT v FROM events WHERE k = 3")
    readers = [subscribe(options=with_snapshot(epochs)) for epochs in EPOCHS]
    readers += [subscribe("few", with_snapshot("published")) for _ in range(2)]
    for _ in range(3):
        wait_for_rows(client, source(460))
    expected = [view_rows(client)] * 2 + [view_rows(client, "few")] * 2
    wait_until(
        lambda: [total_of(reader.complete_rows()) for reader in readers] == expected,
        lambda: [len(reader.rows) for reader in readers],
    )
    # A view that only grows takes nothing back.
    assert all(row[1] == 1 for reader in readers[2:] for row in reader.rows)


def test_a_slow_reader_gets_several_epochs_at_once(client, source, subscribe):
    create(client)
    reader = subscribe(options=" WITH (snapshot = true, epochs = 'published', progress = true)")
    wait_until(lambda: reader.rows, "the snapshot")
    reader.pause.clear()
    for _ in range(20):
        wait_for_rows(client, source(2300))
    reader.pause.set()
    expected = view_rows(client)
    wait_until(lambda: total_of(reader.complete_rows()) == expected, lambda: reader.rows[-3:])


def test_dropping_the_view_ends_it_with_an_error(client, source, subscribe):
    create(client)
    reader = subscribe()
    wait_until(lambda: reader.ends, "the beginning")
    client.execute("DROP MATERIALIZED VIEW counts")
    wait_until(reader.ended, "the end")
    assert reader.error is not None and reader.error.sqlstate == "55000"
    assert "counts" in reader.error.message


def test_cancelling_the_call_leaves_nothing_behind(client, source, subscribe):
    create(client)
    reader = subscribe()
    wait_until(lambda: reader.ends, "the beginning")
    reader.cancel()
    assert reader.error is not None
    wait_for_rows(client, source(100))
    client.execute("DROP MATERIALIZED VIEW counts")


def test_it_ends_with_the_job(client, cluster, tmp_path, subscribe):
    (tmp_path / "once.csv").write_text("k,v\n" + "".join(f"{row % NUM_KEYS},{row}\n" for row in range(2 * RATE)))
    client.execute(
        f"""CREATE TABLE once (k integer, v bigint)
            WITH (connector = 'file', path = '{tmp_path}/once.csv', rows_per_second = '{RATE}');
            SET epoch_interval = '100 ms';
            CREATE MATERIALIZED VIEW sums AS SELECT k, sum(v) AS total FROM once GROUP BY k"""
    )
    try:
        readers = [subscribe("sums", with_snapshot(epochs)) for epochs in EPOCHS]
        wait_until(lambda: all(reader.ended() for reader in readers), "the end of the job")
        expected = view_rows(client, "sums")
        assert len(expected) == NUM_KEYS
        for reader in readers:
            assert (reader.error, reader.tag) == (None, "SUBSCRIBE")
            assert total_of(reader.rows) == expected
        # And of a job that is at its end there is only the snapshot.
        late = subscribe("sums", " WITH (snapshot = true)")
        wait_until(late.ended, "the end")
        assert total_of(late.rows) == expected
        assert all(row[1] == 1 for row in late.rows)
        empty = subscribe("sums")
        wait_until(empty.ended, "the end")
        assert (empty.rows, empty.tag) == ([], "SUBSCRIBE")
    finally:
        client.execute("RESET ALL; DROP TABLE once CASCADE")


def test_a_view_with_columns_of_the_same_names(client, source, subscribe):
    source(10)
    client.execute(
        """SET epoch_interval = '100 ms';
           CREATE MATERIALIZED VIEW counts AS SELECT k AS epoch, count(*) AS weight FROM events GROUP BY k"""
    )
    reader = subscribe(options=" WITH (snapshot = true, epochs = 'published')")
    wait_until(lambda: len(reader.rows) >= 10, lambda: reader.rows)
    assert reader.names == ["_epoch", "_weight", "epoch", "weight"]


def test_errors_keep_their_place(client, source):
    create(client)
    for sql, sqlstate, position in (
        ("SELECT 1; SUBSCRIBE TO events", "42809", 24),
        ("SUBSCRIBE TO counts WITH (snapshots = true)", "22023", 27),
        ("EXPLAIN SUBSCRIBE TO counts", "0A000", 1),
    ):
        with pytest.raises(StatementFailed) as failed:
            client.execute(sql)
        assert (failed.value.sqlstate, failed.value.position) == (sqlstate, position), failed.value


@pytest.mark.parametrize("form", ["csv", "jsonl", "table"])
def test_the_command_line_prints_rows_as_they_come(client, cluster, source, form):
    source(NUM_KEYS)
    create(client)
    process = subprocess.Popen(
        [
            BUILD / "bin" / "millrace",
            "sql",
            "-o",
            form,
            "-c",
            "SUBSCRIBE TO counts WITH (snapshot = true, epochs = 'published')",
        ],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "MILLRACE_SERVER": cluster.address},
    )
    out = b""

    def printed(num_lines):
        nonlocal out
        assert process.poll() is None, process.stderr.read()
        os.set_blocking(process.stdout.fileno(), False)
        out += process.stdout.read() or b""
        return out.count(b"\n") >= num_lines

    header = {"csv": 1, "jsonl": 0, "table": 2}[form]
    wait_until(lambda: printed(header + NUM_KEYS), lambda: out)
    source(NUM_KEYS)
    wait_until(lambda: printed(header + 3 * NUM_KEYS), lambda: out)
    process.send_signal(2)
    assert process.wait(60) == 130
    lines = out.decode().splitlines()
    if form == "jsonl":
        assert {json.loads(line)["n"] for line in lines} == {1, 2}
    elif form == "csv":
        assert lines[0] == "epoch,weight,k,n,total"
    else:
        assert lines[0].split() == ["epoch", "|", "weight", "|", "k", "|", "n", "|", "total"]
