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
    # A text that the rows share, and that each of them has when they are compared.
    "text of a window function": """SELECT k, length(m) AS l FROM (SELECT k, max(CASE WHEN k = 1 THEN
        repeat('x', 10000000) ELSE 'a' END) OVER () AS m FROM wide WHERE k < 300) z""",
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


def test_rows_of_views_whose_jobs_have_ended_keep_their_memory(processes):
    """They stay readable, so they fill the worker until the views are dropped."""
    processes.start_coordinator()
    worker = processes.start_worker(name="full", arguments=("--memory-mb", "64"))
    client = SqlClient(processes.address)
    client.execute(
        """CREATE TABLE numbers (k bigint, v bigint) WITH (connector = 'datagen', rows = '200000',
               "k.kind" = 'sequence', "v.kind" = 'sequence');
           SET query_memory_mb = 48"""
    )

    def used_bytes():
        return rows_of(client.execute("SELECT memory_used_bytes FROM millrace.workers"))[0][0]

    def create(name):
        client.execute(
            f"""CREATE MATERIALIZED VIEW {name} AS SELECT k, v FROM numbers;
                CALL millrace.wait_for('{name}', 'complete', 'true', '60 s')"""
        )

    row_bytes = 200000 * 16

    def wait_for_rows_of(num_views):
        wait_until(lambda: used_bytes() >= num_views * row_bytes, used_bytes)

    created = 0
    with pytest.raises(StatementFailed) as refused:
        while created < 64 * 2**20 // row_bytes + 1:
            create(f"kept{created}")
            created += 1
            wait_for_rows_of(created)
    assert refused.value.sqlstate == "53200", refused.value
    assert "more memory than is left on the worker" in refused.value.message
    assert created > 2
    assert worker.popen.poll() is None
    [(state_bytes,)] = rows_of(client.execute("SELECT memory_bytes FROM millrace.jobs WHERE name = 'kept0'"))
    assert state_bytes >= row_bytes
    client.close()

    # Their rows are loaded again.
    processes.coordinator.kill()
    worker.kill()
    processes.start_coordinator()
    processes.start_worker(name="full", arguments=("--memory-mb", "64"))
    client = SqlClient(processes.address)
    wait_for_rows_of(created)
    assert rows_of(client.execute("SELECT count(*) FROM kept0")) == [(200000,)]
    for index in range(created):
        client.execute(f"DROP MATERIALIZED VIEW kept{index}")
    wait_until(lambda: used_bytes() < row_bytes, used_bytes)
    create("after")
    client.close()
