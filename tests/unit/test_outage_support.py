"""What outage tests count and break with must tell and do what it says, or a passing test shows nothing."""

from __future__ import annotations

import json
import logging
import socket
from dataclasses import replace

import pytest
from confluent_kafka import Producer

from eplogging.metrics import Stats
from eplogging.testing import MockKafka
from tests.support.application import Collected, wait_until
from tests.support.load import Calls, Load, id_of, thread_and_number
from tests.support.remotekafka import remote_kafka
from tests.support.tally import Found, Tally, check, read, reading

STATS = Stats(**{**dict.fromkeys(Stats.__annotations__, 0), "rejected": {}, "dropped": {}})  # type: ignore[arg-type]


def event(number: int) -> bytes:
    return json.dumps({"meta": {"id": id_of(1, number)}}).encode()


def test_a_tally_tells_lost_duplicate_and_inverted_events_apart() -> None:
    tally = Tally()
    for key, number in ((b"a", 0), (b"a", 2), (b"a", 2), (b"a", 1), (b"b", 5), (b"b", 3), (b"a", 7)):
        tally.take(key, event(number))
    assert tally.found == Found(distinct=6, duplicates=1, inverted=2)


@pytest.mark.parametrize(
    ("found", "dropped", "says"),
    [
        (Found(9, 0, 0), 0, "1 lost"),
        (Found(9, 1, 0), 1, "1 duplicate"),
        (Found(9, 0, 1), 1, "1 inverted"),
        (Found(10, 0, 0), 1, "-1 lost"),
    ],
)
def test_what_is_wrong_is_told(found: Found, dropped: int, says: str) -> None:
    stats = replace(STATS, accepted=10, delivered=found.distinct, dropped={("queue_full", "s"): dropped})
    with pytest.raises(AssertionError, match=says):
        check(found, stats, 10, name="it")


def test_stats_that_count_other_than_the_consumer_are_wrong() -> None:
    stats = replace(STATS, accepted=10, delivered=10)
    assert "10 accepted = 10 delivered" in check(Found(10, 0, 0), stats, 10, name="it")
    with pytest.raises(AssertionError):
        check(Found(9, 0, 0), replace(stats, dropped={("closed", "s"): 1}), 10, name="it")


def test_a_reading_process_reads_to_the_end(kafka: MockKafka) -> None:
    kafka.create_topic("t", 2)
    client = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
    with reading(kafka.bootstrap_servers, {"t": 2}) as found:
        for number in range(100):
            client.produce("t", event(number), key=b"%d" % (number % 7))
        assert client.flush(10) == 0
        assert found() == read(kafka.bootstrap_servers, {"t": 2}) == Found(100, 0, 0)


def test_a_load_is_numbered_without_a_gap() -> None:
    logger, collected = logging.getLogger("loaded"), Collected()
    logger.addHandler(collected)
    logger.setLevel(logging.INFO)
    logger.propagate = False
    load = Load(logger, 2_000, threads=2)
    load.log_one()
    with load.running():
        wait_until(lambda: load.logged > 200, "it logs")
    ids = sorted(thread_and_number(vars(record)["meta"]["id"]) for record in collected.records)
    assert len(ids) == load.logged
    numbers = [[number for thread, number in ids if thread == one] for one in (0, 1)]
    assert numbers == [list(range(len(own))) for own in numbers]


def test_percentiles_are_right_to_two_percent() -> None:
    calls = Calls.together([Calls(), Calls()])
    for microseconds in range(1, 10_001):
        calls.add(microseconds * 1000)
    assert calls.percentile(50) == pytest.approx(5_000, rel=0.03)
    assert calls.percentile(99.9) == pytest.approx(9_990, rel=0.03)
    assert "longest 10000" in str(calls)


def test_a_broker_that_is_down_refuses_and_keeps_what_it_has() -> None:
    with remote_kafka({"t": 1}) as kafka:
        host, port = kafka.bootstrap_servers.split(":")
        client = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        client.produce("t", event(0))
        assert client.flush(10) == 0
        kafka.down()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection((host, int(port)), 5)
        client.produce("t", event(1))
        assert client.flush(0.2) == 1
        kafka.up()
        assert client.flush(20) == 0
        assert kafka.left() == 0
        assert read(kafka.bootstrap_servers, {"t": 1}) == Found(2, 0, 0)


def test_what_was_sent_into_a_black_hole_never_arrives() -> None:
    with remote_kafka({"t": 1}) as kafka:
        client = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        client.produce("t", event(0))
        assert client.flush(10) == 0
        kafka.black_hole()
        client.produce("t", event(1))
        assert client.flush(0.3) == 1
        client.purge()
        client.flush(1)
        del client
        kafka.restore()
        assert read(kafka.bootstrap_servers, {"t": 1}) == Found(1, 0, 0)


def test_a_client_that_leaves_by_itself_is_noticed() -> None:
    with remote_kafka({"t": 1}) as kafka:
        client = Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0})
        client.produce("t", event(0))
        assert client.flush(10) == 0
        assert kafka.left() == 0
        del client
        wait_until(lambda: kafka.left() == 1, "its connection ends")
