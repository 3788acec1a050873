"""State of a streaming job that outgrows its memory: the job fails with its cause, worker and other jobs live on."""

import pytest
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until


@pytest.fixture
def processes(tmp_path):
    running = ProcessCluster(BUILD, tmp_path / "cluster")
    yield running
    running.stop()


QUERIES = {
    "groups": "SELECT k, count(*) AS n FROM wide GROUP BY k",
    "rows of a view": "SELECT k, v FROM wide WHERE k % 2 = 0",
    "rows of a join": "SELECT a.k, b.v FROM wide AS a JOIN wide AS b ON a.k = b.v",
}


@pytest.mark.parametrize("query", QUERIES.values(), ids=QUERIES.keys())
def test_a_view_that_needs_too_much_memory_fails_alone(processes, tmp_path, query):
    processes.start_coordinator()
    worker = processes.start_worker()
    client = SqlClient(processes.address)
    (tmp_path / "small.csv").write_text("id\n" + "".join(f"{i}\n" for i in range(100)))
    client.execute(
        f"""CREATE TABLE wide (k bigint, v bigint) WITH (connector = 'datagen', rows = '20000000',
                "k.kind" = 'sequence', "v.kind" = 'sequence');
            CREATE TABLE small (id bigint) WITH (connector = 'file', path = '{tmp_path}/small.csv');
            CREATE MATERIALIZED VIEW counted AS SELECT count(*) AS n FROM small"""
    )

    def failure():
        rows = rows_of(client.execute("SELECT state, error FROM millrace.jobs WHERE name = 'large'"))
        assert not rows or rows[0][0] in ("created", "running", "failed"), rows
        return rows[0][1] if rows and rows[0][0] == "failed" else ""

    try:
        client.execute(f"SET query_memory_mb = 24; CREATE MATERIALIZED VIEW large AS {query}")
        message = wait_until(failure, "the job's failure")
    except StatementFailed as error:
        assert error.sqlstate == "53200", error
        message = error.message
    assert "more memory than the query may use" in message
    assert worker.popen.poll() is None
    client.settings.clear()
    wait_until(lambda: rows_of(client.execute("SELECT n FROM counted")) == [(100,)], "the other view's rows")
    client.close()
