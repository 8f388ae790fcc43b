"""Counts, on the consumer's side, what became of a load: each event once, and each key in order.

It keeps a byte for each event, and run as a process it reads beside a long load: a partition of the
mock cluster keeps its newest 5 MiB only. Messages that a partition dropped unread are an error.
"""

from __future__ import annotations

import contextlib
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import NamedTuple

from confluent_kafka import Consumer, KafkaException, Message, TopicPartition

from eplogging.metrics import Stats
from tests.support.load import thread_and_number
from tests.support.processes import start_python

_BATCH = 1000
_LONGEST_POLL = 0.05
_ANSWER = 10.0


class Found(NamedTuple):
    """What was read.

    Attributes:
        distinct: different events.
        duplicates: messages whose event had been read before.
        inverted: events that came after a later one of their key.
    """

    distinct: int
    duplicates: int
    inverted: int


class Tally:
    """Takes messages and counts them."""

    def __init__(self) -> None:
        self._seen: dict[int, bytearray] = {}
        self._latest: dict[bytes | None, int] = {}
        self._duplicates = self._inverted = 0

    def take(self, key: bytes | None, value: bytes) -> None:
        thread, number = thread_and_number(json.loads(value)["meta"]["id"])
        seen = self._seen.setdefault(thread, bytearray())
        if number >= len(seen):
            seen.extend(bytes(number + 1 - len(seen)))
        if seen[number]:
            self._duplicates += 1
            return
        seen[number] = 1
        latest = self._latest.get(key, -1)
        self._inverted += number < latest
        self._latest[key] = max(number, latest)

    @property
    def found(self) -> Found:
        distinct = sum(seen.count(1) for seen in self._seen.values())
        return Found(distinct, self._duplicates, self._inverted)


class _Reading:
    """Reads topics from their beginning."""

    def __init__(self, servers: str, topics: Mapping[str, int]) -> None:
        self._tally = Tally()
        self._next = {(name, index): 0 for name, count in topics.items() for index in range(count)}
        self._consumer = Consumer(
            {
                "bootstrap.servers": servers,
                "group.id": "eplogging-tally",
                "enable.auto.commit": False,
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 50,
                "fetch.error.backoff.ms": 10,
                "reconnect.backoff.max.ms": 500,  # it reads through the outages, too
                "queued.max.messages.kbytes": 16384,
                "log_level": 0,
            }
        )
        self._consumer.assign([TopicPartition(*place, 0) for place in self._next])

    def until(self, told: Callable[[], bool]) -> None:
        """Reads as messages come."""
        while not told():
            self._read()

    def to_the_end(self, timeout: float) -> Found:
        """Reads everything that is there now."""
        ends = {place: self._end(place) for place in self._next}
        deadline = time.monotonic() + timeout
        while any(self._next[place] < end for place, end in ends.items()):
            if time.monotonic() > deadline:
                raise TimeoutError(f"read to {self._next} of {ends} in {timeout} s")
            self._read()
        self._consumer.close()
        return self._tally.found

    def _end(self, place: tuple[str, int]) -> int:
        watermarks = self._consumer.get_watermark_offsets(TopicPartition(*place), timeout=_ANSWER)
        if watermarks is None:
            raise TimeoutError(f"{place} did not tell its end in {_ANSWER} s")
        return watermarks[1]

    def _read(self) -> None:
        for message in self._consumer.consume(_BATCH, timeout=_LONGEST_POLL):
            self._take(message)

    def _take(self, message: Message) -> None:
        error = message.error()
        if error is not None:
            if error.retriable() or error.code() < 0:  # librdkafka's own codes: it goes on by itself
                return
            raise KafkaException(error)
        place, offset = (message.topic() or "", message.partition() or 0), message.offset() or 0
        if offset != self._next[place]:
            raise LookupError(f"{place} dropped {self._next[place]} to {offset} before they were read")
        self._next[place] = offset + 1
        self._tally.take(message.key(), message.value() or b"")


def read(servers: str, topics: Mapping[str, int], timeout: float = 60.0) -> Found:
    """Reads all that topics hold, each given with its number of partitions."""
    return _Reading(servers, topics).to_the_end(timeout)


@contextlib.contextmanager
def reading(servers: str, topics: Mapping[str, int]) -> Iterator[Callable[[], Found]]:
    """Reads in a process of its own throughout the block; the call reads to the end."""
    given = json.dumps([servers, topics])
    with start_python("from tests.support.tally import main; main()", given) as child:

        def found() -> Found:
            stdout, stderr = child.communicate("")
            assert child.returncode == 0, stderr
            return Found(*json.loads(stdout))

        yield found


def main() -> None:
    """Reads until standard input closes, and then to the end."""
    servers, topics = json.loads(sys.argv[1])
    told = threading.Event()

    def wait() -> None:
        sys.stdin.read()
        told.set()

    threading.Thread(target=wait, daemon=True).start()
    reading = _Reading(servers, topics)
    reading.until(told.is_set)
    print(json.dumps(reading.to_the_end(60)))


def check(found: Found, stats: Stats, logged: int, *, name: str, duplicates: int = 0) -> str:
    """Compares what was logged and read with what the handler says became of it.

    Returns:
        One line that says it all.

    Raises:
        AssertionError: an event was lost without being counted, or doubled, or out of order.
    """
    fates = {
        "delivered": found.distinct,
        "rejected": sum(stats.rejected.values()),
        "dropped": sum(stats.dropped.values()),
        "spooled": getattr(stats, "spooled", 0),
        "pending": stats.pending,
    }
    lost = logged - sum(fates.values())
    told = " + ".join(f"{count} {fate}" for fate, count in fates.items())
    line = (
        f"{name}: {logged} accepted = {told}; "
        f"{lost} lost, {found.duplicates} duplicate, {found.inverted} inverted"
    )
    assert (stats.accepted, stats.delivered) == (logged, found.distinct), f"{line}; {stats}"
    assert lost == 0 == found.inverted, line
    assert found.duplicates <= duplicates, line
    return line
