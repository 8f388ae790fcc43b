"""Whatever keeps Kafka away, no event may be lost, doubled or overtaken, and no caller held up.

A load is logged without pause while the broker is away, and read back afterwards. What callers waited is
printed and never asserted, since it depends on the machine: `pytest -s` shows it. The long forms last a
minute at 5,000 events a second, with librdkafka's own pauses; the short ones shorten the pauses, too.

The shapes of the faults, and why a correct client makes no duplicate in them, are in
`tests/support/requestproxy.py`.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import pytest

from tests.support import tally
from tests.support.application import Application, application, keywords, to_kafka, wait_until
from tests.support.load import TOPIC, Load
from tests.support.processes import ROOT, run_python
from tests.support.remotekafka import RemoteKafka, remote_kafka

pytestmark = pytest.mark.faults

TOPICS = {TOPIC: 8}
NO_SUCH_SERVER = "nosuchhost.invalid:9092"
SLOW_MILLISECONDS = 500
FLAP = 0.5


class Length(NamedTuple):
    """How long an outage lasts, and what else differs between the forms."""

    seconds: float
    per_second: int
    properties: Mapping[str, Any]
    in_black_hole: Mapping[str, Any] = MappingProxyType({})


SHORT = Length(1.5, 1_000, {"topic_metadata_refresh_interval_ms": 100}, {"socket_timeout_ms": 1_000})
LONG = Length(
    60.0,
    5_000,
    {
        # The mock cluster keeps 5 MiB of a partition, as compressed; small batches compress badly.
        "compression_type": "zstd",
        "linger_ms": 50,
        "reconnect_backoff_ms": 100,
        "reconnect_backoff_max_ms": 10_000,
        "topic_metadata_refresh_interval_ms": 1_000,
    },
)
LENGTHS = [
    pytest.param(SHORT, id="short"),
    pytest.param(LONG, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
]


class Fault(NamedTuple):
    """How the broker goes and comes back; in a total one nothing is delivered between the two."""

    begin: Callable[[RemoteKafka], None]
    end: Callable[[RemoteKafka], None]
    total: bool = True


DOWN = Fault(RemoteKafka.down, RemoteKafka.up)
BLACK_HOLE = Fault(RemoteKafka.black_hole, RemoteKafka.restore)
NO_NAME = Fault(RemoteKafka.unnamed, RemoteKafka.named)
SLOW = Fault(lambda kafka: kafka.slow(SLOW_MILLISECONDS), lambda kafka: kafka.slow(0), total=False)


def options(servers: str, length: Length, fault: Fault = DOWN, **others: Any) -> dict[str, Any]:
    """The handler's, with room for all that is logged."""
    kafka = to_kafka(servers, **length.properties, **(length.in_black_hole if fault == BLACK_HOLE else {}))
    return keywords(**kafka, queue_size=1_000_000, queue_bytes=512 * 1024 * 1024, **others)


def strike(fault: Fault, kafka: RemoteKafka, app: Application, load: Load, seconds: float) -> None:
    """One outage, from a broker that answers to one that delivers again."""
    fault.begin(kafka)
    before = load.logged
    time.sleep(seconds)
    logged = load.logged - before  # read first, as the load goes on
    if fault.total:
        assert app.stats.pending >= logged > 0
    fault.end(kafka)


def some_delivered(app: Application) -> None:
    """Waits for a delivery from now on."""
    before = app.stats.delivered
    wait_until(lambda: app.stats.delivered > before, "events are delivered", 60)


def settle(name: str, kafka: RemoteKafka, app: Application, load: Load) -> str:
    """Waits until all is delivered, and compares both ends.

    A client that left a connection by itself, since this machine was too slow to answer, may have sent
    again what the mock cluster then stored twice; else there is no excuse.
    """
    assert app.handler.flush(60)
    excused = load.logged if kafka.left() else 0
    found = tally.read(kafka.bootstrap_servers, TOPICS)
    line = tally.check(found, app.stats, load.logged, name=name, duplicates=excused)
    assert app.stats.delivered == load.logged, line
    return f"\n{line}; {load.calls}" + (f"; {kafka.left()} connections left" if excused else "")


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize(
    "fault", [DOWN, BLACK_HOLE, NO_NAME, SLOW], ids=["down", "black-hole", "no-name", "slow"]
)
def test_the_broker_goes_and_comes_back(fault: Fault, length: Length, request: pytest.FixtureRequest) -> None:
    with (
        remote_kafka(TOPICS) as kafka,
        application(**options(kafka.bootstrap_servers, length, fault)) as app,
    ):
        load = Load(app.logger, length.per_second)
        with load.running():
            some_delivered(app)
            strike(fault, kafka, app, load, length.seconds)
            some_delivered(app)
        print(settle(request.node.name, kafka, app, load))


