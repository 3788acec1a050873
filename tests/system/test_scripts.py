"""A script's streaming statements are one job: they read each source once and stop, fail and recover together."""

import json
import pathlib
import random
import subprocess

import duckdb
import pytest
from comparison import assert_same_rows
from conftest import BUILD
from support.dev_cluster import DevCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until

NUM_ROWS = 20_000
DEADLINE_S = 60

# The same text for Millrace and DuckDB.
VIEWS = {
    "totals": "SELECT k, count(*) AS n, sum(v) AS s FROM events GROUP BY k",
    "large": "SELECT id, k, v FROM events WHERE v > 50 AND id % 2 = 0",
    "by_group": "SELECT g, min(v) AS lo, max(v) AS hi FROM events WHERE v > 50 GROUP BY g",
    "paired": "SELECT a.k, a.n, b.n AS m FROM (SELECT k, count(*) AS n FROM events GROUP BY k) a "
    "JOIN (SELECT k, count(*) AS n FROM events WHERE v > 50 GROUP BY k) b ON a.k = b.k",
}


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> pathlib.Path:
    folder = tmp_path_factory.mktemp("script-events")
    generator = random.Random(5)
    for part in range(2):
        lines = ["id,k,g,v"]
        lines += [
            f"{row},k{generator.randrange(300)},{generator.randrange(7)},{generator.randrange(100)}"
            for row in range(part, NUM_ROWS, 2)
        ]
        (folder / f"part-{part}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def expected(files):
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE events AS SELECT * FROM read_csv('{files}/*.csv')")
    return {name: connection.execute(query).fetchall() for name, query in VIEWS.items()}


def definition(files, rate: int = 0) -> str:
    speed = f", rows_per_second = '{rate}'" if rate else ""
    return (
        "CREATE TABLE events (id bigint, k text, g integer, v integer) "
        f"WITH (connector = 'file', path = '{files}/*.csv'{speed});\n"
    )


def script(files, rate: int = 0) -> str:
    views = [f"CREATE MATERIALIZED VIEW {name} AS {query};\n" for name, query in VIEWS.items()]
    return definition(files, rate) + "".join(views)


def drop_all(client) -> None:
    client.execute("DROP TABLE IF EXISTS events CASCADE")


def millrace(cluster, *arguments: str, code: int = 0) -> str:
    done = subprocess.run(
        [BUILD / "bin" / "millrace", *arguments, "--server", cluster.address],
        check=False,
        capture_output=True,
        text=True,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def job_status(cluster, job: str) -> dict:
    return json.loads(millrace(cluster, "job", "get", job, "--json"))


@pytest.mark.parametrize("parallelism", [1, 2, 4])
def test_four_views_over_one_source_read_each_row_once(client, files, expected, parallelism):
    client.execute(f"SET parallelism = {parallelism}")
    try:
        results = client.execute(script(files))
        jobs = {result.job_id for result in results if result.job_id}
        assert len(jobs) == 1
        for name in VIEWS:
            client.execute(f"CALL millrace.wait_for('{name}', 'complete', 'true', '60 s')")
            assert_same_rows(rows_of(client.execute(f"SELECT * FROM {name}")), expected[name], name)
        read = rows_of(
            client.execute(
                f"""SELECT count(DISTINCT source), sum(rows) FROM millrace.positions
                    WHERE job_id = {jobs.pop()} GROUP BY epoch ORDER BY epoch DESC LIMIT 1"""
            )
        )
        assert read == [(1, NUM_ROWS)]
    finally:
        drop_all(client)


def test_a_view_of_its_own_gives_the_same(client, files, expected):
    client.execute(definition(files))
    try:
        for name, query in VIEWS.items():
            client.execute(f"CREATE MATERIALIZED VIEW {name} AS {query}")
            client.execute(f"CALL millrace.wait_for('{name}', 'complete', 'true', '60 s')")
            assert_same_rows(rows_of(client.execute(f"SELECT * FROM {name}")), expected[name], name)
        assert len(rows_of(client.execute("SELECT id FROM millrace.jobs"))) == len(VIEWS)
    finally:
        drop_all(client)


def test_all_views_of_a_script_show_one_cut(client, files):
    client.execute(
        definition(files, rate=8000)
        + "CREATE MATERIALIZED VIEW one AS SELECT count(*) AS n FROM events;"
        + "CREATE MATERIALIZED VIEW two AS SELECT k, count(*) AS n FROM events GROUP BY k;"
        + "CREATE MATERIALIZED VIEW three AS SELECT sum(n) AS n FROM two;"
    )
    try:
        seen = set()

        def at_the_end() -> bool:
            row = rows_of(
                client.execute("SELECT one.n, t.n, three.n FROM one, (SELECT sum(n) AS n FROM two) t, three")
            )[0]
            assert len({int(n or 0) for n in row}) == 1, row
            seen.add(row)
            return row[0] == NUM_ROWS

        wait_until(at_the_end, "the end of the stream")
        assert len(seen) > 2
    finally:
        drop_all(client)


def test_one_bad_view_keeps_the_others_from_being_created(client, files):
    bad = definition(files) + (
        "CREATE MATERIALIZED VIEW first AS SELECT k FROM events;\n"
        "CREATE MATERIALIZED VIEW second AS SELECT nobody FROM events;\n"
    )
    try:
        with pytest.raises(StatementFailed) as failure:
            client.execute(bad)
        assert failure.value.sqlstate == "42703"
        assert bad[failure.value.position - 1 :].startswith("nobody")
        assert rows_of(client.execute("SHOW VIEWS")) == []
        # The definition before them stays, and the name is free again.
        client.execute("CREATE MATERIALIZED VIEW first AS SELECT count(*) AS n FROM events")
    finally:
        drop_all(client)


def test_a_view_that_fails_at_work_takes_the_script_with_it(client):
    # The rows of a stored table are in the first epoch, for which the script waits.
    text = (
        "CREATE TABLE numbers (v bigint);\n"
        "INSERT INTO numbers VALUES (1), (2);\n"
        "CREATE MATERIALIZED VIEW first AS SELECT v FROM numbers;\n"
        "CREATE MATERIALIZED VIEW second AS SELECT 1 / (v - v) AS x FROM numbers;\n"
    )
    try:
        with pytest.raises(StatementFailed) as failure:
            client.execute(text)
        assert failure.value.sqlstate == "22012"
        assert text[failure.value.position - 1 :].startswith("/ (v - v)")
        assert rows_of(client.execute("SHOW VIEWS")) == []
    finally:
        client.execute("DROP TABLE IF EXISTS numbers CASCADE")


def test_with_keep_going_only_the_bad_view_is_missing(files, tmp_path):
    path = tmp_path / "script.sql"
    path.write_text(
        definition(files)
        + "CREATE MATERIALIZED VIEW first AS SELECT count(*) AS n FROM events;\n"
        + "CREATE MATERIALIZED VIEW bad AS SELECT nobody FROM events;\n"
        + "CREATE MATERIALIZED VIEW second AS SELECT n + 1 AS n FROM first;\n"
        + "CALL millrace.wait_for('second', 'complete', 'true', '60 s');\n"
        + "SELECT n FROM second;\n"
    )
    command = [BUILD / "bin" / "millrace", "run", "--keep-going", "-o", "csv", str(path)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.stdout.splitlines() == ['ERROR 42703: column "nobody" does not exist', "n", str(NUM_ROWS + 1)]


def test_views_of_a_script_are_dropped_together(client, files):
    client.execute(script(files))
    try:
        with pytest.raises(StatementFailed) as failure:
            client.execute("DROP MATERIALIZED VIEW totals")
        assert failure.value.sqlstate == "2BP01"
        assert "materialized view large" in failure.value.message
        client.execute(f"DROP MATERIALIZED VIEW {', '.join(VIEWS)}")
        assert rows_of(client.execute("SHOW VIEWS")) == []
        client.execute("CREATE MATERIALIZED VIEW totals AS SELECT 1 AS x FROM events")
    finally:
        drop_all(client)


def test_a_submitted_script_is_one_job(cluster, client, files, tmp_path):
    path = tmp_path / "script.sql"
    path.write_text(script(files, rate=2000))
    try:
        millrace(cluster, "job", "submit", str(path), "--name", "fused")

        def all_run() -> bool:
            status = job_status(cluster, "fused")
            assert status["state"] == "JOB_STATE_RUNNING" or status["state"] == "JOB_STATE_CREATED", status
            states = [step["state"] for step in status.get("steps", [])]
            return states == ["STEP_STATE_FINISHED"] + ["STEP_STATE_RUNNING"] * len(VIEWS)

        wait_until(all_run, "all tasks running")
        status = job_status(cluster, "fused")
        streams = {step["job_id"] for step in status["steps"]} - {"0"}
        assert len(streams) == 1
        assert {task["job_id"] for task in status["tasks"]} == streams
        listed = [line.split()[1] for line in millrace(cluster, "job", "list").splitlines()[1:]]
        assert "fused" in listed and "totals" not in listed
        plan = millrace(cluster, "job", "plan", "fused")
        assert plan.count("Scan [events") == 1
        assert "shared by steps 2, 3, 4, 5" in plan
        millrace(cluster, "job", "stop", "fused")
        assert job_status(cluster, "fused")["state"] == "JOB_STATE_STOPPED"
        assert job_status(cluster, "by_group")["state"] == "JOB_STATE_STOPPED"
        assert len(rows_of(client.execute("SELECT * FROM totals"))) > 0
    finally:
        drop_all(client)


def test_a_script_goes_on_after_a_crash(files, expected, tmp_path):
    """The group's checkpoint and the script's steps survive the loss of all processes."""
    data_dir = tmp_path / "crash"
    running = DevCluster(BUILD, data_dir)
    try:
        path = tmp_path / "script.sql"
        path.write_text("SET checkpoint_interval = '200 ms';\n" + script(files, rate=4000))
        millrace(running, "job", "submit", str(path), "--name", "fused")
        wait_until(lambda: int(job_status(running, "fused").get("durable_epoch", 0)) > 0, "a checkpoint")
        running.crash()
        running = DevCluster(BUILD, data_dir)
        client = SqlClient(running.address)
        for name in VIEWS:
            client.execute(f"CALL millrace.wait_for('{name}', 'complete', 'true', '60 s')")
            assert_same_rows(rows_of(client.execute(f"SELECT * FROM {name}")), expected[name], name)
        wait_until(lambda: job_status(running, "fused")["state"] == "JOB_STATE_FINISHED", "the end")
        assert len(rows_of(client.execute("SELECT id FROM millrace.jobs"))) == 2
        client.close()
    finally:
        running.stop()
