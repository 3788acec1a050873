"""Rows that leave the computation can be found again: malformed rows (bad_rows = 'keep') and late ones (late_into)."""

import datetime
import random

import pytest
from conftest import BUILD
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

START = datetime.datetime(2024, 1, 1)


def define(client, name, columns, path, options=""):
    client.execute(f"CREATE TABLE {name} ({columns}) WITH (connector = 'file', path = '{path}'{options})")


def test_a_batch_query_keeps_its_bad_rows(client, tmp_path):
    first = "id,n\n1,10\n2,twelve\n3,30\n4\n5,50\n"
    (tmp_path / "a.csv").write_text(first)
    (tmp_path / "b.csv").write_bytes(b"id,n\n6,\xff\xfe\n7,70\n" + b"8," + b"x" * 5000 + b"\n")
    define(client, "broken", "id integer, n integer", f"{tmp_path}/*.csv", ", bad_rows = 'keep'")
    try:
        [result] = client.execute("SELECT * FROM broken")
        assert sorted(rows_of([result])) == [(1, 10), (3, 30), (5, 50), (7, 70)]
        assert result.notices == ['4 rows of "broken" did not parse and were left out']
        kept = rows_of(
            client.execute(
                """SELECT source, path, position, line, row, reason FROM millrace.bad_rows
                   WHERE job_id = (SELECT max(job_id) FROM millrace.bad_rows) ORDER BY path, position"""
            )
        )
        assert [(row[0], row[1][-5:], row[2], row[3]) for row in kept] == [
            ("broken", "a.csv", first.index("2,tw"), 3),
            ("broken", "a.csv", first.index("4\n"), 5),
            ("broken", "b.csv", 5, 2),
            ("broken", "b.csv", 15, 4),
        ]
        assert [row[4] for row in kept[:3]] == ["2,twelve", "4", "6,\\xFF\\xFE"]
        assert kept[3][4] == "8," + "x" * 1022 + "…"
        assert kept[0][5] == 'column "n": invalid input syntax for type integer: "twelve"'
        assert kept[1][5] == 'missing data for column "n"'
        counts = client.execute("SELECT rows, kept FROM millrace.bad_row_counts WHERE source = 'broken'")
        assert rows_of(counts) == [(4, 4)]
    finally:
        client.execute("DROP TABLE broken")


def test_more_rows_than_the_bound_are_counted_only(client, tmp_path):
    (tmp_path / "a.csv").write_text("".join(f"{i},bad\n" for i in range(3000)) + "1,1\n")
    define(client, "flood", "id integer, n integer", f"{tmp_path}/a.csv", ", bad_rows = 'keep', header = false")
    try:
        assert rows_of(client.execute("SELECT * FROM flood")) == [(1, 1)]
        counts = client.execute("SELECT rows, kept FROM millrace.bad_row_counts WHERE source = 'flood'")
        assert rows_of(counts) == [(3000, 1000)]
    finally:
        client.execute("DROP TABLE flood")


def test_a_failing_query_names_everything(client, tmp_path):
    (tmp_path / "a.json").write_text('{"id": 1, "n": 5}\n{"id": 2, "n": "five"}\n')
    define(client, "strict", "id integer, n integer", f"{tmp_path}/a.json")
    try:
        with pytest.raises(StatementFailed) as failure:
            client.execute("SELECT * FROM strict")
        assert failure.value.sqlstate == "22P02"
        assert "bad_rows = 'skip'" in failure.value.hint
        for part in ("a.json line 2", 'column "n"', '"five"'):
            assert part in failure.value.message
    finally:
        client.execute("DROP TABLE strict")


def write_events(path, num_rows, generator, bad_share=0.0):
    """Events in time order with disorder. Returns the ids of late and of bad rows, for a delay of one minute."""
    late, bad, largest = [], [], None
    with path.open("w") as out:
        out.write("id,v,ts\n")
        for row in range(num_rows):
            if generator.random() < bad_share:
                bad.append(row)
                out.write(f"{row},none,oops\n")
                continue
            moment = START + datetime.timedelta(seconds=row + generator.randrange(-90, 1))
            if largest is not None and moment < largest - datetime.timedelta(minutes=1):
                late.append(row)
            largest = moment if largest is None else max(largest, moment)
            out.write(f"{row},{row % 10},{moment:%Y-%m-%d %H:%M:%S}\n")
    return late, bad


EVENTS = "id bigint, v integer, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1 minute'"


