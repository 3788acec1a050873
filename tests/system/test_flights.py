"""The flights job of docs/examples, table by table and view by view, against DuckDB on the same files."""

import pathlib
import re
import subprocess
import sys
import time

import duckdb
import pyarrow.parquet as pq
import pytest
from comparison import assert_same_rows, comparable
from support.sql_client import SqlClient, rows_of

ROOT = pathlib.Path(__file__).resolve().parents[2]

DEADLINE_S = 60

HISTORY = "read_csv('{data}/history/*.csv', nullstr='NA', union_by_name=false)"
LIVE = "read_csv('{data}/live/*.csv', nullstr='NA')"

# What each stored result must be, in DuckDB's words; columns in the order of the script.
EXPECTED = {
    "carrier_history": """
        SELECT h.carrier, a.name, count(*), avg(dep_delay), stddev(dep_delay), count(*) FILTER (WHERE dep_delay > 15)
        FROM history h JOIN airlines a ON h.carrier = a.carrier WHERE dep_delay IS NOT NULL GROUP BY 1, 2""",
    "route_history": """
        SELECT h.origin, h.dest, p.name, count(*), avg(air_time), max(arr_delay)
        FROM history h LEFT JOIN airports p ON h.dest = p.faa WHERE arr_delay IS NOT NULL GROUP BY 1, 2, 3""",
    "carrier_hourly": """
        SELECT date_trunc('hour', time_hour), carrier, count(*), avg(dep_delay), max(dep_delay)
        FROM live GROUP BY 1, 2""",
    "carrier_sliding": """
        SELECT w, w + INTERVAL 7 DAY, carrier, count(*), count(dep_delay), sum(dep_delay)
        FROM (SELECT *, unnest([date_trunc('day', time_hour) - to_days(d) for d in range(0, 7)]) AS w FROM live)
        GROUP BY 1, 2, 3""",
    "carrier_moving": """
        SELECT time_hour, carrier, flight, origin, dest, dep_delay, avg(dep_delay) OVER (PARTITION BY carrier ORDER BY
          {ties} ROWS 99 PRECEDING)
        FROM live""",
    "airport_cumulative": """
        SELECT time_hour, origin, flight, carrier, count(*) OVER (PARTITION BY origin ORDER BY time_hour)
        FROM live""",
}

# Rows of equal time come in the order of the whole row, which has the columns that the query reads; NULLs last.
COLUMNS = ["dep_delay", "carrier", "flight", "origin", "dest"]


