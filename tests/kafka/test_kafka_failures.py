"""Workers that are killed, brokers that go away, messages that are deleted: no row is lost or doubled unnoticed."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import threading
import time

import pytest
from confluent_kafka import KafkaException
from conftest import BUILD
from support.dev_cluster import DevCluster
from support.job_client import job_call
from support.kafka_broker import KafkaBroker
from support.kafka_topics import Topics
from support.process_cluster import ProcessCluster
from support.sql_client import SqlClient, StatementFailed
from support.waiting import wait_until
from test_kafka_source import definition, query, wait_for_failure, wait_for_rows

SILENCE_S = 6
# A broker that refuses connections is asked for five seconds.
REFUSED_S = 20
QUICK = "SET epoch_interval = '50 ms'; SET checkpoint_interval = '200 ms'"


@contextlib.contextmanager
def process_cluster(folder, num_workers, arguments=()):
    """Processes of their own, and a client of them."""
    cluster = ProcessCluster(BUILD, folder)
    try:
        cluster.start_coordinator(arguments=arguments)
        for _ in range(num_workers):
            cluster.start_worker()
        with contextlib.closing(SqlClient(cluster.address)) as client:
            yield cluster, client
    finally:
        cluster.stop()


def rows_for(numbers):
    return [{"id": i, "t": f"k{i % 17}"} for i in numbers]


def test_kill_9_of_workers_in_the_middle_changes_nothing(topics, name, tmp_path):
    topics.create(name, 4)
    topics.create(f"{name}_out")
    with process_cluster(tmp_path, num_workers=2) as (cluster, client):
        client.execute(QUICK)
        client.execute(definition(topics, name))
        client.execute(definition(topics, f"{name}_out", "id bigint"))
        client.execute(
            f"CREATE MATERIALIZED VIEW {name}_v AS SELECT t, count(*) AS n, sum(id) AS s FROM {name} GROUP BY t"
        )
        client.execute(f"INSERT INTO {name}_out SELECT id FROM {name} WHERE id % 10 = 0")
        total = 40_000

        def send_all():
            for i in range(0, total, 500):
                topics.send(name, rows_for(range(i, i + 500)))

        sender = threading.Thread(target=send_all)
        sender.start()
        for share in (0.2, 0.5, 0.8):
            wait_until(lambda wanted=share * total: rows_seen(client, name) >= wanted, "the view's progress")
            victim = cluster.workers.pop(0)
            victim.kill()
            cluster.start_worker()
        sender.join()
        expected = query(client, f"SELECT t, count(*), sum(id) FROM {name} GROUP BY t")
        assert sum(row[1] for row in expected) == total
        wait_for_rows_through_restarts(client, f"SELECT * FROM {name}_v", expected)
        # At least once: none is missing, some may have come twice.
        wanted = set(range(0, total, 10))
        wait_until(lambda: ids_in(topics, f"{name}_out") == wanted, "all rows in the topic")


def ids_in(topics, topic):
    return {json.loads(message.value())["id"] for message in topics.read(topic)}


def rows_seen(client, name):
    """0 while the view cannot be read, because its job goes on after a loss."""
    try:
        return query(client, f"SELECT coalesce(sum(n), 0) FROM {name}_v")[0][0]
    except StatementFailed:
        return 0


def wait_for_rows_through_restarts(client, sql, expected):
    def same():
        try:
            return sorted(query(client, sql)) == sorted(expected)
        except StatementFailed:
            return False

    wait_until(same, lambda: f"{sorted(expected)[:5]} instead of {sorted(query(client, sql))[:5]}")


def test_a_crash_of_everything_goes_on_at_the_offsets(topics, name, tmp_path):
    topics.create(name, 2)
    cluster = DevCluster(BUILD, tmp_path)
    client = SqlClient(cluster.address)
    try:
        client.execute(QUICK)
        client.execute(definition(topics, name, start="latest"))
        client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT id, count(*) AS n FROM {name} GROUP BY id")
        written = 0
        for turn in range(3):
            topics.send(name, rows_for(range(written, written + 1000)))
            written += 1000
            wait_for_rows(client, f"SELECT * FROM {name}_v", [(i, 1) for i in range(written)])
            if turn == 1:
                topics.grow(name, 4)
            cluster.crash()
            client.close()
            topics.send(name, rows_for(range(written, written + 500)))
            written += 500
            cluster = DevCluster(BUILD, tmp_path)
            client = SqlClient(cluster.address)
            wait_for_rows_through_restarts(client, f"SELECT * FROM {name}_v", [(i, 1) for i in range(written)])
    finally:
        client.close()
        cluster.stop()


def test_a_broker_that_is_away_is_waited_for_and_shown(cluster, client, name, tmp_path):
    broker = KafkaBroker(tmp_path / "broker")
    try:
        topics = Topics(broker.address)
        topics.create(name, 2)
        topics.create(f"{name}_out")
        client.execute(definition(topics, name))
        client.execute(definition(topics, f"{name}_out", "id bigint"))
        topics.send(name, rows_for(range(100)))
        client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT count(*) AS n FROM {name}")
        insert = client.execute(f"INSERT INTO {name}_out SELECT id FROM {name}")[-1].job_id
        wait_for_rows(client, f"SELECT n FROM {name}_v", [(100,)])
        broker.kill()
        waits = "SELECT waiting_for FROM millrace.tasks WHERE waiting_for LIKE 'broker: %'"
        wait_until(lambda: query(client, waits), "the cause of waiting")
        broker.start()
        topics.send(name, rows_for(range(100, 150)))
        wait_for_rows(client, f"SELECT n FROM {name}_v", [(150,)])
        wait_until(lambda: not query(client, waits), "the end of waiting")
        # At least once: none is missing, some may have come twice.
        wanted = set(range(150))
        wait_until(lambda: ids_in(topics, f"{name}_out") == wanted, "the rows behind the restart")
        client.execute(f"DROP MATERIALIZED VIEW {name}_v")
        # Else it would wait for its broker beside the tests that follow.
        assert job_call(cluster.address, "Cancel", job=insert) is not None
    finally:
        broker.stop()


def test_a_statement_ends_at_once_when_its_broker_is_away(client, name, tmp_path):
    broker = KafkaBroker(tmp_path / "broker")
    try:
        topics = Topics(broker.address)
        topics.create(name)
        client.execute(definition(topics, name))
        broker.kill()
        for statement in (
            f"SELECT count(*) FROM {name}",
            f"CREATE TABLE {name}_copy AS SELECT id FROM {name}",
            f"INSERT INTO {name} VALUES (1, 'x')",
        ):
            begin = time.monotonic()
            with pytest.raises(StatementFailed, match=broker.address) as failure:
                client.execute(statement)
            assert time.monotonic() - begin < REFUSED_S, statement
            assert failure.value.sqlstate == "08006"
            assert "lost with its workers" not in str(failure.value)
            assert failure.value.hint.startswith("are the brokers running")
    finally:
        broker.stop()


def test_a_topic_made_anew_with_fewer_partitions_stops_the_job(topics, name, client):
    topics.create(name, 3)
    client.execute(definition(topics, name))
    client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT id FROM {name}")
    # Partition 0 stands at an offset that the new topic has, too.
    topics.send(name, [{"id": 1, "t": "x"}], 2)
    wait_for_rows(client, f"SELECT id FROM {name}_v", [(1,)])
    topics.drop(name)
    wait_until(lambda: create_again(topics, name), "the topic's second life")
    error = wait_for_failure(client, f"{name}_v")
    assert f'topic "{name}" no longer has partition 1: it has 1' in error


def create_again(topics, name):
    """False while the broker is not yet done with the topic that was there."""
    try:
        topics.create(name, 1)
    except KafkaException:
        return False
    return True


def test_a_broker_that_is_silent_for_seconds_is_waited_for(client, name, tmp_path):
    broker = KafkaBroker(tmp_path / "broker")
    try:
        topics = Topics(broker.address)
        topics.create(name)
        errors: list[StatementFailed] = []

        def create():
            try:
                client.execute(definition(topics, name))
            except StatementFailed as error:
                errors.append(error)

        # Longer than a resolver waits before it asks again for a name.
        until = time.monotonic() + SILENCE_S
        os.kill(broker.pid, signal.SIGSTOP)
        creator = threading.Thread(target=create)
        creator.start()
        wait_until(lambda: time.monotonic() > until, "the end of the silence", 2 * SILENCE_S)
        os.kill(broker.pid, signal.SIGCONT)
        creator.join()
        assert not errors, errors[0]
        assert query(client, f"SELECT count(*) FROM {name}") == [(0,)]
    finally:
        os.kill(broker.pid, signal.SIGCONT)
        broker.stop()


def test_offsets_that_the_broker_no_longer_has_stop_the_job(topics, name, tmp_path):
    topics.create(name)
    cluster = DevCluster(BUILD, tmp_path)
    client = SqlClient(cluster.address)
    try:
        client.execute(QUICK)
        client.execute(definition(topics, name))
        topics.send(name, rows_for(range(100)))
        client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT count(*) AS n FROM {name}")
        wait_for_rows(client, f"SELECT n FROM {name}_v", [(100,)])
        cluster.crash()
        client.close()
        topics.send(name, rows_for(range(100, 200)))
        topics.delete_before(name, 0, 150)
        cluster = DevCluster(BUILD, tmp_path)
        client = SqlClient(cluster.address)
        error = wait_for_failure(client, f"{name}_v")
        assert f"{name}/0: the broker does not have offset" in error
        # What it has can be read, by name of the place.
        assert query(client, f"SELECT count(*) FROM {name}") == [(50,)]
    finally:
        client.close()
        cluster.stop()


def test_an_advertised_address_must_be_allowed_too(name, tmp_path):
    broker = KafkaBroker(tmp_path / "broker", advertised="elsewhere.example:9092")
    try:
        topics = Topics(broker.address)
        topics.create(name)
        with process_cluster(tmp_path / "cluster", num_workers=1) as (_, client):
            # The topic is there, and whoever asks at the other address is sent away from it.
            client.execute(definition(topics, name))
            with pytest.raises(StatementFailed, match=r"elsewhere\.example:9092 is not allowed") as failure:
                client.execute(definition(Topics(broker.elsewhere), name).replace(f"TABLE {name}", f"TABLE {name}_e"))
            assert failure.value.sqlstate == "42501"
    finally:
        broker.stop()


def test_an_advertised_address_where_nobody_listens_ends_a_statement_in_time(name, tmp_path):
    broker = KafkaBroker(tmp_path / "broker", advertised="127.0.0.1:1")
    try:
        Topics(broker.address).create(name)
        with process_cluster(tmp_path / "cluster", num_workers=0) as (_, client):
            with pytest.raises(StatementFailed, match=r"127\.0\.0\.1:1\b.*Connection refused") as failure:
                client.execute(definition(Topics(broker.elsewhere), name))
            assert failure.value.sqlstate == "08006"
    finally:
        broker.stop()


def test_a_paused_worker_is_replaced_and_its_rows_count_once(topics, name, tmp_path):
    topics.create(name, 2)
    heartbeats = ("--heartbeat-interval", "200 ms", "--heartbeat-timeout", "2 s")
    with process_cluster(tmp_path, num_workers=2, arguments=heartbeats) as (cluster, client):
        client.execute(QUICK)
        client.execute(definition(topics, name))
        client.execute(f"CREATE MATERIALIZED VIEW {name}_v AS SELECT id, count(*) AS n FROM {name} GROUP BY id")
        topics.send(name, rows_for(range(2000)))
        wait_for_rows(client, f"SELECT * FROM {name}_v", [(i, 1) for i in range(2000)])
        os.kill(cluster.workers[0].popen.pid, signal.SIGSTOP)
        topics.send(name, rows_for(range(2000, 3000)))
        wait_for_rows_through_restarts(client, f"SELECT * FROM {name}_v", [(i, 1) for i in range(3000)])
        os.kill(cluster.workers[0].popen.pid, signal.SIGCONT)
        topics.send(name, rows_for(range(3000, 3100)))
        wait_for_rows_through_restarts(client, f"SELECT * FROM {name}_v", [(i, 1) for i in range(3100)])
