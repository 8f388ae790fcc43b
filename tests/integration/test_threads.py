"""Many threads share the handler without a lock, and no event may be lost, doubled or out of order."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from confluent_kafka import Message

from eplogging._topicreader import read_topics
from tests.support.application import Application, application, basic, keywords, page, to_kafka
from tests.support.processes import start_python

THREADS = 8
EVENTS = 100_000
TOPICS = {"eqiad.sample.page": 4, "sample.bare": 1}


@pytest.fixture
def servers() -> Iterator[str]:
    """A Kafka in a process of its own, so that it takes no time of this one's interpreter lock."""
    topics = [f"{name}:{partitions}" for name, partitions in TOPICS.items()]
    with start_python("from eplogging.testing import main; main()", *topics) as child:
        assert child.stdout
        yield child.stdout.readline().strip()


def log_all(app: Application, thread: int) -> None:
    """One thread's share, on two streams by turns; `meta.id` tells the thread and the number."""
    for number in range(EVENTS // THREADS):
        event = basic(number, stream="sample.bare") if number % 2 else page(page={"id": thread + 1})
        event["meta"]["id"] = f"{thread:08x}-0000-4000-8000-{number:012}"
        app.logger.info("one of many", extra=event)


def test_every_event_of_every_thread_arrives_once_and_in_order(servers: str) -> None:
    options = keywords(
        **to_kafka(servers, compression_type="zstd", linger_ms=20), on_full="block", block_timeout=60
    )
    with ThreadPoolExecutor(THREADS + 1) as pool, application(**options) as app:
        reading = pool.submit(read_topics, servers, TOPICS, count=EVENTS, timeout=90)
        for done in [pool.submit(log_all, app, thread) for thread in range(THREADS)]:
            done.result()
        assert app.handler.flush(60)
        assert app.reports.lines == []
        assert app.stats.delivered == app.stats.accepted == EVENTS
        messages = reading.result()

    check_once_and_in_order(messages)


def check_once_and_in_order(messages: list[Message]) -> None:
    ids = [json.loads(message.value() or b"")["meta"]["id"] for message in messages]
    expected = {f"{t:08x}-0000-4000-8000-{n:012}" for t in range(THREADS) for n in range(EVENTS // THREADS)}
    assert len(ids) == len(set(ids)) == EVENTS
    assert set(ids) == expected
    numbers: dict[tuple[str | None, str], list[int]] = defaultdict(list)
    for message, id_ in zip(messages, ids, strict=True):
        numbers[message.topic(), id_[:8]].append(int(id_[-12:]))
    assert len(numbers) == THREADS * len(TOPICS)
    for (topic, thread), sequence in numbers.items():
        assert sequence == sorted(sequence), (topic, thread)
