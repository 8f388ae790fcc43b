"""Messages that outlive memory, the broker's absence and the process, through the handler."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from eplogging.testing import MockKafka
from tests.support.application import Application, application, basic, keywords, to_kafka, wait_until
from tests.support.processes import run_python

TOPIC = "eqiad.sample.basic"
NOBODY = "127.0.0.1:1"


def numbers(kafka: MockKafka) -> list[int]:
    return [json.loads(message.value() or b"")["number"] for message in kafka.consume(TOPIC)]


def log(app: Application, start: int, end: int) -> None:
    for number in range(start, end):
        app.logger.info("x", extra=basic(number))


def show(app: Application) -> None:
    """Prints the invariant."""
    stats = app.stats
    print(
        f"accepted {stats.accepted} + taken over {stats.taken_over} = delivered {stats.delivered} + rejected "
        f"{sum(stats.rejected.values())} + dropped {sum(stats.dropped.values())} + spooled {stats.spooled} "
        f"+ pending {stats.pending}"
    )


@pytest.fixture
def kafka() -> Any:
    with MockKafka() as cluster:
        cluster.create_topic(TOPIC, 1)
        yield cluster


@pytest.mark.parametrize("durable", [True, "fsync"])
def test_durable_messages_leave_the_disk_when_they_are_acknowledged(
    kafka: MockKafka, tmp_path: Path, durable: bool | str
) -> None:
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", durable=durable, flush_timeout=60)
    with application(**options) as app:
        log(app, 0, 300)
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, app.stats.spooled) == (300, 0)
        [file] = (tmp_path / "spool").glob("*.spool")
        assert file.stat().st_mode & 0o777 == 0o600
    assert numbers(kafka) == [*range(300)]
    assert list((tmp_path / "spool").iterdir()) == []


@pytest.mark.parametrize("durable", [False, True])
def test_the_next_process_sends_what_was_not_acknowledged(
    kafka: MockKafka, tmp_path: Path, durable: bool
) -> None:
    options: dict[str, Any] = {"spool": tmp_path / "spool", "durable": durable}
    for generation in range(3):
        with application(**keywords(**to_kafka(NOBODY), **options, flush_timeout=0.5)) as app:
            log(app, generation * 100, generation * 100 + 100)
        show(app)
        assert app.stats.spooled == 100 * (generation + 1)
        assert not app.stats.dropped
    with application(**keywords(**to_kafka(kafka), **options, flush_timeout=60)) as app:
        log(app, 300, 301)
        assert app.handler.flush()
        show(app)
        assert (app.stats.taken_over, app.stats.delivered) == (300, 301)
    assert numbers(kafka) == [*range(301)]
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_memory_has_no_room_for_goes_to_the_disk_and_stays_in_order(
    kafka: MockKafka, tmp_path: Path
) -> None:
    kafka.broker_down()
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", queue_size=400, flush_timeout=60)
    with application(**options) as app:
        for start in range(0, 3000, 100):
            log(app, start, start + 100)
            wait_until(lambda: app.stats.pending <= 300, "the listener keeps up")
        assert app.stats.spooled >= 2000
        show(app)
        kafka.broker_up()
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, app.stats.spooled, app.stats.pending) == (3000, 0, 0)
    assert numbers(kafka) == [*range(3000)]


def test_a_stopped_delivery_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("eplogging.health.INTERVAL", 0.3)
    options = keywords(**to_kafka(NOBODY), spool=tmp_path / "spool", flush_timeout=0.5)
    with application(**options) as app:
        assert app.handler.health().is_ok
        log(app, 0, 10)
        wait_until(lambda: not app.handler.health().is_ok, "it is seen")
        [problem] = app.handler.health().problems
        assert "delivery has stopped: 10 events wait" in problem
        assert app.stats.oldest > 0.3
        assert app.stats.last_delivery is None


def test_flush_says_no_while_something_is_on_disk(tmp_path: Path) -> None:
    options = keywords(**to_kafka(NOBODY), spool=tmp_path / "spool", durable=True, flush_timeout=0.5)
    with application(**options) as app:
        log(app, 0, 10)
        assert app.stats.spooled == 10
        assert not app.handler.flush(0.2)
    assert app.stats.spooled == 10


def test_a_disk_that_fails_costs_no_message(
    kafka: MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from eplogging.spool import SpoolError
    from eplogging.spool.directory import Spool

    def fail(*_: Any, **__: Any) -> None:
        raise SpoolError("disk I/O error")

    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", durable=True, flush_timeout=60)
    with application(**options) as app:
        log(app, 0, 10)
        with monkeypatch.context() as broken:
            broken.setattr(Spool, "write", fail)
            log(app, 10, 60)
            wait_until(lambda: not app.handler.health().is_ok, "it is seen")
            assert "disk I/O error" in app.handler.health().problems[-1]
            wait_until(lambda: app.stats.delivered >= 60, "they are sent from memory")

        def recovers() -> bool:
            log(app, app.stats.accepted, app.stats.accepted + 1)
            return app.handler.health().is_ok

        wait_until(recovers, "the disk is tried again")
        assert app.handler.flush()
        show(app)
    assert numbers(kafka) == [*range(app.stats.accepted)]
    assert len([line for line in app.reports.lines if "it can not be written" in line]) == 1


KILLED = """
import logging, os, signal, sys
from tests.support.application import *
logging.config.dictConfig(dict_config(keywords(**to_kafka(sys.argv[1]), spool=sys.argv[2], durable=True)))
log = logging.getLogger("app")
for number in range(int(sys.argv[3])):
    log.info("x", extra=basic(number))
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("is_up", [False, True], ids=["broker down", "broker up"])
def test_a_killed_process_loses_nothing(kafka: MockKafka, tmp_path: Path, is_up: bool) -> None:
    servers = kafka.bootstrap_servers if is_up else NOBODY
    ended = run_python(KILLED, servers, str(tmp_path / "spool"), "200")
    assert ended.code == -9, ended.stderr
    with application(
        **keywords(**to_kafka(kafka), spool=tmp_path / "spool", durable=True, flush_timeout=60)
    ) as app:
        log(app, 200, 201)
        assert app.handler.flush()
        show(app)
    arrived = numbers(kafka)
    assert {*arrived} == {*range(201)}
    if not is_up:
        assert arrived == [*range(201)]


def test_a_living_process_keeps_its_file(kafka: MockKafka, tmp_path: Path) -> None:
    options: dict[str, Any] = {"spool": tmp_path / "spool", "durable": True}
    with application(**keywords(**to_kafka(NOBODY), **options, flush_timeout=0.5)) as one:
        log(one, 0, 10)
        assert one.stats.spooled == 10
        child = run_python(
            KILLED.replace("SIGKILL", "SIGCONT"), kafka.bootstrap_servers, str(tmp_path / "spool"), "5"
        )
        assert child.code == 0, child.stderr
        assert one.stats.spooled == 10
    assert numbers(kafka) == [*range(5)]
