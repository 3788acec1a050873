"""Making, filling and reading topics, by another client than the one under test."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from confluent_kafka import Consumer, KafkaError, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from support.waiting import wait_until

TIMEOUT_S = 60.0


class Topics:
    """The topics of one broker."""

    def __init__(self, address: str) -> None:
        self.address = address
        self._admin = AdminClient({"bootstrap.servers": address})

    def create(self, topic: str, partitions: int = 1, **settings: str) -> None:
        config = {name.replace("_", "."): value for name, value in settings.items()}
        new = NewTopic(topic, num_partitions=partitions, replication_factor=1, config=config)
        self._admin.create_topics([new])[topic].result(TIMEOUT_S)
        # The broker answers before it shows the topic to everybody.
        wait_until(lambda: self._leads(topic, partitions), f"topic {topic}")

    def _leads(self, topic: str, partitions: int) -> bool:
        found = self._admin.list_topics(topic, timeout=TIMEOUT_S).topics[topic]
        return len(found.partitions) == partitions and all(part.leader >= 0 for part in found.partitions.values())

    def drop(self, topic: str) -> None:
        self._admin.delete_topics([topic])[topic].result(TIMEOUT_S)

    def grow(self, topic: str, partitions: int) -> None:
        self._admin.create_partitions([NewPartitions(topic, partitions)])[topic].result(TIMEOUT_S)

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """What retention does in time."""
        place = TopicPartition(topic, partition, offset)
        self._admin.delete_records([place])[place].result(TIMEOUT_S)

    def send(self, topic: str, values: Iterable[Any], partition: int = -1, **more: Any) -> None:
        """Dictionaries go as JSON, None as null; returns when the broker has all."""
        producer = Producer({"bootstrap.servers": self.address, "linger.ms": 5})
        errors: list[KafkaError] = []

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is not None:
                errors.append(error)

        for value in values:
            payload = json.dumps(value) if isinstance(value, dict) else value
            while True:
                try:
                    producer.produce(topic, payload, partition=partition, on_delivery=delivered, **more)
                    break
                except BufferError:
                    producer.poll(0.1)
            producer.poll(0)
        assert producer.flush(TIMEOUT_S) == 0, "the broker does not take messages"
        assert not errors, errors[0]

    def transaction(self, topic: str, values: Iterable[object], commit: bool) -> None:
        producer = Producer({"bootstrap.servers": self.address, "transactional.id": f"of-{topic}"})
        producer.init_transactions(TIMEOUT_S)
        producer.begin_transaction()
        for value in values:
            producer.produce(topic, json.dumps(value))
        producer.flush(TIMEOUT_S)
        if commit:
            producer.commit_transaction(TIMEOUT_S)
        else:
            producer.abort_transaction(TIMEOUT_S)

    def read(self, topic: str) -> list[Message]:
        """All messages that are there now, by partition and offset."""
        consumer = Consumer(
            {
                "bootstrap.servers": self.address,
                "group.id": "reader",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
            }
        )
        partitions = consumer.list_topics(topic, TIMEOUT_S).topics[topic].partitions
        messages: list[Message] = []
        for partition in partitions:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, partition), TIMEOUT_S)
            consumer.assign([TopicPartition(topic, partition, low)])
            while low < high:
                message = consumer.poll(TIMEOUT_S)
                assert message is not None and message.error() is None
                messages.append(message)
                low = (message.offset() or 0) + 1
        consumer.close()
        return messages
