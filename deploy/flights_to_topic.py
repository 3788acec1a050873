#!/usr/bin/env python3
"""Sends the live part of the example flights to a topic, as JSON, keyed by carrier.

Usage: flights_to_topic.py FOLDER BROKERS TOPIC

FOLDER is data/flights/live, as deploy/flights_data.py lays it out: one file for each city of departure, in the order
of the scheduled hour. Each file becomes a partition of its own; the topic is made if it is not there.
"""

import csv
import json
import pathlib
import sys

from confluent_kafka import KafkaException, Message, Producer
from confluent_kafka.admin import AdminClient, NewTopic

INTEGERS = (
    *("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay"),
    *("flight", "air_time", "distance", "hour", "minute"),
)
TIMEOUT_S = 60.0


def messages(path: pathlib.Path) -> list[tuple[str, str]]:
    """Key and value of each flight in a file."""
    sent = []
    with path.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            flight: dict[str, object] = {name: None if value == "NA" else value for name, value in row.items()}
            for name in INTEGERS:
                value = flight[name]
                if value is not None:
                    flight[name] = int(float(str(value)))
            sent.append((row["carrier"], json.dumps(flight, separators=(",", ":"))))
    return sent


def make_topic(brokers: str, topic: str, partitions: int) -> None:
    admin = AdminClient({"bootstrap.servers": brokers})
    if topic in admin.list_topics(timeout=TIMEOUT_S).topics:
        return
    admin.create_topics([NewTopic(topic, num_partitions=partitions, replication_factor=1)])[topic].result(TIMEOUT_S)


def main() -> None:
    if len(sys.argv) != 4:
        raise SystemExit(__doc__)
    files = sorted(pathlib.Path(sys.argv[1]).glob("*.csv"))
    brokers, topic = sys.argv[2:]
    make_topic(brokers, topic, len(files))
    producer = Producer({"bootstrap.servers": brokers, "linger.ms": 20, "enable.idempotence": True})

    def delivered(error: object, _: Message) -> None:
        if error is not None:
            raise KafkaException(error)

    total = 0
    for partition, path in enumerate(files):
        for key, value in messages(path):
            while True:
                try:
                    producer.produce(topic, value, key, partition, on_delivery=delivered)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
            total += 1
    if producer.flush(TIMEOUT_S) > 0:
        raise SystemExit("the brokers do not take messages")
    print(f"{total} flights sent to {topic}", file=sys.stderr)


if __name__ == "__main__":
    main()
