"""What SHOW and DESCRIBE tell, and where refusals of streams point."""

import pytest
from support.sql_client import StatementFailed, rows_of


def column_names(results):
    return [field.name for field in results[-1].schema.fields]


@pytest.fixture
def objects(client, tmp_path):
    """One of each kind: a stored table, files, a view, a materialized view, and a sink that a job writes."""
    (tmp_path / "clicks.csv").write_text("at,url\n2024-01-01 00:00:00,a\n2024-01-01 00:00:05,b\n")
    client.execute(
        f"""CREATE TABLE people (id bigint NOT NULL, name text DEFAULT 'it''s', born date DEFAULT DATE '2000-01-31',
                                 score numeric(5,2) DEFAULT 1 + 0.5);
            CREATE TABLE clicks (at timestamp, url text, WATERMARK FOR at AS at - INTERVAL '2 seconds')
              WITH (connector = 'file', path = '{tmp_path}/clicks.csv');
            CREATE TABLE outside () WITH (connector = 'file', path = '{tmp_path}/out/', format = 'csv');
            CREATE VIEW names AS SELECT name FROM people;
            CREATE MATERIALIZED VIEW counts AS SELECT url, count(*) AS n FROM clicks GROUP BY url;
            INSERT INTO outside SELECT window_start, count(*) AS n FROM tumble(clicks, at, INTERVAL '1 minute')
              GROUP BY window_start, window_end EMIT ON WINDOW CLOSE"""
    )
    yield
    client.execute(
        """DROP MATERIALIZED VIEW counts CASCADE; DROP VIEW names;
           DROP TABLE outside; DROP TABLE clicks; DROP TABLE people"""
    )


def test_show_lists_objects_by_kind(client, objects):
    assert rows_of(client.execute("SHOW TABLES")) == [
        ("clicks", "file table"),
        ("outside", "file table"),
        ("people", "stored table"),
    ]
    assert rows_of(client.execute("SHOW VIEWS")) == [("counts", "materialized view"), ("names", "view")]
    [(name, kind, job)] = rows_of(client.execute("SHOW SINKS"))
    assert (name, kind) == ("outside", "file table")
    jobs = client.execute("SHOW JOBS")
    assert column_names(jobs) == ["id", "name", "state", "published_epoch", "durable_epoch"]
    assert job in [row[1] for row in rows_of(jobs)]
    assert all(int(row[0]) > 0 and int(row[3]) >= int(row[4]) for row in rows_of(jobs))


def test_describe_tells_columns_with_their_attributes(client, objects):
    people = client.execute("DESCRIBE people")
    assert column_names(people) == ["column", "type", "attributes"]
    assert rows_of(people) == [
        ("id", "bigint", "not null"),
        ("name", "text", "default 'it''s'"),
        ("born", "date", "default date '2000-01-31'"),
        ("score", "numeric(5,2)", "default (1 + 0.5)::numeric(5,2)"),
    ]
    assert rows_of(client.execute("DESCRIBE clicks")) == [
        ("at", "timestamp without time zone", "watermark delay 2000000 us"),
        ("url", "text", ""),
    ]
    assert rows_of(client.execute("DESCRIBE counts")) == [("url", "text", ""), ("n", "bigint", "")]


def test_show_functions_has_arguments_and_results(client):
    functions = client.execute("SHOW FUNCTIONS")
    assert column_names(functions) == ["name", "arguments", "result", "description"]
    rows = rows_of(functions)
    assert ("lower", "text", "text", "in lower case") in rows
    assert ("power", "double precision, double precision", "double precision") in [row[:3] for row in rows]


def test_show_tells_settings_as_they_are(client):
    settings = dict(row[:2] for row in rows_of(client.execute("SHOW ALL")))
    assert settings["epoch_interval"] == "500 ms"
    assert rows_of(client.execute("SET epoch_interval = '0.2 s'; SHOW epoch_interval")) == [("200 ms",)]
    assert dict(row[:2] for row in rows_of(client.execute("SHOW ALL"))) == settings | {"epoch_interval": "200 ms"}
    assert rows_of(client.execute("RESET epoch_interval; SHOW epoch_interval")) == [("500 ms",)]
    with pytest.raises(StatementFailed, match="unrecognized configuration parameter") as failure:
        client.execute("SHOW epoch_intervall")
    assert (failure.value.sqlstate, failure.value.hint) == ("42704", 'Perhaps you meant "epoch_interval".')


@pytest.mark.parametrize(
    ("place", "sql"),
    [
        ("INSERT", "EXPLAIN ANALYZE INSERT INTO people (id) SELECT 1"),
        ("elsewhere", "INSERT INTO elsewhere SELECT url, count(*) FROM endless GROUP BY url"),
        ("elsewhere", "EXPLAIN INSERT INTO elsewhere SELECT url, count(*) FROM endless GROUP BY url"),
        ("people", "INSERT INTO people (id) SELECT 1 FROM endless"),
        ("EMIT", "INSERT INTO elsewhere SELECT url, count(*) FROM clicks GROUP BY url EMIT ON WINDOW CLOSE"),
        ("EMIT", "CREATE MATERIALIZED VIEW v AS SELECT url, count(*) FROM clicks GROUP BY url EMIT ON WINDOW CLOSE"),
        (
            "emit",
            "CREATE MATERIALIZED VIEW v WITH (emit = 'on_window_close') AS SELECT url, count(*) FROM clicks GROUP BY 1",
        ),
    ],
)
def test_what_a_stream_refuses_points_to_its_place(client, objects, tmp_path, place, sql):
    client.execute(
        f"""CREATE TABLE endless (url text) WITH (connector = 'datagen', rows_per_second = '10');
            CREATE TABLE elsewhere () WITH (connector = 'file', path = '{tmp_path}/elsewhere/', format = 'csv')"""
    )
    try:
        with pytest.raises(StatementFailed) as failure:
            client.execute(sql)
    finally:
        client.execute("DROP TABLE endless; DROP TABLE elsewhere")
    assert failure.value.sqlstate == "0A000", failure.value
    assert sql[failure.value.position - 1 :].startswith(place), failure.value.position
