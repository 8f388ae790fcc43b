"""Numbered events of several message keys: a load that logs them, and what of it is in a topic.

The key and the number are in `meta.id`, so that what was lost, doubled or overtaken is found
where it counts, at the consumer.
"""

from __future__ import annotations

import contextlib
import json
import threading
from array import array
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from tests.support.application import Application, page
from tests.support.kafkabroker import DEADLINE
from tests.support.realkafka import wait_for

THREADS = 4
BURST = 10
KEYS = 8
STREAM_CONFIG: dict[str, Any] = {
    "schema_title": "sample/page",
    "message_key_fields": {"page_id": "page.id", "wiki": "wiki"},
}
_INVALID = 100  # one event of so many


def is_valid(number: int) -> bool:
    return number % _INVALID != _INVALID - 1


@dataclass
class Load:
    """Threads that log events, each for its own keys; now and then an event is invalid."""

    app: Application
    stream: str
    pause: float
    logged: list[int] = field(default_factory=lambda: [0] * KEYS)  # by key
    _stop: threading.Event = field(default_factory=threading.Event)

    @property
    def valid(self) -> int:
        """How many of the events that were logged are valid."""
        return sum(count - count // _INVALID for count in self.logged)

    @contextlib.contextmanager
    def running(self, events: int) -> Iterator[None]:
        """Log so many valid events, or more, until the block ends; at the end all are delivered."""
        threads = [threading.Thread(target=self._log, args=(index,)) for index in range(THREADS)]
        for thread in threads:
            thread.start()
        try:
            yield
            wait_for(lambda: self.valid >= events, "all events are logged")
        finally:
            self._stop.set()
            for thread in threads:
                thread.join()
        assert self.app.handler.flush(DEADLINE)

    def wait_for_progress(self, when: str, events: int = 200) -> None:
        """Wait until the last of so many events that are still to be logged is settled."""
        goal = self.app.stats.accepted + events

        def reached() -> bool:
            stats = self.app.stats
            return stats.accepted - stats.pending >= goal

        wait_for(reached, f"events are delivered {when}")

    def _log(self, index: int) -> None:
        while not self._stop.wait(self.pause):
            for key in list(range(index, KEYS, THREADS)) * BURST:
                number = self.logged[key]
                wiki = "enwiki" if is_valid(number) else "not a wiki"
                event = page(self.stream, wiki=wiki, page={"id": key + 1})
                event["meta"]["id"] = f"{key:08x}-0000-4000-8000-{number:012}"
                self.app.logger.info("one of many", extra=event)
                self.logged[key] = number + 1


@dataclass
class Arrived:
    """The numbers that a consumer found, by key, in the order of their partition."""

    numbers: list[array[int]] = field(default_factory=lambda: [array("L") for _ in range(KEYS)])
    partitions: set[int | None] = field(default_factory=set)

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Arrived:
        arrived = cls()
        for message in messages:
            id_: str = json.loads(message.value() or b"")["meta"]["id"]
            key, number = int(id_[:8], 16), int(id_[-12:])
            assert json.loads(message.key() or b"") == {"page_id": key + 1, "wiki": "enwiki"}
            assert is_valid(number), f"an event that is invalid was sent: {id_}"
            arrived.numbers[key].append(number)
            arrived.partitions.add(message.partition())
        return arrived

    @property
    def different(self) -> int:
        return sum(len(set(numbers)) for numbers in self.numbers)

    @property
    def duplicates(self) -> int:
        return sum(len(numbers) - len(set(numbers)) for numbers in self.numbers)

    @property
    def inversions(self) -> int:
        """How many came, for the first time, behind a later one of their key."""
        return sum(_inversions(numbers) for numbers in self.numbers)

    def lost(self, logged: list[int]) -> int:
        """How many of the valid events that were logged are not there; one that was never logged fails."""
        lost = 0
        for count, numbers in zip(logged, self.numbers, strict=True):
            expected, there = {n for n in range(count) if is_valid(n)}, set(numbers)
            assert there <= expected
            lost += len(expected - there)
        return lost


def _inversions(numbers: Iterable[int]) -> int:
    seen: set[int] = set()
    highest, found = -1, 0
    for number in numbers:
        found += number < highest and number not in seen
        seen.add(number)
        highest = max(highest, number)
    return found
