"""A process that is killed loses no event whose logging call had returned (`durable`)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from eplogging.testing import MockKafka
from tests.support.application import SCHEMAS, application, keywords, to_kafka
from tests.support.killing import TOPIC, Found, Killed, Order, numbered, some
from tests.support.nobody import nobody_there
from tests.support.schemaserver import SchemaServer

pytestmark = pytest.mark.faults

SCHEMA = "/schemas/sample/page/1.0.0.yaml"
LARGE = 12_000
THREADS = 7


class Place(NamedTuple):
    """Where the processes of one run work, and what is random about it."""

    options: dict[str, Any]
    kafka: MockKafka
    nobody: str
    server: SchemaServer
    randomness: random.Random

    @property
    def pause(self) -> float:
        return self.randomness.choice((0, 0.001, 0.01, 0.05)) * self.randomness.random()


Scenario = Callable[[Place, Killed], None]


def no_broker(place: Place, killed: Killed) -> None:
    """Before the broker is reachable; twice, so that the second finds a spool and can not send it."""
    options = {**place.options, **to_kafka(place.nobody)}
    for generation in range(2):
        killed.run(Order(options, generation), some(place.randomness, 300), place.pause)


def sending(place: Place, killed: Killed) -> None:
    """While messages are sent, acknowledged and removed; a slow broker has many in flight."""
    place.kafka.set_rtt(milliseconds=place.randomness.choice((0, 5, 50)))
    killed.run(Order(place.options, 0), some(place.randomness, 2000), place.pause)


def group_commit(place: Place, killed: Killed) -> None:
    """While many threads wait for one transaction."""
    killed.run(Order(place.options, 0, threads=THREADS), some(place.randomness, 1000), place.pause)


def large_events(place: Place, killed: Killed) -> None:
    """While SQLite moves its log to the file, which it does every 4 MB."""
    options = {**place.options, **to_kafka(place.randomness.choice((place.nobody, place.kafka)))}
    after = 250 + some(place.randomness, 500)
    killed.run(Order(options, 0, threads=THREADS, size=LARGE), after, place.pause)


def draining(place: Place, killed: Killed) -> None:
    """While the next process sends what the first one left, and logs its own."""
    options = {**place.options, **to_kafka(place.nobody)}
    killed.run(Order(options, 0, events=200), 10_000, 0)
    for generation in (1, 2):
        place.kafka.set_rtt(milliseconds=place.randomness.choice((0, 20)))
        after = place.randomness.choice((0, some(place.randomness, 500)))
        killed.run(Order(place.options, generation), after, place.pause)


def first_lookup(place: Place, killed: Killed) -> None:
    """While the first schema look-up is under way, or just after it."""
    place.server.hang(SCHEMA)
    heal = place.randomness.choice((lambda: place.server.heal(), lambda: None))
    options = {**place.options, "schema_base_uris": [f"{place.server.url}/schemas"]}
    killed.run(Order(options, 0), some(place.randomness, 100), place.pause * 4, then=heal)
    place.server.heal()


SCENARIOS: tuple[Scenario, ...] = (no_broker, sending, group_commit, large_events, draining, first_lookup)


@pytest.fixture
def server(schema_server: SchemaServer) -> Iterator[SchemaServer]:
    schema_server.mount("/schemas", SCHEMAS)
    yield schema_server


def run(scenario: Scenario, seed: int, directory: Path, server: SchemaServer) -> Found:
    """One run: processes that are killed, and one that sends what they left."""
    with MockKafka() as kafka, nobody_there() as nobody:
        kafka.create_topic(TOPIC, 4)
        spool = {"spool": str(directory / str(seed)), "durable": True}
        options = keywords(**to_kafka(kafka), **spool, flush_timeout=60)
        killed = Killed()
        scenario(Place(options, kafka, nobody, server, random.Random(seed)), killed)
        kafka.set_rtt(milliseconds=0)
        with application(**options) as app:
            app.logger.info("last", extra=numbered(99, 0, 0, 0))
            assert app.handler.flush()
            stats = app.stats
        assert not [line for line in app.reports.lines if "spool" in line], app.reports.lines
        assert (stats.accepted + stats.taken_over, stats.spooled) == (stats.delivered, 0)
        assert not [*(directory / str(seed)).iterdir()]
        killed.returned.add((99, 0, 0))
        found = Found.of(kafka.consume(TOPIC), killed)
    print(
        f"{scenario.__name__} {seed}: {len(killed.returned)} returned, {found.lost} lost, {found.duplicates} "
        f"duplicates; {found.surplus} more had not returned; accepted {stats.accepted} + taken over "
        f"{stats.taken_over} = delivered {stats.delivered} + rejected 0 + dropped 0 + spooled 0 + pending 0"
    )
    return found


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: scenario.__name__)
def test_a_killed_process_loses_nothing(
    scenario: Scenario, seed: int, tmp_path: Path, server: SchemaServer
) -> None:
    run(scenario, seed, tmp_path, server)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_200_killed_processes_lose_nothing(tmp_path: Path, server: SchemaServer) -> None:
    founds = [run(SCENARIOS[seed % len(SCENARIOS)], seed, tmp_path, server) for seed in range(2, 202)]
    print(f"{len(founds)} runs: {sum(one.lost for one in founds)} lost, ", end="")
    print(f"{sum(one.duplicates for one in founds)} duplicates, all of what was in flight")
