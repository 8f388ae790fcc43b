"""Reads whole topics without a consumer group: the other end of what was produced.

It tells when messages are missing from a topic, because a test that counts what arrived
must not take a broker's retention for a loss.
"""

from __future__ import annotations

import time
from collections.abc import Mapping

from confluent_kafka import Consumer, KafkaError, KafkaException, Message, TopicPartition

_BATCH = 1000
# A poll comes back when it has a whole batch or is out of time, so at the end it always waits.
_LONGEST_POLL = 0.02


class _Progress:
    """What was read so far, and which partitions were read to their end."""

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self.messages: list[Message] = []
        self.unfinished = {(name, index) for name, count in partitions.items() for index in range(count)}
        self._next_offset = dict.fromkeys(self.unfinished, 0)

    def take(self, message: Message) -> None:
        """Take over one thing that a consumer's poll gave."""
        topic, partition, offset = message.topic(), message.partition(), message.offset()
        error = message.error()
        if error is not None and error.code() != KafkaError._PARTITION_EOF:
            raise KafkaException(error)
        if topic is None or partition is None or offset is None:
            raise ValueError("librdkafka gave a message without its place in a topic")
        place = (topic, partition)
        if error is not None:
            self.unfinished.discard(place)
            return
        missed = offset - self._next_offset[place]
        if missed:
            raise LookupError(f"{topic} [{partition}] no longer has {missed} messages before offset {offset}")
        self._next_offset[place] = offset + 1
        self.messages.append(message)


def read_topics(
    bootstrap_servers: str, partitions: Mapping[str, int], *, count: int | None, timeout: float
) -> list[Message]:
    """Read topics from their beginning.

    Args:
        bootstrap_servers: any Kafka cluster.
        partitions: the topics, each with its number of partitions.
        count: return as soon as this many messages were read, or the time is over. Without
            it, return all that is there now.
        timeout: seconds.

    Raises:
        TimeoutError: without `count`, when the end was not reached in time.
        LookupError: when a partition has already dropped messages.
    """
    progress = _Progress(partitions)
    deadline = time.monotonic() + timeout
    consumer = _new_consumer(bootstrap_servers)
    try:
        # Offset 0 rather than OFFSET_BEGINNING: that one is looked up first, in 0.6 s.
        consumer.assign([TopicPartition(*place, 0) for place in sorted(progress.unfinished)])
        while _wanted(progress, count):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            room = _BATCH if count is None else min(_BATCH, count - len(progress.messages))
            for message in consumer.consume(room, timeout=min(remaining, _LONGEST_POLL)):
                progress.take(message)
    finally:
        consumer.close()
    if count is None and progress.unfinished:
        raise TimeoutError(f"not read to the end in {timeout} s: {sorted(progress.unfinished)}")
    return progress.messages


def _wanted(progress: _Progress, count: int | None) -> bool:
    """Whether there is more to read."""
    return bool(progress.unfinished) if count is None else len(progress.messages) < count


def _new_consumer(bootstrap_servers: str) -> Consumer:
    """A consumer that neither joins a group nor commits, and that tells of each end it meets."""
    return Consumer(
        {
            "bootstrap.servers": bootstrap_servers,
            "group.id": "eplogging-topic-reader",
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "enable.partition.eof": True,
            # A message set that arrives ends the wait; this only bounds how late an end is told.
            "fetch.wait.max.ms": 50,
            "log_level": 0,
        }
    )