def test_late_rows_are_a_relation(client, tmp_path):
    late, _ = write_events(tmp_path / "a.csv", 5000, random.Random(3))
    assert late
    define(client, "events", EVENTS, f"{tmp_path}/a.csv", ", late_into = 'events_late'")
    try:
        client.execute("CREATE MATERIALIZED VIEW on_time AS SELECT id FROM events")
        for view in ("on_time", "events_late"):
            client.execute(f"CALL millrace.wait_for('{view}', 'complete', 0, INTERVAL '60 seconds')")
        assert sorted(id for (id,) in rows_of(client.execute("SELECT id FROM events_late"))) == late
        on_time = {id for (id,) in rows_of(client.execute("SELECT id FROM on_time"))}
        assert on_time == set(range(5000)) - set(late)
        [(count,)] = rows_of(client.execute("SELECT rows FROM millrace.late_rows WHERE job = 'on_time'"))
        assert count == len(late)
        columns = rows_of(client.execute("SELECT * FROM events_late ORDER BY id LIMIT 1"))
        assert columns[0][1] == late[0] % 10
        # A query that ends knows no late rows.
        assert rows_of(client.execute("SELECT count(*) FROM events")) == [(5000,)]
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS on_time")
        client.execute("DROP TABLE events")
    with pytest.raises(StatementFailed) as failure:
        client.execute("SELECT * FROM events_late")
    assert failure.value.sqlstate == "42P01"


def test_late_into_needs_a_watermark_and_a_free_name(client, tmp_path):
    (tmp_path / "a.csv").write_text("id,ts\n")
    with pytest.raises(StatementFailed) as failure:
        define(client, "e", "id bigint, ts timestamp", f"{tmp_path}/a.csv", ", late_into = 'e_late'")
    assert failure.value.sqlstate == "22023"
    client.execute("CREATE TABLE taken (i integer)")
    try:
        with pytest.raises(StatementFailed) as failure:
            define(client, "e", EVENTS, f"{tmp_path}/a.csv", ", late_into = 'taken'")
        assert failure.value.sqlstate == "42P07"
        with pytest.raises(StatementFailed) as failure:
            client.execute("SELECT * FROM e")
        assert failure.value.sqlstate == "42P01"
    finally:
        client.execute("DROP TABLE taken")


def test_late_and_bad_rows_are_kept_once_over_crashes(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    late, bad = [], []
    for index in range(3):
        one, other = write_events(files / f"{index}.csv", 4000, random.Random(index), bad_share=0.01)
        late += [(index, row) for row in one]
        bad += [(index, row) for row in other]
    data_dir = tmp_path / "cluster"
    cluster = DevCluster(BUILD, data_dir)
    client = SqlClient(cluster.address)
    try:
        client.execute("SET epoch_interval = '30 ms'; SET checkpoint_interval = '150 ms'")
        define(
            client, "events", EVENTS, f"{files}/*.csv",
            ", late_into = 'events_late', bad_rows = 'keep', rows_per_second = '6000'",
        )  # fmt: skip
        client.execute("CREATE MATERIALIZED VIEW totals AS SELECT count(*) AS n, sum(v) AS s FROM events")
        for _ in range(3):
            [(before,)] = rows_of(client.execute("SELECT durable_epoch FROM millrace.jobs WHERE name = 'totals'"))
            durable = "SELECT durable_epoch FROM millrace.jobs WHERE name = 'totals'"
            wait_until(lambda: rows_of(client.execute(durable))[0][0] > before, "a durable epoch")  # noqa: B023
            cluster.crash()
            client.close()
            cluster = DevCluster(BUILD, data_dir)
            client = SqlClient(cluster.address)
        for view in ("totals", "events_late"):
            client.execute(f"CALL millrace.wait_for('{view}', 'complete', 0, INTERVAL '60 seconds')")
        kept_late = [id for (id,) in rows_of(client.execute("SELECT id FROM events_late"))]
        assert sorted(kept_late) == sorted(row for _, row in late)
        assert rows_of(client.execute("SELECT n FROM totals")) == [(3 * 4000 - len(late) - len(bad),)]
        kept_bad = rows_of(client.execute("SELECT path, row FROM millrace.bad_rows WHERE job = 'totals'"))
        assert sorted((int(path[-5]), int(text.split(",")[0])) for path, text in kept_bad) == sorted(bad)
    finally:
        client.close()
        cluster.stop()
