"""The four jobs of the seeded fault tests: their files, their scripts, and what must be stored at the end."""

from __future__ import annotations

import datetime
import random
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

NUM_FILES = 3
ROWS_PER_FILE = 4000
START = datetime.datetime(2024, 1, 1)
DELAY = datetime.timedelta(seconds=20)
COLUMNS = "id bigint, k integer, v integer, x double precision, ts timestamp"
# What a sink's rows are read back as.
SINK_FORMATS = ("csv", "parquet")


@dataclass(frozen=True)
class FaultJob:
    """A script of streaming statements over `events` (CSV) and `others` (Parquet), and DuckDB's queries for the same:
    over the tables of these names that have no late rows. EMIT ON WINDOW CLOSE makes an INSERT that has nothing to wait
    for a stream, too."""

    name: str
    view: str
    expected_view: str
    sink: str
    expected_sink: str
    # Columns of the sink's definition.
    sink_columns: str


_BUCKET = "time_bucket(INTERVAL 1 MINUTE, ts, TIMESTAMP '1970-01-01')"
_TOP = """SELECT k, id, v, n FROM (SELECT k, id, v, row_number() OVER (PARTITION BY k ORDER BY v DESC, id) AS n
          FROM events) r WHERE n <= 3"""
_OVER = """SELECT id, k, sum(v) OVER (PARTITION BY k ORDER BY ts ROWS 9 PRECEDING) AS s,
           count(*) OVER (PARTITION BY k ORDER BY ts) AS n, lag(v) OVER (PARTITION BY k ORDER BY ts) AS before
           FROM events"""

JOBS = {
    job.name: job
    for job in (
        FaultJob(
            name="aggregate",
            view="""SELECT window_start, k, count(*) AS n, sum(v) AS s, min(v) AS lo, avg(x) AS mean
                    FROM tumble(events, ts, INTERVAL '1 minute') GROUP BY window_start, window_end, k""",
            expected_view=f"SELECT {_BUCKET}, k, count(*), sum(v), min(v), avg(x) FROM events GROUP BY 1, 2",
            sink="""SELECT window_start, k, count(*) AS n, sum(v) AS s
                    FROM tumble(events, ts, INTERVAL '1 minute') GROUP BY window_start, window_end, k
                    EMIT ON WINDOW CLOSE""",
            expected_sink=f"SELECT {_BUCKET}, k, count(*), sum(v) FROM events GROUP BY 1, 2",
            sink_columns="window_start timestamp, k integer, n bigint, s bigint",
        ),
        FaultJob(
            name="join",
            view="""SELECT a.k, a.n, b.s FROM (SELECT k, count(*) AS n FROM events GROUP BY k) a
                    LEFT JOIN (SELECT k, sum(v) AS s FROM others WHERE v > 50 GROUP BY k) b ON a.k = b.k""",
            expected_view="""SELECT a.k, a.n, b.s FROM (SELECT k, count(*) AS n FROM events GROUP BY k) a
                    LEFT JOIN (SELECT k, sum(v) AS s FROM others WHERE v > 50 GROUP BY k) b ON a.k = b.k""",
            sink="""SELECT a.id, a.v, b.v AS w FROM events a JOIN others b ON a.id = b.id AND a.k < 40
                    EMIT ON WINDOW CLOSE""",
            expected_sink="SELECT a.id, a.v, b.v FROM events a JOIN others b ON a.id = b.id AND a.k < 40",
            sink_columns="id bigint, v integer, w integer",
        ),
        FaultJob(
            name="over",
            view=_OVER,
            expected_view=_OVER,
            sink=_OVER.replace("FROM events", "FROM others EMIT ON WINDOW CLOSE"),
            expected_sink=_OVER.replace("FROM events", "FROM others"),
            sink_columns="id bigint, k integer, s bigint, n bigint, before integer",
        ),
        FaultJob(
            name="topn",
            view=_TOP,
            expected_view=_TOP,
            sink="""SELECT window_start, k, max(v) AS hi, count(*) AS n
                    FROM hop(events, ts, INTERVAL '1 minute', INTERVAL '2 minutes')
                    GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE""",
            expected_sink=f"""SELECT w, k, max(v), count(*) FROM
                    (SELECT {_BUCKET} AS w, k, v FROM events
                     UNION ALL SELECT {_BUCKET} - INTERVAL 1 MINUTE, k, v FROM events) h GROUP BY 1, 2""",
            sink_columns="window_start timestamp, k integer, hi integer, n bigint",
        ),
    )
}


def _rows(generator: random.Random, file_index: int) -> list[tuple]:
    """Rows of one file in the order of time with some disorder; a few are late."""
    rows = []
    for row in range(ROWS_PER_FILE):
        number = file_index * ROWS_PER_FILE + row
        moment = START + datetime.timedelta(milliseconds=100 * row + generator.randrange(-9000, 9000))
        if generator.random() < 0.01:
            moment -= 3 * DELAY
        key = 7 if generator.random() < 0.2 else generator.randrange(60)
        rows.append((number, key, generator.randrange(1000), generator.random(), moment))
    return rows


