"""Bad input gives a clear error with its place, and leaves the cluster as it was."""

import pytest
from support.job_client import job_call
from support.sql_client import StatementFailed, rows_of


@pytest.fixture
def bad_csv(tmp_path):
    path = tmp_path / "bad.csv"
    path.write_text("id,n\n1,10\n2,twelve\n3,30\n4\n5,50\n")
    return path


CASES = [
    ("SELECT 1/0", "22012", 0),
    ("SELECT 9223372036854775807 + 1", "22003", 0),
    ("SELECT nme FROM (SELECT 1 AS name) t", "42703", 8),
    ("SELECT * FROM no_such_table", "42P01", 15),
    ("SELECT * FROM '/no/such/file.csv'", "58P01", 0),
    ("SELECT 'abc'::integer", "22P02", 8),
    # What the message quotes does not fit into a trailer.
    ("SELECT repeat('x', 5000)::integer", "22P02", 0),
    ("SELECT repeat('漢', 5000)::integer", "22P02", 0),
    ("SELEC 1", "42601", 1),
    ("CREATE TABLE t (a integer) WITH (connector = 'file', pth = 'x.csv')", "22023", 0),
    ("CREATE TABLE t (a integer) WITH (connector = 'fil', path = 'x.csv')", "22023", 0),
    ("UPDATE t SET a = 1", "0A000", 0),
    ("SELECT sum(x) FROM (VALUES (1)) t(x) GROUP BY ROLLUP (x)", "0A000", 0),
]


@pytest.mark.parametrize(("sql", "sqlstate", "position"), CASES)
def test_errors_carry_code_and_place(client, sql, sqlstate, position):
    with pytest.raises(StatementFailed) as failure:
        client.execute(sql)
    assert failure.value.sqlstate == sqlstate, failure.value
    if position:
        assert failure.value.position == position
    assert rows_of(client.execute("SELECT 42")) == [(42,)]


def test_files_that_tell_no_columns_are_named(client, tmp_path):
    empty = tmp_path / "empty.csv"
    empty.write_text("")
    with pytest.raises(StatementFailed, match="nothing tells the columns of ") as failure:
        client.execute(f"SELECT * FROM '{empty}'")
    assert (failure.value.sqlstate, failure.value.position) == ("55000", 15)
    assert str(empty) in failure.value.message
    assert rows_of(client.execute(f"SELECT count(*) FROM '{empty}'")) == [(0,)]
    with pytest.raises(StatementFailed, match="a query without columns is not supported"):
        client.execute("SELECT FROM (VALUES (1)) t(a)")


def test_a_view_of_a_cancelled_job_says_so(client, cluster):
    client.execute("CREATE TABLE endless (a bigint) WITH (connector = 'datagen', rows_per_second = '10')")
    client.execute("CREATE MATERIALIZED VIEW watched AS SELECT count(*) AS n FROM endless")
    try:
        assert job_call(cluster.address, "Cancel", job="watched") is not None
        with pytest.raises(StatementFailed) as failure:
            client.execute("SELECT * FROM watched")
        assert failure.value.sqlstate == "55000"
        assert failure.value.message == "materialized view watched cannot be read, its job was cancelled"
    finally:
        client.execute("DROP MATERIALIZED VIEW watched; DROP TABLE endless")


def test_a_bad_row_names_file_line_and_column(client, bad_csv):
    client.execute(f"CREATE TABLE bad (id integer, n integer) WITH (connector = 'file', path = '{bad_csv}')")
    with pytest.raises(StatementFailed) as failure:
        client.execute("SELECT * FROM bad")
    client.execute("DROP TABLE bad")
    assert failure.value.sqlstate in ("22P02", "22P04")
    assert "bad.csv" in failure.value.message
    assert "3" in failure.value.message


@pytest.mark.parametrize("mode", ["skip", "keep"])
def test_bad_rows_can_be_left_out(client, bad_csv, mode):
    client.execute(
        f"""CREATE TABLE lenient (id integer, n integer)
            WITH (connector = 'file', path = '{bad_csv}', bad_rows = '{mode}')"""
    )
    try:
        assert sorted(rows_of(client.execute("SELECT id, n FROM lenient"))) == [(1, 10), (3, 30), (5, 50)]
    finally:
        client.execute("DROP TABLE lenient")


def test_the_nearest_name_is_the_hint(client):
    with pytest.raises(StatementFailed) as failure:
        client.execute("SELECT carier FROM (SELECT 'AA' AS carrier) t")
    assert "carrier" in failure.value.hint


def test_deep_nesting_is_refused_and_harms_nothing(client):
    for sql in ("SELECT " + "(" * 50000 + "1" + ")" * 50000, "SELECT 1" + "+1" * 100000):
        with pytest.raises(StatementFailed) as failure:
            client.execute(sql)
        assert failure.value.sqlstate in ("54001", "54000", "42601")
    assert rows_of(client.execute("SELECT 42")) == [(42,)]
