#!/usr/bin/env bash
# Creates, lists and describes topics of this broker:  topics.sh --create --topic flights --partitions 2
exec java -Xmx128m -cp "/opt/kafka/lib/*:/opt/kafka" \
  org.apache.kafka.tools.TopicCommand --bootstrap-server 127.0.0.1:9092 "$@"
