"""A real Apache Kafka of three brokers, which tests can kill, stop and start again.

librdkafka's mock cluster keeps no producer state and replicates nothing: what becomes of messages
when a leader dies, or when an answer is lost, only real brokers can tell.
"""

from __future__ import annotations

import base64
import random
import signal
import socket
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType

from confluent_kafka import Consumer, KafkaException, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ClusterMetadata, NewTopic

from tests.support.kafkabroker import DEADLINE, Broker
from tests.support.lossyproxy import Losses, LossyProxy

BROKERS = (1, 2, 3)
_HOST = "127.0.0.1"
_MARK = b"the end"
_BATCH = 1000


def wait_for(condition: Callable[[], object], what: str) -> None:
    """Look again until something holds; fail when it does not in minutes, as CI machines are slow."""
    deadline = time.monotonic() + DEADLINE
    while not condition():
        assert time.monotonic() < deadline, f"not within {DEADLINE:.0f} s: {what}"
        time.sleep(0.02)


class RealKafka:
    """Three brokers, for the length of a `with` block.

    Clients that begin at `bootstrap_servers` reach them directly; those that begin at
    `proxied_servers`, through proxies that lose the answers which `losses` plans.

    Args:
        jars: Kafka and what it needs.
        directory: for data and logs.
    """

    def __init__(self, jars: Path, directory: Path) -> None:
        ports = _free_ports(3 * len(BROKERS))
        addresses = {id_: [f"{_HOST}:{ports.pop()}" for _ in range(3)] for id_ in BROKERS}
        voters = ",".join(f"{id_}@{controller}" for id_, (_, _, controller) in addresses.items())
        self.losses = Losses()
        self._proxies: list[LossyProxy] = []
        self._brokers: dict[int, Broker] = {}
        for id_, (direct, proxied, controller) in addresses.items():
            proxy = LossyProxy(_HOST, int(proxied.rpartition(":")[2]), self.losses)
            self._proxies.append(proxy)
            self._brokers[id_] = Broker(
                directory / str(id_),
                jars,
                id=str(id_),
                voters=voters,
                direct=direct,
                proxied=proxied,
                controller=controller,
                proxy=proxy.host_port,
            )
        self.bootstrap_servers = ",".join(broker.address for broker in self._brokers.values())
        self.proxied_servers = ",".join(proxy.host_port for proxy in self._proxies)
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})

    def __enter__(self) -> RealKafka:
        try:
            self._format()
            self.heal()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Kill every broker, and remove what they wrote."""
        for broker in self._brokers.values():
            broker.end(signal.SIGKILL)
            broker.discard()
        for proxy in self._proxies:
            proxy.close()

    def _format(self) -> None:
        cluster_id = base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")
        tools = {broker: broker.format(cluster_id) for broker in self._brokers.values()}
        for broker, tool in tools.items():
            assert tool.wait(DEADLINE) == 0, f"Kafka's storage tool failed: {broker.last_words()}"

    def kill(self, broker: int) -> None:
        """End a broker at once (SIGKILL)."""
        self._brokers[broker].end(signal.SIGKILL)

    def stop(self, broker: int) -> None:
        """Have a broker hand its partitions over and end (SIGTERM)."""
        self._brokers[broker].end(signal.SIGTERM)

    def start(self, *brokers: int) -> None:
        """Start brokers, and wait until all that run are in sync on all partitions."""
        started = [self._brokers[broker] for broker in brokers]
        for broker in started:
            broker.launch()
        for broker in started:
            wait_for(broker.started, "a broker has started")
        wait_for(self._in_sync, "all replicas are in sync")

    def heal(self) -> None:
        """Have all brokers run, and no answer lost."""
        self.losses.plan(0, every=1)
        self.start(*(id_ for id_, broker in self._brokers.items() if not broker.running))

    def leader(self, topic: str, partition: int) -> int:
        """The broker that leads a partition; -1 when it has none."""
        metadata = self._admin.list_topics(topic, timeout=DEADLINE)
        leader: int = metadata.topics[topic].partitions[partition].leader
        return leader

    def create_topic(self, name: str, partitions: int = 6, **config: str) -> None:
        """Create a topic: of its three replicas, two must have a message that is acknowledged."""
        properties = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, partitions, len(BROKERS), config={"min.insync.replicas": "2", **properties})
        self._admin.create_topics([topic])[name].result(DEADLINE)
        wait_for(lambda: self._in_sync(name), f"{name} is there")

    def _in_sync(self, created: str | None = None) -> bool:
        running = {id_ for id_, broker in self._brokers.items() if broker.running}
        try:
            metadata: ClusterMetadata = self._admin.list_topics(timeout=5)
        except KafkaException:
            return False
        if not running <= metadata.brokers.keys() or (created and created not in metadata.topics):
            return False
        partitions = [one for topic in metadata.topics.values() for one in topic.partitions.values()]
        return all(one.leader in running and running <= set(one.isrs) for one in partitions)

    def consume(self, topic: str) -> Iterator[Message]:
        """All that is in a topic, whose producers have ended; per partition in order.

        A broker that has just become the leader may tell the end of a partition too early. So a
        mark is sent to each partition and read up to.
        """
        partitions = range(len(self._admin.list_topics(topic, timeout=DEADLINE).topics[topic].partitions))
        mark = uuid.uuid4().bytes
        self._send_to_each(topic, partitions, mark)
        consumer = Consumer(
            {"bootstrap.servers": self.bootstrap_servers, "group.id": "a reader", "log_level": 0}
        )
        try:
            consumer.assign([TopicPartition(topic, partition, 0) for partition in partitions])
            yield from _up_to(mark, consumer, len(partitions))
        finally:
            consumer.close()

    def _send_to_each(self, topic: str, partitions: range, mark: bytes) -> None:
        producer = Producer({"bootstrap.servers": self.bootstrap_servers, "acks": "all", "log_level": 0})
        for partition in partitions:
            producer.produce(topic, mark, _MARK, partition)
        assert producer.flush(DEADLINE) == 0


def _up_to(mark: bytes, consumer: Consumer, count: int) -> Iterator[Message]:
    """What comes before as many marks; marks of earlier readers are left out."""
    deadline = time.monotonic() + DEADLINE
    while count:
        # Errors of a connection heal by themselves, or the deadline comes.
        for message in consumer.consume(_BATCH, timeout=0.05):
            if message.error() is not None:
                continue
            deadline = time.monotonic() + DEADLINE
            if message.key() != _MARK:
                yield message
            elif message.value() == mark:
                count -= 1
        assert time.monotonic() < deadline, f"{count} partitions were not read to their end"


def _free_ports(count: int) -> list[int]:
    """Ports below those of outgoing connections, one of which could take a broker's port while it is down."""
    ports: list[int] = []
    for port in random.sample(range(12_000, 32_000), 20 * count):
        try:
            socket.create_server((_HOST, port)).close()
        except OSError:
            continue
        ports.append(port)
        if len(ports) == count:
            return ports
    raise OSError("no free ports")
