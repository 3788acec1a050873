"""The folders by which a cluster lives are out of the reach of statements, also where everything else is allowed."""

import pathlib
from collections.abc import Iterator

import pytest
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of

STATEMENTS = {
    "copy_to_metadata": "COPY (SELECT 1 AS a) TO '{data}/metadata/CURRENT' (FORMAT csv)",
    "copy_to_a_new_file": "COPY (SELECT 1 AS a) TO '{data}/new.csv'",
    "copy_to_checkpoints": "COPY (SELECT 1 AS a) TO '{checkpoints}/job-1/' (FORMAT csv)",
    "copy_through_a_link": "COPY (SELECT 1 AS a) TO '{link}/metadata/CURRENT' (FORMAT csv)",
    "copy_through_dots": "COPY (SELECT 1 AS a) TO '{outside}/../data/metadata/CURRENT' (FORMAT csv)",
    "copy_from": "COPY kept FROM '{data}/_shared-storage-token' (FORMAT csv)",
    "select": "SELECT * FROM '{data}/logs.csv'",
    "select_segments": "SELECT * FROM '{data}/tables/*/*.parquet'",
    "select_from_above": "SELECT count(*) FROM '{data}/../**/*.parquet'",
    "create_table": "CREATE TABLE t (a bigint) WITH (connector = 'file', path = '{data}/t/', format = 'csv')",
    "insert": "INSERT INTO moved SELECT 1",
    "explain_insert": "EXPLAIN INSERT INTO moved SELECT 1",
    "stream_insert": "INSERT INTO moved SELECT k FROM endless",
}


@pytest.fixture(scope="module")
def cluster(tmp_path_factory) -> Iterator[ProcessCluster]:
    running = ProcessCluster(BUILD, tmp_path_factory.mktemp("own") / "cluster")
    running.start_coordinator(arguments=("--checkpoint-dir", str(running.folder / "kept")))
    running.start_worker()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def places(cluster) -> dict[str, pathlib.Path]:
    folder = cluster.folder
    names = {
        "data": folder / "data",
        "checkpoints": folder / "kept",
        "link": folder / "link",
        "outside": folder / "outside",
    }
    names["outside"].mkdir()
    names["link"].symlink_to(names["data"])
    client = SqlClient(cluster.address)
    client.execute(
        f"""CREATE TABLE kept (a text);
            INSERT INTO kept VALUES ('row');
            CREATE TABLE endless (k bigint) WITH (connector = 'datagen', rows_per_second = '10');
            CREATE TABLE moved (a bigint) WITH (connector = 'file', path = '{folder}/moved/', format = 'csv');
            INSERT INTO moved VALUES (1)"""
    )
    client.close()
    # Allowed when it was defined; now its folder is another one.
    (folder / "moved").rename(folder / "elsewhere")
    (folder / "moved").symlink_to(names["data"] / "tables")
    return names


def own_files(places) -> set[pathlib.Path]:
    found = [path for name in ("data", "checkpoints") for path in places[name].rglob("*")]
    return {path for path in found if "metadata" not in path.parts}


@pytest.mark.parametrize("name", STATEMENTS)
def test_a_statement_does_not_reach_them(cluster, places, name):
    client = SqlClient(cluster.address)
    before = own_files(places)
    with pytest.raises(StatementFailed) as failure:
        client.execute(STATEMENTS[name].format(**places))
    client.close()
    assert failure.value.sqlstate == "42501", failure.value
    assert "lies in a folder of the cluster itself" in failure.value.message
    assert "data-dir" in failure.value.hint
    assert own_files(places) == before


def test_stored_tables_and_the_files_beside_are_read_also_after_a_restart(cluster, places):
    client = SqlClient(cluster.address)
    client.execute(f"COPY (SELECT 7 AS a) TO '{places['outside']}/a.csv' (FORMAT csv, HEADER)")
    client.close()
    assert cluster.coordinator.stop()
    cluster.start_coordinator(arguments=("--checkpoint-dir", str(places["checkpoints"])))
    client = SqlClient(cluster.address)
    assert rows_of(client.execute("SELECT a FROM kept")) == [("row",)]
    assert rows_of(client.execute(f"SELECT a FROM '{places['outside']}/*.csv'")) == [(7,)]
    client.close()