class JobFiles:
    """The files of both sources in a folder, and DuckDB with the same rows in tables `events` and `others`."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.folder = folder
        self._oracle = duckdb.connect()
        generator = random.Random(seed)
        for source in ("events", "others"):
            (folder / source).mkdir(parents=True)
            taken: set[datetime.datetime] = set()
            in_time: list[tuple] = []
            everything: list[tuple] = []
            for index in range(NUM_FILES):
                rows = [_with_new_time(row, taken) for row in _rows(generator, index)]
                self._write(source, index, rows)
                in_time += _without_late_rows(rows)
                everything += rows
            self._oracle.register(source, _table(in_time))
            self._oracle.register(f"all_{source}", _table(everything))

    def _write(self, source: str, index: int, rows: list[tuple]) -> None:
        path = self.folder / source / f"part-{index}"
        if source == "events":
            pyarrow.csv.write_csv(_table(rows), path.with_suffix(".csv"))
        else:
            pyarrow.parquet.write_table(_table(rows), path.with_suffix(".parquet"), row_group_size=700)

    def query(self, sql: str) -> list[tuple]:
        return self._oracle.execute(sql).fetchall()


def _with_new_time(row: tuple, taken: set[datetime.datetime]) -> tuple:
    """Rows of equal time in one partition would be ordered by the whole row: here no two are equal."""
    moment = row[4]
    while moment in taken:
        moment += datetime.timedelta(microseconds=1)
    taken.add(moment)
    return (*row[:4], moment)


def _without_late_rows(rows: list[tuple]) -> list[tuple]:
    kept = []
    newest = datetime.datetime.min + DELAY
    for row in rows:
        if row[4] >= newest - DELAY:
            kept.append(row)
        newest = max(newest, row[4])
    return kept


def _table(rows: list[tuple]) -> pa.Table:
    types = (pa.int64(), pa.int32(), pa.int32(), pa.float64(), pa.timestamp("us"))
    columns = [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), types, strict=True)]
    return pa.table(columns, names=["id", "k", "v", "x", "ts"])


def script_of(job: FaultJob, files: Path, target: Path, sink_format: str, stream_seconds: float) -> list[str]:
    """The statements: definitions, a batch step, the streaming job, and a batch step over its result."""
    rate = int(NUM_FILES * ROWS_PER_FILE / stream_seconds)
    mark = f"WATERMARK FOR ts AS ts - INTERVAL '{int(DELAY.total_seconds())} seconds'"
    options = f"connector = 'file', rows_per_second = '{rate}'"
    header = ", header = 'true'" if sink_format == "csv" else ""
    return [
        "SET parallelism = 4",
        "SET epoch_interval = '100 ms'",
        "SET checkpoint_interval = '300 ms'",
        f"CREATE TABLE events ({COLUMNS}, {mark}) WITH ({options}, path = '{files}/events/*.csv')",
        f"CREATE TABLE others ({COLUMNS}, {mark}) WITH ({options}, path = '{files}/others/*.parquet')",
        f"""CREATE TABLE results ({job.sink_columns})
            WITH (connector = 'file', path = '{target}/', format = '{sink_format}'{header})""",
        "CREATE TABLE history AS SELECT k, count(*) AS n, sum(v) AS s FROM events GROUP BY k",
        f"CREATE MATERIALIZED VIEW live AS {job.view}",
        f"INSERT INTO results {job.sink}",
        "CALL millrace.wait_for('live', 'complete', INTERVAL '10 minutes')",
        """CREATE TABLE combined AS SELECT l.k, l.views, h.n, h.s
           FROM (SELECT k, count(*) AS views FROM live GROUP BY k) l JOIN history h ON l.k = h.k""",
    ]


def stored_results(job: FaultJob) -> dict[str, tuple[str, str]]:
    """What to read at the end: name → query of Millrace, DuckDB's query."""
    view = f"SELECT k, count(*) AS views FROM ({job.expected_view}) AS q(%s) GROUP BY k"
    columns = {
        "aggregate": "w, k, n, s, lo, mean",
        "join": "k, n, s",
        "over": "id, k, s, n, b",
        "topn": "k, id, v, n",
    }[job.name]
    history = "SELECT k, count(*) AS n, sum(v) AS s FROM all_events GROUP BY k"
    return {
        "history": ("SELECT k, n, s FROM history", history),
        "live": ("SELECT * FROM live", job.expected_view),
        "combined": (
            "SELECT k, views, n, s FROM combined",
            f"SELECT l.k, l.views, h.n, h.s FROM ({view % columns}) l JOIN ({history}) h ON l.k = h.k",
        ),
    }
