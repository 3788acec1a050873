"""Reading topics: what a SELECT and a view give, for every format, and what ends a job."""

from __future__ import annotations

import pytest
from conftest import BUILD
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed, rows_of
from support.waiting import wait_until


def definition(topics, topic, columns="id bigint, t text", form="json", **options):
    listed = "".join(f", {key} = '{value}'" for key, value in options.items())
    return (
        f"CREATE TABLE {topic} ({columns}) WITH (connector = 'kafka', brokers = '{topics.address}',"
        f" topic = '{topic}', format = '{form}'{listed})"
    )


def query(client, sql):
    return rows_of(client.execute(sql))


def wait_for_rows(client, sql, expected):
    wait_until(
        lambda: sorted(query(client, sql)) == sorted(expected),
        lambda: f"{sorted(expected)[:20]} instead of {sorted(query(client, sql))[:20]}",
    )


def wait_for_failure(client, view):
    failed = f"SELECT error FROM millrace.jobs WHERE name = '{view}' AND state = 'failed'"
    return wait_until(lambda: query(client, failed), "the job's failure")[0][0]


def test_a_select_ends_with_what_the_topic_has(client, topics, name):
    topics.create(name, 3)
    client.execute(definition(topics, name))
    assert query(client, f"SELECT * FROM {name}") == []
    topics.send(name, [{"id": i, "t": f"x{i}"} for i in range(5000)])
    assert sorted(query(client, f"SELECT * FROM {name}")) == [(i, f"x{i}") for i in range(5000)]
    assert query(client, f"SELECT count(*), sum(id) FROM {name} WHERE id % 2 = 0") == [(2500, 6247500)]
    plan = "\n".join(row[0] for row in query(client, f"EXPLAIN SELECT count(*) FROM {name}"))
    assert f"{name} (kafka)" in plan and f"topic: {name} from earliest to latest" in plan


def test_a_view_follows_the_topic(client, topics, name):
    topics.create(name, 2)
    client.execute(definition(topics, name))
    topics.send(name, [{"id": 1, "t": "a"}, {"id": 2, "t": "b"}])
    client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT t, count(*) AS n, sum(id) AS s FROM {name} GROUP BY t")
    wait_for_rows(client, f"SELECT * FROM {name}_v", [("a", 1, 1), ("b", 1, 2)])
    topics.send(name, [{"id": i, "t": "ab"[i % 2]} for i in range(1000)])
    wait_for_rows(client, f"SELECT * FROM {name}_v", [("a", 501, 249501), ("b", 501, 250002)])
    places = f"""SELECT sum(rows) FROM millrace.positions WHERE source = '{name}'
                 AND epoch = (SELECT max(epoch) FROM millrace.positions WHERE source = '{name}')"""
    assert query(client, places) == [(1002,)]
    client.execute(f"DROP MATERIALIZED VIEW {name}_v")


def test_csv_and_raw(client, topics, name):
    topics.create(name)
    topics.send(name, ["1,a", '2,"b,\nc"', None, "NA,\n"])
    client.execute(definition(topics, name, form="csv", null="NA"))
    assert query(client, f"SELECT * FROM {name}") == [(1, "a"), (2, "b,\nc"), (None, None), (None, None)]
    client.execute(definition(topics, name, "v bytea", "raw").replace(f"TABLE {name}", f"TABLE {name}_raw"))
    assert query(client, f"SELECT * FROM {name}_raw") == [(b"1,a",), (b'2,"b,\nc"',), (None,), (b"NA,\n",)]


def test_key_headers_timestamp_partition_and_offset_are_columns(client, topics, name):
    topics.create(name, 2)
    topics.send(name, [{"id": 1}], 1, key="one", headers=[("a", "x"), ("b", None)], timestamp=1_700_000_000_123)
    topics.send(name, [{"id": 2}, None], 1, timestamp=1_700_000_001_000)
    columns = "id bigint, k text, h text, at timestamp, part integer, pos bigint"
    client.execute(
        definition(topics, name, columns, key="k", headers="h", timestamp="at", partition="part", offset="pos")
    )
    rows = query(client, f"SELECT id, k, h, at::text, part, pos FROM {name} ORDER BY pos")
    assert rows == [
        (1, "one", '{"a":"x","b":null}', "2023-11-14 22:13:20.123", 1, 0),
        (2, None, None, "2023-11-14 22:13:21", 1, 1),
        (None, None, None, "2023-11-14 22:13:21", 1, 2),
    ]


