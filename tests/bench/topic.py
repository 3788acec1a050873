#!/usr/bin/env python3
"""Reading JSON from a topic: rows per CPU second of the worker and of the coordinator.

Usage: tests/bench/topic.py [--rows N] [--rounds N] [--build build/release] [--json FILE]

Bids of an auction, seven fields in some 220 bytes, in a topic of two partitions on a broker of its own
(tests/support/kafka_broker.py). One worker with two slots; all fields are read, and go nowhere. The broker's CPU is
not counted. The number of rows is compared first.
"""

from __future__ import annotations

import pathlib
import sys
import tempfile

from confluent_kafka import Producer
from harness import DATA, Figure, finish, hashed_rows, made_data, measure_quietly, options, print_load
from support.dev_cluster import DevCluster
from support.kafka_broker import KafkaBroker, NoBroker
from support.kafka_topics import Topics
from support.sql_client import SqlClient, rows_of

# What Flink 2.3 reaches with the same kind of rows.
PEER_ROWS_PER_CPU_SECOND = 255_000.0
COLUMNS = "auction bigint, bidder bigint, price bigint, channel text, url text, ts bigint, extra text"
ROWS = """
    SELECT 1000 + h % 100000 AS auction, 1000 + h % 50000 AS bidder, h % 10000000 AS price,
           'channel-' || (h % 10000)::VARCHAR AS channel,
           'https://www.example.com/item/' || md5(h::VARCHAR) || '/bid.htm?query=1' AS url,
           1700000000000 + h % 1000000 AS ts, md5((h + 1)::VARCHAR) AS extra
    FROM {rows}"""


def load(topics: Topics, path: pathlib.Path) -> None:
    topics.create("bids", 2)
    producer = Producer(
        {
            "bootstrap.servers": topics.address,
            "linger.ms": 50,
            "batch.size": 1_000_000,
            "queue.buffering.max.messages": 500_000,
        }
    )
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            while True:
                try:
                    producer.produce("bids", line.rstrip(b"\n"), partition=number % 2)
                    break
                except BufferError:
                    producer.poll(0.1)
    if producer.flush(300) > 0:
        raise SystemExit("the broker does not take the rows")


def main() -> int:
    parser = options(__doc__)
    parser.add_argument("--rows", type=int, default=2_000_000)
    flags = parser.parse_args()
    load_before = print_load()
    name = f"bids-{flags.rows}.json"
    path = made_data({name: ROWS.format(rows=hashed_rows(flags.rows))})[name]
    with tempfile.TemporaryDirectory(dir=DATA) as scratch:
        folder = pathlib.Path(scratch)
        try:
            broker = KafkaBroker(folder / "broker")
        except NoBroker as error:
            print(f"left out, there is no broker: {error}")
            return finish(flags, load_before, [])
        cluster = DevCluster(flags.build, folder / "cluster", num_workers=1, num_slots=2)
        try:
            load(Topics(broker.address), path)
            client = SqlClient(cluster.address, timeout_s=600)
            client.execute(
                f"""CREATE TABLE bids ({COLUMNS}) WITH (connector = 'kafka', brokers = '{broker.address}',
                    topic = 'bids', format = 'json', stop = 'latest');
                    CREATE TABLE nowhere ({COLUMNS}) WITH (connector = 'blackhole')"""
            )
            assert rows_of(client.execute("SELECT count(*) FROM bids")) == [(flags.rows,)]
            best = max(
                (
                    measure_quietly(cluster.pid, lambda: client.execute("INSERT INTO nowhere SELECT * FROM bids"))
                    for _ in range(flags.rounds)
                ),
                key=lambda measured: flags.rows / measured.cpu,
            )
            client.close()
        finally:
            cluster.stop()
            broker.stop()
    rate = flags.rows / best.cpu
    note = f"{best.wall:.1f} s; {rate / PEER_ROWS_PER_CPU_SECOND:.1f} times Flink"
    figure = Figure("JSON from a topic", rate, "rows/CPU s", PEER_ROWS_PER_CPU_SECOND, more_is_better=True, note=note)
    return finish(flags, load_before, [figure])


if __name__ == "__main__":
    sys.exit(main())
