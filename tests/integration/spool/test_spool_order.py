"""What is kept is sent oldest first, each key in order, across restarts, flaps of the broker and look-ups."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest

from eplogging.testing import MockKafka
from tests.support.application import SCHEMAS, application, keywords, page, to_kafka, wait_until
from tests.support.nobody import nobody_there
from tests.support.schemaserver import SchemaServer
from tests.support.spooling import TOPIC, arrived, log, show

WAYS: dict[str, dict[str, Any]] = {
    "spill": {},
    "durable": {"durable": True},
    "drop": {"on_full": "drop"},
    "block": {"on_full": "block"},
}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest) -> dict[str, Any]:
    way: dict[str, Any] = request.param
    return way


def test_generations_without_a_broker(kafka: MockKafka, tmp_path: Path, way: dict[str, Any]) -> None:
    """What is new is logged at once, while the schema must be looked up and the old is read."""
    spool = {"spool": tmp_path / "spool", **way}
    with nobody_there() as nobody:
        for generation in range(3):
            with application(**keywords(**to_kafka(nobody), **spool, flush_timeout=0.5)) as app:
                log(app, range(generation * 1000, generation * 1000 + 400))
            show(app)
            assert (app.stats.spooled, app.stats.dropped) == (400 * (generation + 1), {})
    with application(**keywords(**to_kafka(kafka), **spool, queue_size=1000, flush_timeout=60)) as app:
        log(app, range(3000, 3100))
        wait_until(lambda: app.stats.delivered > 0, "delivery begins")
        log(app, range(3100, 3400))
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, app.stats.spooled) == (1600, 0)
    assert arrived(kafka) == [n * 1000 + m for n in range(4) for m in range(400)]
    assert not [*(tmp_path / "spool").iterdir()]


def test_a_broker_that_flaps(kafka: MockKafka, tmp_path: Path, way: dict[str, Any]) -> None:
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", queue_size=1000, **way, flush_timeout=60)
    with application(**options) as app:
        for start in range(0, 2000, 200):
            is_up = start % 400 == 0
            kafka.broker_up() if is_up else kafka.broker_down()
            log(app, range(start, start + 200))
            if is_up:  # the mock cluster keeps no producer state: what is in flight when it goes comes twice
                wait_until(lambda: app.stats.pending + app.stats.spooled == 0, "all is delivered", 30)
        kafka.broker_up()
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, app.stats.dropped) == (2000, {})
    assert arrived(kafka) == [*range(2000)]


def test_a_handler_that_is_closed_while_messages_are_in_flight(
    kafka: MockKafka, tmp_path: Path, way: dict[str, Any]
) -> None:
    """Each of several handlers ends with some sent, some in flight, some waiting; the ids stay the same."""
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", **way, flush_timeout=0.2)
    with application(**options) as app:
        log(app, range(100))
        wait_until(lambda: app.stats.delivered == 100, "they are delivered")
        kafka.set_rtt(milliseconds=2000)
        log(app, range(100, 600))
    show(app)
    assert not app.stats.dropped
    kafka.set_rtt(milliseconds=0)
    with application(**{**options, "flush_timeout": 60}) as app:
        log(app, range(600, 700))
        assert app.handler.flush()
        show(app)
    ids: dict[str, set[str]] = {}
    order: list[int] = []
    for message in kafka.consume(TOPIC):
        event = json.loads(message.value() or b"")
        ids.setdefault(event["comment"], set()).add(event["meta"]["id"])
        order.append(int(event["comment"]))
    assert {len(some) for some in ids.values()} == {1}
    firsts = list(dict.fromkeys(order))
    for key in range(5):
        assert [n for n in firsts if n % 5 == key] == [*range(key, 700, 5)]


def test_a_schema_that_is_new_in_the_midst_of_a_stream(
    kafka: MockKafka, tmp_path: Path, way: dict[str, Any]
) -> None:
    """What waits for the look-up overtakes nothing, and is not overtaken."""
    base = tmp_path / "schemas" / "sample" / "page"
    base.mkdir(parents=True)
    text = (SCHEMAS / "sample/page/1.0.0.yaml").read_text()
    for version in range(5):
        (base / f"1.{version}.0.yaml").write_text(text.replace("page/1.0.0", f"page/1.{version}.0"))
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", **way, flush_timeout=60)
    with application(**{**options, "schema_base_uris": [str(tmp_path / "schemas")]}) as app:
        for number in range(100):
            event = page(page={"id": number % 5 + 1}, comment=str(number))
            app.logger.info("x", extra={**event, "$schema": f"/sample/page/1.{number // 20}.0"})
        assert app.handler.flush()
        show(app)
    assert arrived(kafka) == [*range(100)]


@pytest.mark.parametrize("durable", [False, True])
def test_deferred_events_outlive_processes_with_their_id(
    kafka: MockKafka, tmp_path: Path, schema_server: SchemaServer, durable: bool
) -> None:
    schema_server.mount("/schemas", SCHEMAS)
    schema_server.fail("/schemas/sample/page/1.0.0.yaml")
    spool: dict[str, Any] = {"spool": tmp_path / "spool", "durable": durable}
    options = keywords(**to_kafka(kafka), **spool, flush_timeout=0.3)
    options["schema_base_uris"] = [f"{schema_server.url}/schemas"]
    for generation in range(2):
        with application(**options) as app:
            log(app, range(generation * 20, generation * 20 + 20))
        show(app)
        assert (app.stats.spooled, app.stats.dropped) == (20 * generation + 20, {})
    schema_server.heal()
    [*files] = (tmp_path / "spool").iterdir()
    contents = {file: file.read_bytes() for file in files}
    for _ in range(2):  # the second time as if the process had been killed before it removed anything
        for file, content in contents.items():
            file.write_bytes(content)
        with application(**{**options, "flush_timeout": 60}) as app:
            app.handler.start()
            wait_until(lambda: app.stats.delivered == 40, "they are sent")
            show(app)
    events = [json.loads(message.value() or b"") for message in kafka.consume(TOPIC)]
    assert len(events) == 80
    assert len({event["meta"]["id"] for event in events}) == 40


def test_error_events_are_kept(kafka: MockKafka, tmp_path: Path) -> None:
    spool = {"spool": tmp_path / "spool", "error_stream": "sample.errors"}
    with nobody_there() as nobody:
        with application(**keywords(**to_kafka(nobody), **spool, flush_timeout=0.5)) as app:
            for _ in range(10):
                app.logger.info("x", extra=page(wiki="no wiki"))
        show(app)
    assert (app.stats.spooled, sum(app.stats.rejected.values())) == (10, 10)
    with application(**keywords(**to_kafka(kafka), **spool, flush_timeout=60)) as app:
        app.handler.start()
        wait_until(lambda: app.stats.delivered == 10, "they are sent")
        show(app)
    assert len(kafka.consume("eqiad.sample.errors")) == 10


def test_what_is_no_json_is_rejected(kafka: MockKafka, tmp_path: Path) -> None:
    """A deferred event can not always be put on disk; the others are."""
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", durable=True, flush_timeout=60)
    with application(**options) as app:
        log(app, range(3))
        app.logger.info("x", extra=page(comment=float("nan")))
        log(app, range(3, 6))
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, sum(app.stats.rejected.values())) == (6, 1)


def test_flush_waits_for_what_was_before_and_logging_goes_on(
    kafka: MockKafka, tmp_path: Path, way: dict[str, Any]
) -> None:
    kafka.broker_down()
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", queue_size=4000, **way, flush_timeout=60)
    stop = threading.Event()
    done: list[int] = []

    def keep_logging() -> None:
        while not stop.wait(0.001):
            log(app, [1000 + len(done)])
            done.append(1)

    with application(**options) as app:
        log(app, range(1000))
        assert not app.handler.flush(0.2)
        thread = threading.Thread(target=keep_logging)
        thread.start()
        try:
            before = len(done)
            assert not app.handler.flush(0.2)
            wait_until(lambda: len(done) > before + 10, "logging goes on")
            kafka.broker_up()
            assert app.handler.flush(30)
            assert app.stats.delivered >= 1000
        finally:
            stop.set()
            thread.join()
        assert app.handler.flush()
        show(app)
    assert not app.stats.dropped
    assert arrived(kafka) == [*range(1000 + len(done))]
