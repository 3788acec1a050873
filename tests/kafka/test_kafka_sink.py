"""Writing to topics: what was asked for is there, and can be read back."""

from __future__ import annotations

import json

import pytest
from support.job_client import job_call
from support.sql_client import StatementFailed, rows_of
from support.waiting import wait_until
from test_kafka_source import definition, query


def test_a_bounded_insert_is_on_the_broker_when_it_returns(client, topics, name):
    topics.create(name, 3)
    client.execute(definition(topics, name, "id bigint, t text, at timestamp", key="t"))
    result = client.execute(
        f"""INSERT INTO {name}
            SELECT i, CASE WHEN i % 100 <> 7 THEN 'k' || i % 100 END, timestamp '2024-01-01 00:00:00'
            FROM generate_series(1, 20000) AS g(i)"""
    )
    assert result[-1].rows == 20000
    messages = topics.read(name)
    assert len(messages) == 20000
    keys = {}
    for message in messages:
        value = json.loads(message.value())
        assert set(value) == {"id", "at"} and value["at"] == "2024-01-01T00:00:00"
        key = message.key()
        assert (key is None) == (value["id"] % 100 == 7)
        if key is not None:
            assert key == b"k%d" % (value["id"] % 100)
            keys.setdefault(key, set()).add(message.partition())
    assert all(len(partitions) == 1 for partitions in keys.values()), "a key lies in one partition"
    # Read back by the same definition.
    totals = f"SELECT count(*) AS n, count(DISTINCT t) AS keys, sum(id) AS s FROM {name}"
    assert query(client, totals) == [(20000, 99, 200010000)]


@pytest.mark.parametrize("form", ["json", "csv"])
def test_every_type_is_read_back(client, topics, name, form):
    columns = """b boolean, i2 smallint, i4 integer, i8 bigint, f4 real, f8 double precision, n numeric(20, 4), t text,
        v varchar(5), x bytea, u uuid, d date, ti time, ts timestamp, tz timestamptz, iv interval"""
    topics.create(name)
    client.execute(definition(topics, name, columns, form, timestamp="ts"))
    row = """true, -7::smallint, 42, 9000000000, 1.5::real, 1e-9, 12345.6789, 'a,"b" {}' || chr(10) || 'ü', 'abc',
        '\\x00ff'::bytea, '00000000-0000-0000-0000-00000000000a'::uuid, date '2024-02-29', time '12:34:56.7',
        timestamp '2024-01-01 12:00:00.123', timestamptz '2024-01-01 12:00:00+02', interval '1 day 02:03:04'"""
    client.execute(f"INSERT INTO {name} SELECT {row}")
    client.execute(f"CREATE TABLE {name}_same ({columns}); INSERT INTO {name}_same SELECT {row}")
    assert query(client, f"SELECT * FROM {name}") == query(client, f"SELECT * FROM {name}_same")


def test_raw_values_and_tombstones(client, topics, name):
    topics.create(name)
    client.execute(definition(topics, name, "k integer, v bytea", "raw", key="k"))
    client.execute(f"INSERT INTO {name} VALUES (1, '\\x00ff'), (2, NULL), (NULL, '')")
    assert [(m.key(), m.value()) for m in topics.read(name)] == [(b"1", b"\0\xff"), (b"2", None), (None, b"")]
    assert query(client, f"SELECT * FROM {name}") == [(1, b"\0\xff"), (2, None), (None, b"")]


def test_closed_windows_go_from_topic_to_topic(cluster, client, topics, name):
    topics.create(name, 2)
    topics.create(f"{name}_out")
    columns = "id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '1 second'"
    client.execute("SET checkpoint_interval = '200 ms'")
    client.execute(definition(topics, name, columns))
    client.execute(definition(topics, f"{name}_out", "w timestamp, n bigint"))
    result = client.execute(
        f"""INSERT INTO {name}_out SELECT window_start, count(*) FROM tumble({name}, ts, INTERVAL '1 minute')
            GROUP BY window_start, window_end EMIT ON WINDOW CLOSE"""
    )
    for partition in (0, 1):
        rows = [{"id": i, "ts": f"2024-01-01 00:{i:02d}:30"} for i in range(50)]
        topics.send(name, rows, partition)
    # Each window once; the last one is still open.
    wait_until(lambda: len(topics.read(f"{name}_out")) >= 49, "the closed windows")
    values = [json.loads(message.value()) for message in topics.read(f"{name}_out")]
    assert sorted(values, key=str) == [{"w": f"2024-01-01T00:{i:02d}:00", "n": 2} for i in range(49)]
    # It would go on beside the tests that follow.
    assert job_call(cluster.address, "Cancel", job=result[-1].job_id) is not None


def test_changing_rows_and_exactly_once_are_refused(client, topics, name):
    topics.create(name)
    client.execute(definition(topics, name, "id bigint, n bigint"))
    client.execute(definition(topics, name).replace(f"TABLE {name}", f"TABLE {name}_in"))
    with pytest.raises(StatementFailed, match="cannot take rows back") as failure:
        client.execute(f"INSERT INTO {name} SELECT id, count(*) FROM {name}_in GROUP BY id")
    assert failure.value.sqlstate == "0A000"
    with pytest.raises(StatementFailed, match="not supported yet") as failure:
        client.execute(definition(topics, name, delivery="exactly_once").replace(f"TABLE {name}", f"TABLE {name}_x"))
    assert failure.value.sqlstate == "0A000"


def test_a_message_that_is_too_large_is_an_error(client, topics, name):
    topics.create(name, max_message_bytes="10000")
    client.execute(definition(topics, name, "t text"))
    with pytest.raises(StatementFailed, match=f'topic "{name}"') as failure:
        client.execute(f"INSERT INTO {name} SELECT repeat('x', 20000)")
    assert failure.value.sqlstate == "54000"
    assert rows_of(client.execute(f"SELECT count(*) FROM {name}")) == [(0,)]


REFUSED = {
    "its time lies too far ahead": (
        {"message_timestamp_after_max_ms": "60000"},
        "3024-01-01",
        "x",
        "Invalid timestamp",
    ),
    "a compacted topic wants a key": ({"cleanup_policy": "compact"}, "2024-01-01", None, "record"),
}


@pytest.mark.parametrize("why", REFUSED)
def test_a_row_that_the_broker_refuses_ends_the_job_at_once(client, topics, name, why):
    settings, at, key, text = REFUSED[why]
    topics.create(name)
    topics.create(f"{name}_out", **settings)
    columns = "id bigint, k text, ts timestamp"
    client.execute(definition(topics, name, columns))
    client.execute(definition(topics, f"{name}_out", columns, key="k", timestamp="ts"))
    job = client.execute(f"INSERT INTO {name}_out SELECT id, k, ts FROM {name}")[-1].job_id
    topics.send(name, [{"id": i, "k": "x", "ts": "2024-01-01"} for i in range(100)])
    wait_until(lambda: len(topics.read(f"{name}_out")) == 100, "the rows that are not refused")
    topics.send(name, [{"id": 100, "k": key, "ts": at}])
    failed = f"SELECT error, restarts FROM millrace.jobs WHERE id = {job} AND state = 'failed'"
    error, restarts = wait_until(lambda: query(client, failed), "the job's failure")[0]
    assert f'topic "{name}_out": a row could not be delivered: ' in error and text in error
    # It was not tried again: nothing came twice.
    assert restarts == 0
    assert sorted(json.loads(m.value())["id"] for m in topics.read(f"{name}_out")) == list(range(100))