@pytest.fixture(scope="module")
def data(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.getbasetemp().parent / "millrace-flights"
    subprocess.run([sys.executable, ROOT / "deploy/flights_data.py", folder], check=True)
    return folder


@pytest.fixture(scope="module")
def oracle(data):
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    # Plain timestamps: DuckDB's zoned ones need another package.
    columns = "SELECT * REPLACE (time_hour::TIMESTAMP AS time_hour) FROM"
    connection.execute(f"CREATE TABLE history AS {columns} {HISTORY.format(data=data)}")
    connection.execute(f"CREATE TABLE live AS {columns} {LIVE.format(data=data)}")
    for name in ("airlines", "airports"):
        connection.execute(f"CREATE TABLE {name} AS FROM read_csv('{data}/{name}.csv', nullstr='NA')")
    return connection


def script(data: pathlib.Path, out: pathlib.Path) -> str:
    text = (ROOT / "docs/examples/flights.sql").read_text()
    text = text.replace("data/flights/out", str(out)).replace("data/flights", str(data))
    # As fast as it goes: the rate is for people who watch.
    return re.sub(r", rows_per_second = '\d+'", "", text)


def parquet_rows(path: pathlib.Path) -> list[tuple]:
    return [tuple(row.values()) for row in pq.read_table(path).to_pylist()]


@pytest.fixture(scope="module")
def job(cluster, data, tmp_path_factory):
    """The whole script, run once; gives the final query's rows and the folder of files."""
    out = tmp_path_factory.mktemp("out")
    connection = SqlClient(cluster.address)
    final = rows_of(connection.execute(script(data, out)))
    # No wait: the script ends with views that are complete, and then the files of their job are there too.
    yield connection, final, out
    connection.close()


@pytest.mark.parametrize("name", EXPECTED)
def test_stored_result_equals_duckdb(job, oracle, name):
    ties = "time_hour, " + ", ".join(f"{c} NULLS LAST" for c in COLUMNS)
    expected = oracle.execute(EXPECTED[name].format(ties=ties)).fetchall()
    assert_same_rows(rows_of(job[0].execute(f"SELECT * FROM {name}")), expected, name)


@pytest.mark.parametrize(
    ("file", "name"),
    [("carrier_history.parquet", "carrier_history"), ("route_history.parquet", "route_history")],
)
def test_copied_files_hold_the_table(job, file, name):
    actual = parquet_rows(job[2] / file)
    assert_same_rows(actual, rows_of(job[0].execute(f"SELECT * FROM {name}")), file)


def test_views_and_sink_are_one_job_that_reads_each_flight_once(job, oracle):
    connection = job[0]
    assert rows_of(connection.execute("SELECT name FROM millrace.jobs")) == [("carrier_hourly",)]
    read = rows_of(
        connection.execute(
            """SELECT source, sum(rows) FROM millrace.positions
               WHERE epoch = (SELECT max(epoch) FROM millrace.positions) GROUP BY source"""
        )
    )
    assert read == [("live", *oracle.execute("SELECT count(*) FROM live").fetchone())]
    assert rows_of(connection.execute("SELECT count(*) FROM millrace.steps")) == [(5,)]


def test_closed_windows_are_in_files_once(job, oracle):
    actual = [row for file in sorted((job[2] / "hourly").glob("*.parquet")) for row in parquet_rows(file)]
    expected = oracle.execute(
        """SELECT date_trunc('hour', time_hour), date_trunc('hour', time_hour) + INTERVAL 1 HOUR, carrier, count(*),
           avg(dep_delay) FROM live GROUP BY 1, 2, 3"""
    ).fetchall()
    assert_same_rows(actual, expected, "hourly files")


def test_final_query_joins_stream_and_history(job, oracle):
    actual = [tuple(comparable(value) for value in row) for row in job[1]]
    assert len(actual) > 50
    week, airline, change = 0, 1, 5
    assert actual == sorted(actual, key=lambda row: (row[week], -row[change], row[airline]))
    # Not rounded: what lies in the middle of two hundredths may go to either.
    unrounded = oracle.execute(
        f"""WITH sliding(w, e, carrier, flights, departed, total) AS ({EXPECTED["carrier_sliding"]}),
        usual(carrier, airline, flights, mean, sd, delayed) AS ({EXPECTED["carrier_history"]})
        SELECT w::date, airline, s.flights, total / departed, mean, total / departed - mean
        FROM sliding s JOIN usual USING (carrier) WHERE departed > 100 AND isodow(w) = 1"""
    ).fetchall()
    expected = [tuple(comparable(value) for value in row) for row in unrounded]
    for mine, theirs in zip(sorted(actual), sorted(expected), strict=True):
        assert mine[:3] == theirs[:3]
        assert mine[3:] == pytest.approx(theirs[3:], rel=0, abs=0.005 + 1e-9)


def test_views_behind_the_watermark_show_flights_while_most_are_still_to_come(job, data, oracle):
    """On two slots, too: each of the live files has a reader, so none holds event time back altogether."""
    connection = job[0]
    text = (ROOT / "docs/examples/flights.sql").read_text().replace("data/flights", str(data))
    live = re.search(r"CREATE TABLE live .*?;", text, re.S).group()
    moving = re.search(r"CREATE MATERIALIZED VIEW carrier_moving .*?;", text, re.S).group()
    connection.execute(live.replace("TABLE live", "TABLE slow").replace("'20000'", "'4000'"))
    try:
        connection.execute("SET parallelism = 2")
        connection.execute(moving.replace("carrier_moving", "early").replace("FROM live", "FROM slow"))
        deadline = time.monotonic() + DEADLINE_S
        shown = 0
        while not shown:
            assert time.monotonic() < deadline
            [(epoch,)] = rows_of(connection.execute("SELECT published_epoch FROM millrace.jobs WHERE name = 'early'"))
            shown = epoch and rows_of(connection.execute(f"SELECT count(*) FROM early AS OF EPOCH {epoch}"))[0][0]
        [(read,)] = rows_of(
            connection.execute(f"SELECT sum(rows) FROM millrace.positions WHERE job = 'early' AND epoch = {epoch}")
        )
        assert read < oracle.execute("SELECT count(*) FROM live").fetchone()[0] / 2
    finally:
        connection.execute("DROP MATERIALIZED VIEW IF EXISTS early; DROP TABLE slow; RESET parallelism")