def test_start_and_stop_become_offsets(client, topics, name):
    topics.create(name)
    for i in range(6):
        topics.send(name, [{"id": i}], timestamp=1_700_000_000_000 + i * 1000)
    cases = {
        "start = 'latest'": [],
        "start = 'timestamp:2023-11-14 22:13:23'": [3, 4, 5],
        "start = 'timestamp:1700000004000'": [4, 5],
        "start = 'timestamp:2100-01-01'": [],
        "start = '0=2', stop = '0=4'": [2, 3],
        "stop = 'timestamp:1700000002000'": [0, 1],
        "stop = 'latest'": [0, 1, 2, 3, 4, 5],
    }
    for number, (options, expected) in enumerate(cases.items()):
        table = f"{name}_{number}"
        client.execute(definition(topics, name).replace(f"TABLE {name}", f"TABLE {table}")[:-1] + f", {options})")
        assert sorted(query(client, f"SELECT id FROM {table}")) == [(i,) for i in expected], options
    with pytest.raises(StatementFailed, match="offset 9 is not in partition 0"):
        client.execute(definition(topics, name, start="0=9"))
    # The topic may grow up to `stop`; until then a statement that ends cannot.
    client.execute(definition(topics, name, stop="0=9"))
    with pytest.raises(StatementFailed, match="offset 9 is not in partition 0"):
        client.execute(f"SELECT * FROM {name}")


def test_start_and_stop_name_the_partitions_of_the_topic(client, topics, name):
    topics.create(name, 2)
    other = "an offset is given for partition 2 .* which has 2"
    cases = {
        "start = '0=0, 1=0, 2=0'": other,
        "stop = '0=9, 1=9, 2=9'": other,
        "start = '0=0'": "no offset is given for partition 1",
        "stop = '1=9'": "no offset is given for partition 0",
    }
    for options, text in cases.items():
        with pytest.raises(StatementFailed, match=text) as failure:
            client.execute(definition(topics, name)[:-1] + f", {options})")
        assert failure.value.sqlstate == "22023", options


def test_a_view_over_a_topic_with_stop_is_complete(client, topics, name):
    topics.create(name, 2)
    topics.send(name, [{"id": i, "t": "x"} for i in range(100)])
    client.execute(definition(topics, name, stop="latest"))
    client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT count(*) AS n FROM {name}")
    topics.send(name, [{"id": 1, "t": "later"}])
    client.execute(f"CALL millrace.wait_for('{name}_v', 'complete', 'true', '60 s')")
    assert query(client, f"SELECT n FROM {name}_v") == [(100,)]


def test_missing_brokers_and_topics_are_errors_at_create(client, topics, name):
    with pytest.raises(StatementFailed, match="does not exist") as failure:
        client.execute(definition(topics, name))
    assert failure.value.sqlstate == "42704"
    with pytest.raises(StatementFailed, match=r"127\.0\.0\.1:1") as failure:
        client.execute(definition(topics, name).replace(topics.address, "127.0.0.1:1"))
    assert failure.value.sqlstate == "08006"
    with pytest.raises(StatementFailed, match="topicc") as failure:
        client.execute(definition(topics, name, topicc="x"))
    assert failure.value.hint == 'did you mean "topic"?'
    with pytest.raises(StatementFailed) as failure:
        client.execute(f"SELECT * FROM {name}")
    assert failure.value.sqlstate == "42P01"


def test_bad_rows_fail_or_are_kept(client, topics, name):
    topics.create(name)
    topics.send(name, [{"id": 1}, "{", {"id": "x"}, {"id": 4}])
    client.execute(definition(topics, name))
    with pytest.raises(StatementFailed, match=f"{name}/0 offset 1"):
        client.execute(f"SELECT * FROM {name}")
    kept = definition(topics, name, bad_rows="keep").replace(f"TABLE {name}", f"TABLE {name}_kept")
    client.execute(kept)
    client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT id FROM {name}_kept")
    wait_for_rows(client, f"SELECT * FROM {name}_v", [(1,), (4,)])
    bad = f"SELECT * FROM millrace.bad_rows WHERE source = '{name}_kept'"
    wait_until(lambda: len(query(client, bad)) == 2, "the kept rows")
    client.execute(f"DROP MATERIALIZED VIEW {name}_v")


