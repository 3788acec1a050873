"""Streams on real processes: what a view shows at an epoch is its query over the rows that the epoch covers."""

import datetime
import pathlib
import random
import time

import duckdb
import pytest
from comparison import assert_same_rows
from support.sql_client import rows_of

DEADLINE_S = 90
NUM_FILES = 3
ROWS_PER_FILE = 4000
# So slow that ten moments are long over when the input ends.
LIVE_RATE = 1000
NUM_MOMENTS = 10
START = datetime.datetime(2024, 1, 1)

# Definitions over the same files, and how much faster than the first one each is read.
SOURCES = {"events": 1, "others": 2}

COLUMNS = "id bigint, k text, v integer, x double precision, ts timestamp"

BUCKET = "time_bucket(INTERVAL 10 MINUTE, ts, TIMESTAMP '1970-01-01')"

BUCKET_5 = BUCKET.replace("10 MINUTE", "5 MINUTE")

# Millrace's query over the definitions `events` and `others`, and DuckDB's over what is covered of
# them: `t` and `u`, with the watermark of `events` in `mark`.
VIEWS = {
    "totals": (
        "SELECT k, count(*) AS n, sum(v) AS s, min(v) AS lo, max(v) AS hi, avg(x) AS mean FROM events GROUP BY k",
        "SELECT k, count(*), sum(v), min(v), max(v), avg(x) FROM t GROUP BY k",
    ),
    "windows": (
        """SELECT window_start, k, count(*) AS n, sum(v) AS s FROM tumble(events, ts, INTERVAL '10 minutes')
           GROUP BY window_start, window_end, k""",
        f"SELECT {BUCKET}, k, count(*), sum(v) FROM t GROUP BY 1, 2",
    ),
    "sliding": (
        """SELECT window_start, window_end, k, count(v) AS n, sum(v) AS s
           FROM hop(events, ts, INTERVAL '5 minutes', INTERVAL '10 minutes') GROUP BY window_start, window_end, k""",
        f"""SELECT w, w + INTERVAL 10 MINUTE, k, count(v), sum(v)
            FROM (SELECT *, unnest([{BUCKET_5}, {BUCKET_5} - INTERVAL 5 MINUTE]) AS w FROM t) GROUP BY 1, 2, 3""",
    ),
    "filtered": ("SELECT id, v * 2 AS w FROM events WHERE v % 7 = 0", "SELECT id, v * 2 FROM t WHERE v % 7 = 0"),
    "joined": (
        """SELECT a.k, a.n, b.s FROM (SELECT k, count(*) AS n FROM events GROUP BY k) a
           JOIN (SELECT k, sum(v) AS s FROM events WHERE v > 50 GROUP BY k) b ON a.k = b.k""",
        """SELECT a.k, a.n, b.s FROM (SELECT k, count(*) AS n FROM t GROUP BY k) a
           JOIN (SELECT k, sum(v) AS s FROM t WHERE v > 50 GROUP BY k) b ON a.k = b.k""",
    ),
    "two_sources": (
        """SELECT a.id, a.v, b.k FROM events a FULL JOIN (SELECT id, k FROM others WHERE v % 3 = 0) b
           ON a.id = b.id AND a.v < 50""",
        """SELECT a.id, a.v, b.k FROM t a FULL JOIN (SELECT id, k FROM u WHERE v % 3 = 0) b
           ON a.id = b.id AND a.v < 50""",
    ),
    "missing": (
        "SELECT id, k FROM events e WHERE v > 90 AND NOT EXISTS (SELECT 1 FROM others o WHERE o.id = e.id)",
        "SELECT id, k FROM t e WHERE v > 90 AND NOT EXISTS (SELECT 1 FROM u o WHERE o.id = e.id)",
    ),
    "not_in": (
        "SELECT k, count(*) AS n FROM events WHERE k NOT IN (SELECT k FROM others WHERE v = 99) GROUP BY k",
        "SELECT k, count(*) AS n FROM t WHERE k NOT IN (SELECT k FROM u WHERE v = 99) GROUP BY k",
    ),
    "leaders": (
        """SELECT k, id, v, n FROM (SELECT k, id, v, row_number() OVER (PARTITION BY k ORDER BY v DESC, id) AS n
           FROM events WHERE v IS NOT NULL) r WHERE n <= 3""",
        """SELECT k, id, v, n FROM (SELECT k, id, v, row_number() OVER (PARTITION BY k ORDER BY v DESC, id) AS n
           FROM t WHERE v IS NOT NULL) r WHERE n <= 3""",
    ),
    "ranked": (
        """SELECT k, s, rank() OVER (ORDER BY s DESC, k) AS place, lag(k) OVER (ORDER BY s DESC, k) AS above
           FROM (SELECT k, sum(v) AS s FROM events WHERE v > 0 GROUP BY k) r""",
        """SELECT k, s, rank() OVER (ORDER BY s DESC, k), lag(k) OVER (ORDER BY s DESC, k)
           FROM (SELECT k, sum(v) AS s FROM t WHERE v > 0 GROUP BY k) r""",
    ),
    "counted_twice": (
        """SELECT n, count(*) AS keys, max(k) AS last, count(DISTINCT d) AS ds FROM
           (SELECT k, count(*) AS n, count(DISTINCT v) AS d FROM events GROUP BY k HAVING count(*) > 1) r
           GROUP BY n""",
        """SELECT n, count(*), max(k), count(DISTINCT d) FROM
           (SELECT k, count(*) AS n, count(DISTINCT v) AS d FROM t GROUP BY k HAVING count(*) > 1) r GROUP BY n""",
    ),
    "above_mean": (
        "SELECT k, max(v) AS hi FROM events WHERE v > (SELECT avg(v) FROM others) GROUP BY k",
        "SELECT k, max(v) FROM t WHERE v > (SELECT avg(v) FROM u) GROUP BY k",
    ),
    "skipping": (
        "SELECT id, v, k FROM events WHERE v IS NOT NULL ORDER BY v DESC, id LIMIT 20 OFFSET 5",
        "SELECT id, v, k FROM t WHERE v IS NOT NULL ORDER BY v DESC, id LIMIT 20 OFFSET 5",
    ),
    "united": (
        "SELECT k, v FROM events WHERE v > 80 UNION SELECT k, v FROM others WHERE v > 80",
        "SELECT k, v FROM t WHERE v > 80 UNION SELECT k, v FROM u WHERE v > 80",
    ),
    "moving": (
        "SELECT id, k, ts, avg(v) OVER (PARTITION BY k ORDER BY ts ROWS 99 PRECEDING) AS mean FROM events",
        """SELECT id, k, ts, avg(v) OVER (PARTITION BY k ORDER BY ts, id ROWS 99 PRECEDING)
           FROM t WHERE ts < (SELECT w FROM mark)""",
    ),
    "cumulative": (
        "SELECT id, k, ts, count(*) OVER (PARTITION BY k ORDER BY ts) AS so_far FROM events",
        "SELECT id, k, ts, count(*) OVER (PARTITION BY k ORDER BY ts) FROM t WHERE ts < (SELECT w FROM mark)",
    ),
}

