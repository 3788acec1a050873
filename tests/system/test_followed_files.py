"""follow = true: new files and appended lines are read as they come, also over a restart."""

import pytest
from conftest import BUILD
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

DEADLINE_S = 60
QUICK = ", follow = true, follow_interval = '50 ms'"


def wait_for_rows(client, view, expected):
    def rows():
        return sorted(rows_of(client.execute(f"SELECT * FROM {view}")))

    wait_until(lambda: rows() == sorted(expected), lambda: f"{sorted(expected)[:20]} instead of {rows()[:20]}")


def append(path, text):
    with path.open("a") as out:
        out.write(text)


def ids(*numbers):
    return [(number,) for number in numbers]


@pytest.mark.parametrize("form", ["csv", "json"])
def test_appended_lines_and_new_files_are_read(client, tmp_path, form):
    def line(number):
        return f"{number},x{number}\n" if form == "csv" else f'{{"id": {number}, "t": "x{number}"}}\n'

    head = "id,t\n" if form == "csv" else ""
    append(tmp_path / f"a.{form}", head + line(1) + line(2))
    client.execute(
        f"CREATE TABLE log (id bigint, t text) WITH (connector = 'file', path = '{tmp_path}/*.{form}'{QUICK})"
    )
    try:
        client.execute("CREATE MATERIALIZED VIEW seen AS SELECT id FROM log")
        wait_for_rows(client, "seen", ids(1, 2))
        whole = line(3) + line(4)
        append(tmp_path / f"a.{form}", whole[: len(line(3)) + 4])
        wait_for_rows(client, "seen", ids(1, 2, 3))
        # A query that ends reads the complete lines, too.
        assert sorted(rows_of(client.execute("SELECT id FROM log"))) == ids(1, 2, 3)
        append(tmp_path / f"a.{form}", whole[len(line(3)) + 4 :])
        for number in range(10, 30):  # More files than tasks.
            append(tmp_path / f"n{number}.{form}", head + line(number))
        expected = [1, 2, 3, 4, *range(10, 30)]
        wait_for_rows(client, "seen", ids(*expected))
        append(tmp_path / f"n15.{form}", line(100))
        append(tmp_path / f"empty.{form}", "")
        wait_for_rows(client, "seen", ids(*expected, 100))
        append(tmp_path / f"empty.{form}", head + line(101))
        wait_for_rows(client, "seen", ids(*expected, 100, 101))
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS seen")
        client.execute("DROP TABLE log")


def test_a_quoted_row_is_read_when_it_is_whole(client, tmp_path):
    path = tmp_path / "a.csv"
    append(path, 'id,t\n1,"one\n')
    client.execute(
        f"CREATE TABLE quoted (id bigint, t text) WITH (connector = 'file', path = '{path}'{QUICK}, multiline = true)"
    )
    try:
        client.execute("CREATE MATERIALIZED VIEW quoted_seen AS SELECT id, t FROM quoted")
        client.execute("FLUSH")
        assert rows_of(client.execute("SELECT * FROM quoted_seen")) == []
        append(path, 'more"\n2,two\n')
        wait_for_rows(client, "quoted_seen", [(1, "one\nmore"), (2, "two")])
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS quoted_seen")
        client.execute("DROP TABLE quoted")


@pytest.mark.parametrize("change", ["truncate", "replace"])
def test_a_file_that_loses_rows_stops_the_job(client, tmp_path, change):
    path = tmp_path / "a.csv"
    append(path, "id\n" + "".join(f"{i}\n" for i in range(100)))
    client.execute(f"CREATE TABLE shrunk (id bigint) WITH (connector = 'file', path = '{path}'{QUICK})")
    try:
        client.execute("CREATE MATERIALIZED VIEW shrunk_seen AS SELECT count(*) AS n FROM shrunk")
        wait_for_rows(client, "shrunk_seen", [(100,)])
        if change == "truncate":
            path.write_text("id\n1\n")
        else:
            path.write_text("id\n" + "".join(f"{i}\n" for i in range(1000, 2000)))
        failed = "SELECT error FROM millrace.jobs WHERE name = 'shrunk_seen' AND state = 'failed'"
        rows = wait_until(lambda: rows_of(client.execute(failed)), "the job's failure")
        assert str(path) in rows[0][0]
        assert ("cut short" if change == "truncate" else "replaced") in rows[0][0]
        with pytest.raises(StatementFailed):
            client.execute("SELECT * FROM shrunk_seen")
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS shrunk_seen")
        client.execute("DROP TABLE shrunk")


def test_windows_close_while_files_are_followed(client, tmp_path):
    path = tmp_path / "a.csv"
    append(path, "id,ts\n1,2024-01-01 00:00:10\n2,2024-01-01 00:00:50\n")
    client.execute(
        f"""CREATE TABLE ticks (id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds')
            WITH (connector = 'file', path = '{tmp_path}'{QUICK}, format = 'csv')"""
    )
    try:
        client.execute(
            """CREATE MATERIALIZED VIEW minutes WITH (emit = 'on_window_close') AS
               SELECT window_start, count(*) AS n FROM tumble(ticks, ts, INTERVAL '1 minute')
               GROUP BY window_start, window_end"""
        )
        client.execute("FLUSH")
        assert rows_of(client.execute("SELECT n FROM minutes")) == []
        append(path, "3,2024-01-01 00:02:00\n")
        wait_for_rows(client, "(SELECT n FROM minutes) m", [(2,)])
    finally:
        client.execute("DROP MATERIALIZED VIEW IF EXISTS minutes")
        client.execute("DROP TABLE ticks")


def test_files_grow_over_crashes_and_no_row_is_lost_or_doubled(tmp_path):
    files = tmp_path / "files"
    files.mkdir()
    data_dir = tmp_path / "cluster"
    cluster = DevCluster(BUILD, data_dir)
    client = SqlClient(cluster.address)
    low = "(SELECT * FROM grown_seen WHERE id < 9000000) s"
    written = 0
    try:
        client.execute("SET epoch_interval = '30 ms'; SET checkpoint_interval = '100 ms'")
        client.execute(
            f"""CREATE TABLE grown (id bigint) WITH (connector = 'file', path = '{files}', format = 'csv',
                header = false{QUICK})"""
        )
        client.execute("CREATE MATERIALIZED VIEW grown_seen AS SELECT id, count(*) AS n FROM grown GROUP BY id")
        for turn in range(4):
            for name in (f"new{turn}", "old"):
                append(files / name, "".join(f"{i}\n" for i in range(written, written + 500)))
                written += 500
            wait_for_rows(client, low, [(i, 1) for i in range(written)])
            append(files / "old", "".join(f"{i}\n" for i in range(written, written + 300)) + "9")
            written += 300
            cluster.crash()
            client.close()
            # The last line is completed while nobody looks.
            append(files / "old", f"9{turn}{'0' * 6}\n"[1:])
            cluster = DevCluster(BUILD, data_dir)
            client = SqlClient(cluster.address)
            extra = [(int(f"9{t}000000"), 1) for t in range(turn + 1)]
            assert len(set(extra)) == turn + 1
            wait_for_rows(client, low, [(i, 1) for i in range(written)])
            wait_for_rows(client, "(SELECT * FROM grown_seen WHERE id >= 9000000) s", extra)
    finally:
        client.close()
        cluster.stop()