def test_windows_close_by_the_slowest_partition_and_idle_ones_let_go(client, topics, name):
    topics.create(name, 3)
    columns = "id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds'"
    client.execute(definition(topics, name, columns, idle_timeout="3 s", late_into=f"{name}_late"))
    client.execute(
        f"""CREATE MATERIALIZED VIEW {name}_v WITH (emit = 'on_window_close') AS
            SELECT window_start::text AS w, count(*) AS n FROM tumble({name}, ts, INTERVAL '1 minute')
            GROUP BY window_start, window_end"""
    )

    def send(partition, *rows):
        topics.send(name, [{"id": i, "ts": ts} for i, ts in rows], partition)

    # Partition 2 never gets anything, and partition 1 stands still: both let go after a while.
    send(0, (1, "2024-01-01 00:00:10"), (2, "2024-01-01 00:00:50"))
    send(1, (3, "2024-01-01 00:00:20"))
    send(0, (4, "2024-01-01 00:02:00"))
    first = ("2024-01-01 00:00:00", 3)
    wait_for_rows(client, f"SELECT * FROM {name}_v", [first])
    # It comes back: its own rows are on time, and the windows that are open wait for it again.
    send(1, (5, "2024-01-01 00:02:10"), (6, "2024-01-01 00:02:04"))
    send(0, (7, "2024-01-01 00:04:00"), (8, "2024-01-01 00:00:01"))
    send(1, (9, "2024-01-01 00:04:00"))
    wait_for_rows(client, f"SELECT * FROM {name}_v", [first, ("2024-01-01 00:02:00", 2)])
    wait_for_rows(client, f"SELECT id FROM {name}_late", [(6,), (8,)])
    client.execute(f"DROP MATERIALIZED VIEW {name}_v")


def test_rows_that_come_behind_the_watermark_from_an_idle_partition_are_late_and_counted(client, topics, name):
    topics.create(name, 2)
    columns = "id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds'"
    client.execute(definition(topics, name, columns, idle_timeout="2 s", late_into=f"{name}_late"))
    client.execute(
        f"""CREATE MATERIALIZED VIEW {name}_v WITH (emit = 'on_window_close') AS
            SELECT window_start::text AS w, count(*) AS n FROM tumble({name}, ts, INTERVAL '1 minute')
            GROUP BY window_start, window_end;
            CREATE MATERIALIZED VIEW {name}_all AS SELECT id FROM {name}"""
    )

    def send(partition, *rows):
        topics.send(name, [{"id": i, "ts": ts} for i, ts in rows], partition)

    send(1, (1, "2024-01-01 00:00:10"))
    send(0, (2, "2024-01-01 00:00:20"), (3, "2024-01-01 00:02:00"))
    first = ("2024-01-01 00:00:00", 2)
    wait_for_rows(client, f"SELECT * FROM {name}_v", [first])
    # Both jobs: each hears of the other partition by itself. Those that other tests have left may wait for a broker.
    behind = f"""SELECT name, fragment, task, watermark, waiting_for
                 FROM millrace.tasks JOIN millrace.jobs ON job_id = id
                 WHERE name IN ('{name}_v', '{name}_late') AND millrace.tasks.state = 'running'
                 AND (watermark IS NULL OR watermark < timestamp '2024-01-01 00:01:55')"""
    wait_for_rows(client, behind, [])
    # In time for its partition, but its window has been closed without it.
    send(1, (4, "2024-01-01 00:00:30"), (5, "2024-01-01 00:02:10"))
    wait_for_rows(client, f"SELECT id FROM {name}_late", [(4,)])
    wait_for_rows(client, f"SELECT id FROM {name}_all", [(1,), (2,), (3,), (5,)])
    counted = f"SELECT CAST(sum(rows) AS bigint) FROM millrace.late_rows WHERE job = '{name}_v'"
    wait_for_rows(client, counted, [(1,)])
    assert query(client, f"SELECT * FROM {name}_v") == [first]
    client.execute(f"DROP MATERIALIZED VIEW {name}_v, {name}_all")


