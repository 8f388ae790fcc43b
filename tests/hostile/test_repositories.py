"""What a schema repository may answer, and how often it is asked (rows S6, S9 and S10)."""

from __future__ import annotations

import gzip
import json
import logging
import ssl
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from eplogging.conformance import (
    Conformer,
    SchemaError,
    SchemaNotFoundError,
    SchemaUnavailableError,
    TooManyLookUpsError,
    schemas,
)
from tests.support.application import DATA, SCHEMAS, application, basic, keywords
from tests.support.rawserver import raw_server
from tests.support.schemaserver import EVERY_PATH, SchemaServer
from tests.support.sinks import MemorySink
from tests.unit.conformance.conftest import Clock
from tests.unit.conformance.world import EVENT_SCHEMA, event, write

STREAMS = {"test.event": {"schema_title": "test/event"}}
URI = "/test/event/1.0.0"
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(schemas, "time", clock)
    return clock


@pytest.mark.parametrize("identifier", ["/other/name/9.9.9", "https://example.org/x", "/" + "x" * 5000])
def test_s6_another_id_is_taken_with_one_warning(
    identifier: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, URI, {**EVENT_SCHEMA, "$id": identifier})
    conformer = Conformer([tmp_path], STREAMS)
    for _ in range(3):
        assert conformer.conform(event()).topic == "test.event"
    [warning] = caplog.messages
    assert URI in warning and len(warning) < 500


@pytest.mark.parametrize("title", [None, 7, ["test/event"]])
def test_s6_without_a_title_it_is_refused(title: object, tmp_path: Path) -> None:
    schema = {**EVENT_SCHEMA, "title": title}
    write(tmp_path, URI, {name: value for name, value in schema.items() if value is not None})
    with pytest.raises(SchemaError):
        Conformer([tmp_path], STREAMS).conform(event())


ANSWERS: dict[str, Callable[[SchemaServer], None]] = {
    "50 MB": lambda server: server.send_bytes(EVERY_PATH, 50_000_000),
    "over 256 KiB": lambda server: server.body(EVERY_PATH, json.dumps(["x" * 262_144]).encode()),
    "HTML": lambda server: server.body(EVERY_PATH, b"<html><p>no: schema</p>", content_type="text/html"),
    "HTML as JSON": lambda server: server.body(
        EVERY_PATH, b"<!doctype html>", content_type="application/json"
    ),
    "a list": lambda server: server.body(EVERY_PATH, b"[1]"),
    "binary": lambda server: server.body(EVERY_PATH, bytes(range(256))),
}


@pytest.mark.parametrize("answer", ANSWERS)
def test_s9_an_answer_that_is_no_schema(answer: str, schema_server: SchemaServer) -> None:
    ANSWERS[answer](schema_server)
    conformer = Conformer([schema_server.url], STREAMS)
    for _ in range(5):
        with pytest.raises(SchemaError):
            conformer.conform(event())
    assert len(schema_server.requests) == 1  # remembered: no storm of requests


def test_s9_any_content_type_will_do(schema_server: SchemaServer) -> None:
    schema_server.body(URI, json.dumps(EVENT_SCHEMA).encode(), content_type="image/png")
    assert Conformer([schema_server.url], STREAMS).conform(event()).topic == "test.event"


def test_s9_a_gzip_bomb() -> None:
    body = gzip.compress(b" " * 50_000_000)
    head = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    tracemalloc.start()
    with raw_server(head + body) as url, pytest.raises(SchemaError, match="is larger than 262,144 bytes"):
        Conformer([url], STREAMS).conform(event())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10_000_000


@pytest.mark.parametrize("start", [HEAD + b"Content-Length: 100000\r\n\r\n", HEAD + b"X-Slow: "])
def test_s9_one_byte_after_the_other_ends_at_the_deadline(start: bytes) -> None:
    before = time.monotonic()
    with raw_server(start, drip=0.02) as url, pytest.raises(SchemaUnavailableError):
        Conformer([url], STREAMS, http={"timeout": 0.3}).conform(event())
    assert time.monotonic() - before < 2


