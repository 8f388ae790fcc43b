"""What no mock cluster shows: leaders that die, brokers that restart, answers that are lost.

Meanwhile threads log events; afterwards each valid one must be in the topic once, in its key's order.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from eplogging.metrics import Stats
from tests.support.application import application, keywords
from tests.support.kafkabroker import DEADLINE
from tests.support.numbered import KEYS, STREAM_CONFIG, Arrived, Load
from tests.support.realkafka import BROKERS, RealKafka, wait_for

# The first test also waits for the download, where there was none, and for the cluster's start.
pytestmark = [pytest.mark.faults, pytest.mark.timeout(1200)]

PARTITIONS = len(BROKERS)  # so that each broker leads one
PROPERTIES = {"linger.ms": 50, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 200}
STEADY = 0.1
"""Seconds of a thread's pauses: hundreds of events in a second, for as long as the brokers take."""


@dataclass
class Scenario:
    """A load on a topic of its own, and the faults that brokers or proxies can have meanwhile."""

    kafka: RealKafka
    load: Load
    topic: str

    def kill_a_leader(self) -> None:
        self.load.wait_for_progress("before a leader is killed")
        victim = self.kafka.leader(self.topic, 0)
        self.kafka.kill(victim)
        wait_for(lambda: self.kafka.leader(self.topic, 0) not in (victim, -1), "there is a new leader")
        self.load.wait_for_progress("by the new leader")
        self.kafka.start(victim)

    def restart_all(self) -> None:
        for broker in BROKERS:
            self.load.wait_for_progress(f"before broker {broker} is stopped")
            self.kafka.stop(broker)
            self.load.wait_for_progress(f"without broker {broker}")
            self.kafka.start(broker)

    def lose_answers(self, count: int) -> None:
        self.load.wait_for_progress("before answers are lost")
        self.kafka.losses.plan(count, every=2)
        wait_for(lambda: self.kafka.losses.taken == count, "all answers are lost that were to be")


@contextlib.contextmanager
def scenario(
    kafka: RealKafka,
    name: str,
    events: int,
    *,
    pause: float = STEADY,
    proxied: bool = False,
    **properties: Any,
) -> Iterator[Scenario]:
    """Run a load of so many events, or more, for the length of the block."""
    kafka.heal()
    stream = f"real.{name}.{uuid.uuid4().hex[:8]}"
    topic = f"eqiad.{stream}"
    kafka.create_topic(topic, PARTITIONS)
    servers = kafka.proxied_servers if proxied else kafka.bootstrap_servers
    options = keywords(
        stream_config_uri={stream: STREAM_CONFIG},
        kafka={"bootstrap.servers": servers, **PROPERTIES, **properties},
        queue_size=10_000,
        on_full="block",
        block_timeout=DEADLINE,
        flush_timeout=DEADLINE,
    )
    with application(**options) as app:
        load = Load(app, stream, pause)
        with load.running(events):
            yield Scenario(kafka, load, topic)


def read(running: Scenario) -> Arrived:
    """Read the topic, print and check the invariant, but for duplicates and order."""
    stats, load = running.load.app.stats, running.load
    arrived = Arrived.of(running.kafka.consume(running.topic))
    lost = arrived.lost(load.logged)
    print(
        f"\n{running.topic}: {invariant(stats)}\n  by meta.id at the consumer: {arrived.different} events of "
        f"{KEYS} keys; {lost} lost, {arrived.duplicates} duplicates, {arrived.inversions} inversions"
    )
    assert lost == 0
    assert stats.accepted == sum(load.logged)
    assert stats.delivered == arrived.different == load.valid
    assert sum(stats.rejected.values()) == stats.accepted - load.valid
    assert arrived.partitions == set(range(PARTITIONS))
    return arrived


def invariant(stats: Stats) -> str:
    rejected, dropped = sum(stats.rejected.values()), sum(stats.dropped.values())
    assert stats.accepted == stats.delivered + rejected + dropped + stats.spooled + stats.pending
    return (
        f"accepted {stats.accepted} = delivered {stats.delivered} + rejected {rejected} + "
        f"dropped {dropped} + spooled {stats.spooled} + pending {stats.pending}"
    )


def check_once_and_in_order(running: Scenario) -> None:
    arrived = read(running)
    assert (arrived.duplicates, arrived.inversions) == (0, 0)


def test_a_leader_is_killed(real_kafka: RealKafka) -> None:
    with scenario(real_kafka, "killed", 5_000) as running:
        running.kill_a_leader()
    check_once_and_in_order(running)


def test_all_brokers_restart_one_after_the_other(real_kafka: RealKafka) -> None:
    with scenario(real_kafka, "restarted", 5_000) as running:
        running.restart_all()
    check_once_and_in_order(running)


def test_lost_answers(real_kafka: RealKafka) -> None:
    with scenario(real_kafka, "lost", 3_000, proxied=True) as running:
        running.lose_answers(25)
    check_once_and_in_order(running)


def test_without_idempotence_lost_answers_make_duplicates(real_kafka: RealKafka) -> None:
    """So what the proxy loses was written, and duplicates would be seen."""
    with scenario(real_kafka, "doubled", 500, proxied=True, **{"enable.idempotence": False}) as running:
        running.lose_answers(5)
    assert read(running).duplicates > 0


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_thousand_lost_answers(real_kafka: RealKafka) -> None:
    with scenario(real_kafka, "thousand-lost", 100_000, proxied=True) as running:
        running.lose_answers(1000)
    check_once_and_in_order(running)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_a_million_events_through_a_killed_leader_and_restarts(real_kafka: RealKafka) -> None:
    with scenario(real_kafka, "million", 1_000_000, pause=0) as running:
        running.kill_a_leader()
        running.restart_all()
    check_once_and_in_order(running)