# Nothing but a view knows when a window is over.
CLOSED = (
    """SELECT window_start, k, count(*) AS n, sum(v) AS s FROM tumble(events, ts, INTERVAL '10 minutes')
       GROUP BY window_start, window_end, k EMIT ON WINDOW CLOSE""",
    f"""SELECT {BUCKET} AS w, k, count(*), sum(v) FROM t GROUP BY 1, 2
        HAVING w + INTERVAL 10 MINUTE <= (SELECT w FROM mark)""",
)

# What these show waits for the watermark.
BEHIND_THE_WATERMARK = ("moving", "cumulative", "closed")


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> pathlib.Path:
    """Event files in time order with some disorder, some NULLs, and one hot key."""
    folder = tmp_path_factory.mktemp("events")
    generator = random.Random(11)
    for index in range(NUM_FILES):
        lines = ["id,k,v,x,ts"]
        for row in range(ROWS_PER_FILE):
            key = "hot" if generator.random() < 0.3 else f"k{generator.randrange(200)}"
            value = "" if generator.random() < 0.05 else str(generator.randrange(100))
            moment = START + datetime.timedelta(seconds=row * 5 + generator.randrange(-60, 60))
            lines.append(
                f"{index * ROWS_PER_FILE + row},{key},{value},{generator.random():.6f},{moment:%Y-%m-%d %H:%M:%S}"
            )
        (folder / f"part-{index}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture
def oracle(files):
    connection = duckdb.connect()
    connection.execute(
        "CREATE TABLE raw (path VARCHAR, rn BIGINT, id BIGINT, k VARCHAR, v INTEGER, x DOUBLE, ts TIMESTAMP)"
    )
    for path in sorted(files.glob("*.csv")):
        connection.execute(
            f"INSERT INTO raw SELECT '{path}', row_number() OVER (), * FROM read_csv('{path}', parallel=false)"
        )
    return connection


def define(client, name, files, rate, watermark="10 minutes"):
    mark = f", WATERMARK FOR ts AS ts - INTERVAL '{watermark}'" if watermark else ""
    speed = f", rows_per_second = '{rate}'" if rate else ""
    client.execute(f"CREATE TABLE {name} ({COLUMNS}{mark}) WITH (connector = 'file', path = '{files}/*.csv'{speed})")


def drop_all(client, names):
    for name in names:
        client.execute(f"DROP MATERIALIZED VIEW IF EXISTS {name}")
    for source in SOURCES:
        client.execute(f"DROP TABLE IF EXISTS {source}")


def define_sources(client, files, rate):
    for source, factor in SOURCES.items():
        define(client, source, files, rate * factor)


def published(client, view):
    """(job id, newest published epoch) of the job that keeps the view."""
    rows = rows_of(client.execute(f"SELECT id, published_epoch FROM millrace.jobs WHERE name = '{view}'"))
    assert len(rows) == 1, rows
    return rows[0]


def cover(oracle, positions):
    """Makes DuckDB's `t` and `u` the rows before these positions, and `mark` the watermark of `t`:
    (source, path, rows, ended)."""
    for source, table in zip(SOURCES, ("t", "u"), strict=True):
        read = [(path, rows) for name, path, rows, _ in positions if name == source]
        covered = " OR ".join(f"(path = '{path}' AND rn <= {rows})" for path, rows in read) or "false"
        oracle.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM raw WHERE {covered}")
    ended = [path for name, path, _, ended in positions if name == "events" and ended]
    # The least over all files: one that was read to its end holds nothing back, one that nobody reads yet everything.
    oracle.execute(
        f"""CREATE OR REPLACE TABLE mark AS SELECT min(CASE WHEN list_contains({ended}::VARCHAR[], path)
              THEN 'infinity' ELSE coalesce(seen - INTERVAL 10 MINUTE, '-infinity') END::TIMESTAMP) AS w
            FROM (SELECT DISTINCT path FROM raw)
            LEFT JOIN (SELECT path, max(ts) AS seen FROM t GROUP BY path) USING (path)"""
    )


def cover_all(oracle):
    """As `cover`, of the whole input."""
    for table in ("t", "u"):
        oracle.execute(f"CREATE OR REPLACE VIEW {table} AS SELECT * FROM raw")
    oracle.execute("CREATE OR REPLACE TABLE mark AS SELECT 'infinity'::TIMESTAMP AS w")


def positions_at(client, job, epoch):
    # A file has one position for each definition that reads it: those that a view reads twice are read once.
    positions = rows_of(
        client.execute(
            f"SELECT source, path, rows, ended FROM millrace.positions WHERE job_id = {job} AND epoch = {epoch}"
        )
    )
    assert len({row[:2] for row in positions}) == len(positions), positions
    return positions


def watch(client, name, enough):
    """(epoch, rows of the view, positions) at moments of the live part, until `enough` says so of them."""
    moments = []
    deadline = time.monotonic() + DEADLINE_S
    while not enough(moments):
        assert time.monotonic() < deadline, f"only the epochs {[epoch for epoch, _, _ in moments]} were seen"
        job, epoch = published(client, name)
        if epoch == 0 or (moments and epoch == moments[-1][0]):
            time.sleep(0.02)
            continue
        rows = rows_of(client.execute(f"SELECT * FROM {name} AS OF EPOCH {epoch}"))
        positions = positions_at(client, job, epoch)
        read = sum(position[2] for position in positions if position[0] == "events")
        assert read < NUM_FILES * ROWS_PER_FILE, f"the input ended after {len(moments)} moments"
        moments.append((epoch, rows, positions))
    return moments


# With as many tasks as files, all files have a reader at once; with two tasks one of them waits, and holds event time.
@pytest.mark.parametrize(
    ("name", "num_tasks"),
    [(name, 4) for name in (*VIEWS, "closed")] + [(name, 2) for name in ("moving", "closed")],
)
def test_a_view_equals_its_query_over_the_covered_rows_at_ten_moments(client, files, oracle, name, num_tasks):
    ours, theirs = VIEWS.get(name, CLOSED)
    num_with_rows = 0 if name not in BEHIND_THE_WATERMARK else NUM_MOMENTS if num_tasks == 4 else 3

    def enough(moments):
        return len(moments) >= NUM_MOMENTS and sum(1 for _, rows, _ in moments if rows) >= num_with_rows

    define_sources(client, files, LIVE_RATE)
    try:
        client.execute(f"SET epoch_interval = '200 ms'; SET parallelism = {num_tasks}")
        client.execute(f"CREATE MATERIALIZED VIEW {name} AS {ours}")
        moments = watch(client, name, enough)
    finally:
        drop_all(client, [name])
    num_compared, shown = 0, False
    for epoch, rows, positions in moments:
        cover(oracle, positions)
        expected = oracle.execute(theirs).fetchall()
        shown = shown or bool(rows)
        # A task may not have heard yet that there is no file that nobody reads.
        if name in BEHIND_THE_WATERMARK and expected and not shown:
            continue
        assert_same_rows(rows, expected, f"{name} at epoch {epoch}")
        num_compared += 1
    assert num_compared >= NUM_MOMENTS


@pytest.mark.parametrize("parallelism", [1, 2, 4])
@pytest.mark.parametrize("name", VIEWS)
def test_a_stream_that_ends_equals_the_batch(client, files, oracle, name, parallelism):
    ours, theirs = VIEWS[name]
    cover_all(oracle)
    define_sources(client, files, rate=0)
    client.execute(f"SET parallelism = {parallelism}")
    try:
        client.execute(f"CREATE MATERIALIZED VIEW {name} AS {ours}")
        client.execute(f"CALL millrace.wait_for('{name}', 'complete', 'true', '60 s')")
        expected = oracle.execute(theirs).fetchall()
        assert_same_rows(rows_of(client.execute(f"SELECT * FROM {name}")), expected, f"view {name}")
        assert_same_rows(rows_of(client.execute(ours)), expected, f"batch {name}")
    finally:
        drop_all(client, [name])


def test_late_rows_are_set_apart_and_counted(client, files, oracle):
    define(client, "events", files, rate=0, watermark="20 seconds")
    try:
        client.execute("CREATE MATERIALIZED VIEW timely AS SELECT id, ts FROM events")
        client.execute("CALL millrace.wait_for('timely', 'complete', 'true', '60 s')")
        expected = oracle.execute(
            """SELECT id, ts FROM (SELECT *, max(ts) OVER (PARTITION BY path ORDER BY rn
               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS seen FROM raw)
               WHERE seen IS NULL OR ts >= seen - INTERVAL 20 SECOND"""
        ).fetchall()
        assert 0 < len(expected) < NUM_FILES * ROWS_PER_FILE
        assert_same_rows(rows_of(client.execute("SELECT * FROM timely")), expected, "timely")
        late = rows_of(client.execute("SELECT max(rows) FROM millrace.late_rows WHERE job = 'timely'"))
        assert late == [(NUM_FILES * ROWS_PER_FILE - len(expected),)]
        # A bounded query knows no late rows.
        assert rows_of(client.execute("SELECT count(*) FROM events")) == [(NUM_FILES * ROWS_PER_FILE,)]
    finally:
        drop_all(client, ["timely"])


def test_windows_are_emitted_once_when_they_are_over(client, files, oracle):
    define(client, "events", files, rate=0)
    try:
        client.execute(
            """CREATE MATERIALIZED VIEW closed WITH (emit = 'on_window_close') AS
               SELECT window_start, count(*) AS n FROM tumble(events, ts, INTERVAL '10 minutes')
               GROUP BY window_start, window_end"""
        )
        client.execute("CALL millrace.wait_for('closed', 'complete', 'true', '60 s')")
        expected = oracle.execute(
            "SELECT time_bucket(INTERVAL 10 MINUTE, ts, TIMESTAMP '1970-01-01'), count(*) FROM raw GROUP BY 1"
        ).fetchall()
        assert_same_rows(rows_of(client.execute("SELECT * FROM closed")), expected, "closed")
    finally:
        drop_all(client, ["closed"])