def test_s9_the_deadline_is_five_seconds_unless_configured() -> None:
    from eplogging.conformance import resources

    assert resources.DEFAULT_TIMEOUT == 5.0
    assert schemas.MAX_SCHEMA_BYTES == 256 * 1024


def test_s9_a_certificate_that_no_one_vouches_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(DATA / "tls" / "cert.pem", DATA / "tls" / "key.pem")
    answer = json.dumps(EVENT_SCHEMA).encode()
    head = HEAD + b"Content-Length: %d\r\n\r\n" % len(answer)
    with (
        raw_server(head + answer, tls=context) as url,
        pytest.raises(SchemaUnavailableError, match="SSLError"),
    ):
        Conformer([url], STREAMS).conform(event())
    with raw_server(head + answer, tls=context) as url:  # the same server, trusted
        trusting = Conformer([url], STREAMS, http={"verify": str(DATA / "tls" / "cert.pem")})
        assert trusting.conform(event()).topic == "test.event"


def test_s10_unknown_uris_cost_neither_memory_nor_a_request_each(
    schema_server: SchemaServer, clock: Clock
) -> None:
    conformer = Conformer([schema_server.url], STREAMS)
    reasons = []
    tracemalloc.start()
    for number in range(10_000):
        if number == 2000:
            before = tracemalloc.get_traced_memory()[0]
        with pytest.raises((SchemaNotFoundError, TooManyLookUpsError)) as caught:
            conformer.conform(event(f"/no/such/{number}.0.0"))
        reasons.append(caught.value.reason)
        clock.now += 0.006  # a minute in all
    grown = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    assert reasons[:100] == ["schema_not_found"] * 100
    assert set(reasons[101:200]) == {"too_many_look_ups"}
    assert 190 <= len(schema_server.requests) <= 201  # a hundred at once, and a hundred in the minute
    assert grown < 1_000_000  # one kilobyte for each would be ten times that


def test_s10_what_is_known_goes_on_and_what_is_new_comes_soon(
    schema_server: SchemaServer, clock: Clock, tmp_path: Path
) -> None:
    for version in ("1.0.0", "2.0.0", "3.0.0"):
        write(tmp_path, f"/test/event/{version}", EVENT_SCHEMA)
    base = schema_server.mount("/repo", tmp_path)
    conformer = Conformer([base], STREAMS, schema_precache_uris=["/test/event/3.0.0"])
    conformer.conform(event(URI))
    for number in range(200):
        with pytest.raises((SchemaNotFoundError, TooManyLookUpsError)):
            conformer.conform(event(f"/no/such/{number}.0.0"))

    conformer.conform(event(URI))
    conformer.conform(event("/test/event/3.0.0"))  # the configuration names it
    with pytest.raises(TooManyLookUpsError, match="schema_precache_uris"):
        conformer.conform(event("/test/event/2.0.0"))
    clock.now += 0.7  # one look-up more
    conformer.conform(event("/test/event/2.0.0"))


def test_s10_other_streams_are_not_held_up(schema_server: SchemaServer) -> None:
    base = schema_server.mount("/repo", SCHEMAS)
    sink = MemorySink()
    with application(sink=sink, **keywords(schema_base_uris=[base])) as app:
        logging.getLogger("eplogging").setLevel(logging.CRITICAL)
        for number in range(10_000):
            app.logger.info("x", extra={**basic(), "$schema": f"/no/such/{number}.0.0"})
            if number % 1000 == 0:
                app.logger.info("x", extra=basic(number, stream="sample.bare"))
        assert app.handler.flush(30)
        assert app.stats.delivered == 10
        assert sum(app.stats.rejected.values()) == 10_000
    assert [json.loads(message.value)["number"] for message in sink.messages] == list(range(0, 10_000, 1000))
    assert len(schema_server.requests) < 1000