def test_a_topic_that_is_idle_does_not_hold_back_the_one_that_it_is_merged_with(client, topics, name):
    live, silent = f"{name}_live", f"{name}_silent"
    for topic in (live, silent):
        topics.create(topic, 2)
        columns = "id bigint, ts timestamp, WATERMARK FOR ts AS ts - INTERVAL '5 seconds'"
        client.execute(definition(topics, topic, columns, idle_timeout="1 s"))
    client.execute(f"CREATE VIEW {name}_u AS SELECT id, ts FROM {live} UNION ALL SELECT id, ts FROM {silent}")
    client.execute(
        f"""CREATE MATERIALIZED VIEW {name}_v WITH (emit = 'on_window_close') AS
            SELECT window_start::text AS w, count(*) AS n FROM tumble({name}_u, ts, INTERVAL '1 minute')
            GROUP BY window_start, window_end;
            CREATE MATERIALIZED VIEW {name}_all AS SELECT id FROM {name}_u"""
    )

    def send(topic, *rows):
        topics.send(topic, [{"id": i, "ts": ts} for i, ts in rows], 0)

    # One topic has never had a row.
    send(live, (1, "2024-01-01 00:00:10"), (2, "2024-01-01 00:02:00"))
    first = ("2024-01-01 00:00:00", 1)
    wait_for_rows(client, f"SELECT * FROM {name}_v", [first])
    # It gets one, and falls silent.
    send(silent, (3, "2024-01-01 00:02:10"))
    wait_for_rows(client, f"SELECT id FROM {name}_all", [(1,), (2,), (3,)])
    send(live, (4, "2024-01-01 00:04:00"))
    second = ("2024-01-01 00:02:00", 2)
    wait_for_rows(client, f"SELECT * FROM {name}_v", [first, second])
    # In time for its own topic, but its window has been closed without it.
    send(silent, (5, "2024-01-01 00:02:30"), (6, "2024-01-01 00:04:10"))
    wait_for_rows(client, f"SELECT id FROM {name}_all", [(1,), (2,), (3,), (4,), (6,)])
    counted = f"SELECT CAST(sum(rows) AS bigint) FROM millrace.late_rows WHERE job = '{name}_v'"
    wait_for_rows(client, counted, [(1,)])
    assert sorted(query(client, f"SELECT * FROM {name}_v")) == [first, second]
    client.execute(f"DROP MATERIALIZED VIEW {name}_v, {name}_all")


def test_only_committed_messages_are_read_and_a_select_ends_behind_them(client, topics, name):
    topics.create(name)
    client.execute(definition(topics, name))
    client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT id FROM {name}")
    topics.send(name, [{"id": 1}])
    topics.transaction(name, [{"id": 2}, {"id": 3}], commit=True)
    topics.transaction(name, [{"id": 4}, {"id": 5}], commit=False)
    # The topic ends with the mark of a transaction, which is no message.
    assert sorted(query(client, f"SELECT id FROM {name}")) == [(1,), (2,), (3,)]
    wait_for_rows(client, f"SELECT * FROM {name}_v", [(1,), (2,), (3,)])
    topics.send(name, [{"id": 6}])
    wait_for_rows(client, f"SELECT * FROM {name}_v", [(1,), (2,), (3,), (6,)])
    client.execute(f"DROP MATERIALIZED VIEW {name}_v")


def test_new_partitions_are_read_while_the_job_runs(client, topics, name):
    topics.create(name)
    client.execute(definition(topics, name, start="latest"))
    client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT id FROM {name}")
    topics.grow(name, 3)
    topics.send(name, [{"id": 1}], 2)
    topics.send(name, [{"id": 2}], 1)
    topics.send(name, [{"id": 3}], 0)
    wait_for_rows(client, f"SELECT * FROM {name}_v", [(1,), (2,), (3,)])
    client.execute(f"DROP MATERIALIZED VIEW {name}_v")


def test_a_topic_that_is_deleted_stops_the_job(client, topics, name):
    topics.create(name)
    client.execute(definition(topics, name))
    topics.send(name, [{"id": 1}])
    client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT id FROM {name}")
    wait_for_rows(client, f"SELECT * FROM {name}_v", [(1,)])
    topics.drop(name)
    assert name in wait_for_failure(client, f"{name}_v")


def test_brokers_outside_of_the_allowed_hosts_are_refused(topics, name, tmp_path):
    topics.create(name)
    cluster = ProcessCluster(BUILD, tmp_path)
    try:
        cluster.start_coordinator(arguments=("--allowed-broker", "kafka.example"))
        cluster.start_worker()
        client = SqlClient(cluster.address)
        with pytest.raises(StatementFailed, match="is not allowed") as failure:
            client.execute(definition(topics, name))
        assert failure.value.sqlstate == "42501"
        client.close()
    finally:
        cluster.stop()
