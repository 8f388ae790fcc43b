"""Every keyword on where events go and how they are kept until then has an effect (P23)."""

from __future__ import annotations

import json
import sys
import threading
import time
from pathlib import Path

import pytest

from eplogging import EventPlatformHandler
from eplogging.conformance import ConfigurationError
from eplogging.testing import MockKafka
from tests.support.application import application, basic, keywords, to_kafka, wait_until
from tests.support.sinks import HeldSink


def test_kafka(kafka: MockKafka) -> None:
    """Librdkafka's own properties arrive there, callbacks too."""
    told: list[str] = []
    properties = {"client.id": "own", "statistics.interval.ms": 20, "stats_cb": told.append}
    options = {"kafka": {**to_kafka(kafka)["kafka"], **properties}}
    with application(**keywords(**options)) as app:
        app.logger.info("x", extra=basic())
        wait_until(lambda: told, "librdkafka's statistics")
        assert app.handler.flush()
    assert json.loads(told[0])["client_id"] == "own"
    assert len(kafka.consume("eqiad.sample.basic")) == 1


@pytest.mark.parametrize("output", ["stdout", "stderr"])
def test_output_to_a_standard_stream(output: str, capfd: pytest.CaptureFixture[str]) -> None:
    with application(output=output, **keywords()) as app:
        print("before", file=getattr(sys, output), flush=True)
        for number in range(3):
            app.logger.info("x", extra=basic(number, text="zwei\nZeilen é"))
        assert app.handler.flush()
        written = capfd.readouterr()
    first, *lines = getattr(written, {"stdout": "out", "stderr": "err"}[output]).splitlines()
    assert first == "before"
    assert [json.loads(line)["number"] for line in lines] == [0, 1, 2]
    assert "é" in lines[0]


def test_output_to_a_file(tmp_path: Path) -> None:
    """Appended to; a line is there when `flush` returns."""
    path = tmp_path / "events.ndjson"
    path.write_text('{"number": -1}\n')
    with application(output=str(path), **keywords()) as app:
        app.logger.info("x", extra=basic(1))
        assert app.handler.flush()
        assert [json.loads(line)["number"] for line in path.read_text().splitlines()] == [-1, 1]


def test_an_output_that_can_not_be_written_is_told(tmp_path: Path) -> None:
    directory = tmp_path / "taken"
    directory.mkdir()
    with application(output=str(directory), **keywords()) as app:
        app.logger.info("x", extra=basic(1))
        wait_until(lambda: app.stats.pending == 0, "it is given up")
        assert sum(app.stats.dropped.values()) == 1
    assert "Is a directory" in app.reports.lines[0]


def test_an_output_in_a_directory_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="make it first"):
        EventPlatformHandler(output=str(tmp_path / "no" / "events.ndjson"), **keywords())


def test_queue_size_and_queue_bytes() -> None:
    for bound in ({"queue_size": 5}, {"queue_bytes": 5 * 700}):
        sink = HeldSink()
        with application(sink=sink, **keywords(flush_timeout=0.2, **bound)) as app:
            for number in range(20):
                app.logger.info("x", extra=basic(number))
            assert app.stats.pending == 5 or 2500 < app.stats.pending_bytes <= 3500
            assert sum(app.stats.dropped.values()) == 20 - app.stats.pending
            sink.released.set()


def test_on_full_block_and_block_timeout() -> None:
    """A logging call waits for room, and no longer than `block_timeout`."""
    sink = HeldSink()
    options = keywords(queue_size=1, on_full="block", block_timeout=0.2, flush_timeout=0.3)
    with application(sink=sink, **options) as app:
        app.logger.info("fills", extra=basic(0))
        started = time.monotonic()
        app.logger.info("waits in vain", extra=basic(1))
        assert 0.2 <= time.monotonic() - started < 1
        assert dict(app.stats.dropped) == {("queue_full", "sample.basic"): 1}
    sink = HeldSink()
    with application(sink=sink, **{**options, "block_timeout": 30, "flush_timeout": 10}) as app:
        app.logger.info("fills", extra=basic(0))
        releasing = threading.Timer(0.1, sink.released.set)
        releasing.start()
        app.logger.info("waits", extra=basic(1))
        releasing.join()
        assert app.handler.flush()
        assert (app.stats.delivered, dict(app.stats.dropped)) == (2, {})


def test_flush_timeout() -> None:
    with application(sink=HeldSink(), **keywords(flush_timeout=0.2)) as app:
        app.logger.info("x", extra=basic(0))
        started = time.monotonic()
        assert not app.handler.flush()
        assert 0.2 <= time.monotonic() - started < 0.6


def test_no_thread_and_no_connection_before_the_first_event() -> None:
    """The handler can be configured in a process that forks workers, and before the network is there."""
    before = set(threading.enumerate())
    with application(**keywords(**to_kafka("192.0.2.1:9092"))) as app:
        assert set(threading.enumerate()) == before
        assert app.handler.flush()
        assert set(threading.enumerate()) == before
        assert app.handler._listener._delivery._is_open is False


def test_secrets_are_not_shown(kafka: MockKafka) -> None:
    secret = "s3cr3t"
    options = to_kafka(kafka, sasl_username="me", sasl_password=secret, security_protocol="PLAINTEXT")
    with application(**keywords(**options)) as app:
        assert secret not in repr(app.handler)
        app.logger.info("x", extra=basic())
        app.handler.flush()
        assert secret not in "".join(app.reports.lines)
