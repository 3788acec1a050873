#!/usr/bin/env bash
# Starts the broker; formats its folder at the first start. KAFKA_INTERNAL: host:port that clients in the containers'
# network use; KAFKA_EXTERNAL: those outside.
set -euo pipefail
folder=/var/lib/kafka
cat > /tmp/server.properties <<P
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:9093
listeners=INTERNAL://:9092,CONTROLLER://127.0.0.1:9093,EXTERNAL://:9094
advertised.listeners=INTERNAL://${KAFKA_INTERNAL:-127.0.0.1:9092},EXTERNAL://${KAFKA_EXTERNAL:-127.0.0.1:9094}
listener.security.protocol.map=INTERNAL:PLAINTEXT,CONTROLLER:PLAINTEXT,EXTERNAL:PLAINTEXT
controller.listener.names=CONTROLLER
inter.broker.listener.name=INTERNAL
log.dirs=$folder/data
num.partitions=2
auto.create.topics.enable=false
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
P
if [ ! -f "$folder/data/meta.properties" ]; then
  # A fixed id: the folder is this broker's alone.
  java -Xmx128m -cp "/opt/kafka/lib/*:/opt/kafka" kafka.tools.StorageTool format -t bWlsbHJhY2Uta2Fma2EtMQ \
    -c /tmp/server.properties
fi
exec java -Xms"${KAFKA_HEAP:-512m}" -Xmx"${KAFKA_HEAP:-512m}" -cp "/opt/kafka/lib/*:/opt/kafka" \
  kafka.Kafka /tmp/server.properties