@pytest.mark.parametrize("length", LENGTHS)
@pytest.mark.parametrize("fault", [DOWN, BLACK_HOLE, NO_NAME], ids=["down", "black-hole", "no-name"])
def test_the_broker_is_not_there_at_the_start(
    fault: Fault, length: Length, request: pytest.FixtureRequest
) -> None:
    with remote_kafka(TOPICS) as kafka:
        fault.begin(kafka)
        with application(**options(kafka.bootstrap_servers, length, fault)) as app:
            load = Load(app.logger, length.per_second)
            with load.running():
                strike(fault._replace(begin=lambda _: None), kafka, app, load, length.seconds)
                some_delivered(app)
            print(settle(request.node.name, kafka, app, load))


@pytest.mark.parametrize("length", LENGTHS)
def test_the_broker_flaps_every_second(length: Length, request: pytest.FixtureRequest) -> None:
    with remote_kafka(TOPICS) as kafka, application(**options(kafka.bootstrap_servers, length)) as app:
        load = Load(app.logger, length.per_second)
        with load.running():
            some_delivered(app)
            for _ in range(int(length.seconds / (2 * FLAP)) + 1):
                strike(DOWN, kafka, app, load, FLAP)
                time.sleep(FLAP)
            some_delivered(app)
        print(settle(request.node.name, kafka, app, load))


@pytest.mark.parametrize("length", LENGTHS)
def test_one_of_two_bootstrap_servers_has_no_name(length: Length, request: pytest.FixtureRequest) -> None:
    with remote_kafka(TOPICS) as kafka:
        servers = f"{NO_SUCH_SERVER},{kafka.bootstrap_servers}"
        with application(**options(servers, length)) as app:
            load = Load(app.logger, length.per_second)
            with load.running():
                some_delivered(app)
                time.sleep(length.seconds / 2)
            print(settle(request.node.name, kafka, app, load))


@pytest.mark.parametrize("length", LENGTHS)
def test_a_name_that_never_resolves_holds_nothing_up(length: Length, request: pytest.FixtureRequest) -> None:
    """Everything is kept, `close` returns, and what it gave up is counted and told."""
    with application(**options(NO_SUCH_SERVER, length, flush_timeout=0.5)) as app:
        load = Load(app.logger, length.per_second)
        with load.running():
            time.sleep(length.seconds)
        assert app.stats.pending == app.stats.accepted == load.logged > 0
        closing = time.monotonic()
        app.handler.close()
        closing = time.monotonic() - closing
        nothing = tally.Found(0, 0, 0)
        line = tally.check(nothing, app.stats, load.logged, name=request.node.name)
        # Hundreds of thousands take a second to be counted; until then they are told as pending.
        wait_until(lambda: sum(app.stats.dropped.values()) == load.logged, f"all is counted: {line}", 30)
        assert f"{load.logged}" in "".join(app.reports.lines)
        print(f"\n{line}; {load.calls}; closed in {closing:.2f} s")


CLOSES = """
import sys, time
from tests.support.application import application, keywords, to_kafka
from tests.support.spooling import log
with application(**keywords(**to_kafka(sys.argv[1]), flush_timeout=0.5)) as app:
    log(app, range(100))
    time.sleep(0.5)
    app.handler.close()
    print(sum(app.stats.dropped.values()), app.stats.pending, *app.reports.lines)
"""


@pytest.mark.skipif(
    sys.platform != "linux" or shutil.which("cc") is None,
    reason="a slow name server needs Linux and a C compiler",
)
def test_a_name_server_that_takes_long_holds_nothing_up(tmp_path: Path) -> None:
    """A thread of librdkafka hangs in `getaddrinfo` when the handler is closed; nobody waits for that."""
    source, library = ROOT / "tests/support/slowresolver.c", tmp_path / "slowresolver.so"
    subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
    before = time.monotonic()
    child = run_python(CLOSES, NO_SUCH_SERVER, env={"LD_PRELOAD": str(library)})
    assert child.code == 0, child.stderr
    dropped, pending, *told = child.stdout.split(maxsplit=2)
    assert (dropped, pending) == ("100", "0"), child
    assert not any("held" in line or "did not end" in line for line in told), told
    assert time.monotonic() - before < 9, "the name server answers after ten seconds"
