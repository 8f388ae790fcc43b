"""What only time shows: memory in a long outage, and whatever grows while all is well.

The application is a process of its own, so that what it has is its own. The lengths of the long forms are
the seconds in the environment variables EPLOGGING_OUTAGE_SECONDS (600, if not set) and
EPLOGGING_SOAK_SECONDS (900).
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from typing import NamedTuple

import pytest

from tests.support import tally
from tests.support.application import keywords, to_kafka, wait_until
from tests.support.footprint import Footprint, watch
from tests.support.load import TOPIC
from tests.support.loadedapplication import Ended, loaded_application
from tests.support.remotekafka import RemoteKafka, remote_kafka

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="/proc is Linux's"),
]

MIB = 1024 * 1024
OUTAGE_SECONDS = float(os.environ.get("EPLOGGING_OUTAGE_SECONDS", "600"))
SOAK_SECONDS = float(os.environ.get("EPLOGGING_SOAK_SECONDS", "900"))
GRACE = 300
"""Seconds past its own that a long form may take."""

FLAT = 8.0
"""MiB that memory may differ by between the first and the last part of a soak: 0.9 bytes an event in the
quarter of an hour."""


class Outage(NamedTuple):
    """How long the broker is away after the handler's bound was reached, and that bound."""

    seconds: float
    queue_bytes: int


class Soak(NamedTuple):
    """A load, and after how many seconds everything has the size that it keeps."""

    seconds: float
    per_second: int
    settled_after: float


def slow_form(length: NamedTuple, seconds: float) -> object:
    return pytest.param(length, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(seconds + GRACE)])


OUTAGES = [
    pytest.param(Outage(1, 16 * MIB), id="short"),
    slow_form(Outage(OUTAGE_SECONDS, 64 * MIB), OUTAGE_SECONDS),
]
SOAKS = [
    pytest.param(Soak(2, 2_000, 1), id="short"),
    slow_form(Soak(SOAK_SECONDS, 10_000, 15), SOAK_SECONDS),
]


def compare(name: str, kafka: RemoteKafka, ended: Ended, found: tally.Found) -> str:
    """The two ends of it in a line; duplicates are excused as in `test_outages`."""
    excused = ended.logged if kafka.left() else 0
    line = tally.check(found, ended.stats, ended.logged, name=name, duplicates=excused)
    return f"\n{line}; {ended.calls}"


@pytest.mark.parametrize("outage", OUTAGES)
def test_memory_in_an_outage_is_within_the_bound(outage: Outage, request: pytest.FixtureRequest) -> None:
    """The bound x 1.5 + 32 MiB, with 1,000 events of 10 KB a second."""
    topics = {TOPIC: 64}  # a partition keeps 5 MiB, and all that was held must be there
    with remote_kafka(topics) as kafka:
        options = keywords(**to_kafka(kafka.bootstrap_servers), queue_bytes=outage.queue_bytes)
        with loaded_application(options, per_second=1_000, keys=256, size=10_000) as app:
            kafka.down()
            wait_until(lambda: app.stats().dropped, "the bound is reached", 60)
            time.sleep(outage.seconds)
            kafka.up()
            ended = app.stop()
            growth = Footprint.of(app.pid).peak - app.before.memory
        line = compare(request.node.name, kafka, ended, tally.read(kafka.bootstrap_servers, topics))
    allowed = outage.queue_bytes / MIB * 1.5 + 32
    print(f"{line}; grew by {growth:.1f} MiB of {allowed:.0f} MiB allowed")
    assert growth <= allowed


@pytest.mark.parametrize("soak", SOAKS)
def test_nothing_grows_in_a_soak(soak: Soak, request: pytest.FixtureRequest) -> None:
    """Memory, threads and descriptors are the same in the first and in the last quarter."""
    topics = {TOPIC: 8}
    with remote_kafka(topics) as kafka, tally.reading(kafka.bootstrap_servers, topics) as found:
        options = keywords(**to_kafka(kafka.bootstrap_servers, compression_type="lz4", linger_ms=20))
        with loaded_application(options, per_second=soak.per_second) as app:
            time.sleep(soak.settled_after)
            seen = watch(app.pid, soak.seconds)
            ended = app.stop()
        line = compare(request.node.name, kafka, ended, found())
    first, last = quarters(seen)
    print(f"{line}; first {first}; last {last}; highest {Footprint(*map(max, zip(*seen, strict=True)))}")
    assert ended.stats.delivered == ended.logged, line
    assert last.memory - first.memory <= FLAT
    assert (last.threads, last.descriptors) == (first.threads, first.descriptors)


def quarters(seen: Sequence[Footprint]) -> tuple[Footprint, Footprint]:
    """The first and the last quarter's medians."""
    quarter = max(len(seen) // 4, 1)
    return Footprint.middle(seen[:quarter]), Footprint.middle(seen[-quarter:])
