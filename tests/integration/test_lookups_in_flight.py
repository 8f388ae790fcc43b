"""Events whose schema or stream config is not known yet wait in order, and no other stream with them."""

from __future__ import annotations

import json
import threading
from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import pytest
import yaml

from eplogging.conformance import UnavailableError
from eplogging.sinks import MemorySink
from tests.support.application import SCHEMAS, STREAMS, Application, application, basic, keywords, wait_until
from tests.support.schemaserver import API_PATH, SchemaServer

BASIC = "/schemas/sample/basic/1.0.0.yaml"
OTHER = "/schemas/sample/other/1.0.0.yaml"


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def server(schema_server: SchemaServer) -> SchemaServer:
    schema_server.stream_configs = {"streams": yaml.safe_load(STREAMS.read_text())}
    schema_server.mount("/schemas", SCHEMAS)
    return schema_server


@pytest.fixture
def options(server: SchemaServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    monkeypatch.setattr("eplogging.lookups.FIRST_PAUSE", 0.05)
    locations = {
        "schema_base_uris": [f"{server.url}/schemas"],
        "stream_config_uri": server.stream_config_uri,
    }
    return keywords(http={"timeout": 2}, stream_config_retries=0, **locations)


@pytest.fixture
def app(options: dict[str, Any], sink: MemorySink) -> Iterator[Application]:
    with application(sink=sink, **options) as app:
        yield app


def other(number: int) -> dict[str, object]:
    return {"$schema": "/sample/other/1.0.0", "meta": {"stream": "sample.other"}, "number": number}


def by_stream(sink: MemorySink) -> dict[str, list[int]]:
    numbers = defaultdict(list)
    for message in list(sink.messages):
        numbers[message.stream].append(json.loads(message.value)["number"])
    return numbers


@pytest.mark.parametrize("fault", ["hang", "503"])
def test_other_streams_flow_while_a_look_up_is_retried_and_order_is_kept(
    app: Application, server: SchemaServer, sink: MemorySink, fault: str
) -> None:
    server.hang(OTHER) if fault == "hang" else server.fail(OTHER)
    for number in range(50):
        app.logger.info("waits", extra=other(number))
        app.logger.info("flows", extra=basic(number))
    wait_until(lambda: len(by_stream(sink)["sample.basic"]) == 50, "the stream that waits for nothing flows")
    assert by_stream(sink)["sample.other"] == []
    assert not app.handler.flush(0.05)
    assert app.stats.pending == 50
    if fault == "503":
        wait_until(lambda: server.counts[OTHER] >= 3, "the look-up is tried again")
    for number in range(50, 60):
        app.logger.info("waits behind", extra=other(number))
    server.heal()
    assert app.handler.flush(10)
    for number in range(60, 70):
        app.logger.info("warm", extra=other(number))
    assert app.handler.flush(10)
    assert by_stream(sink) == {"sample.other": [*range(70)], "sample.basic": [*range(50)]}
    assert app.stats.rejected == {} and app.stats.dropped == {}


def test_a_stream_config_api_that_is_down_defers_and_never_raises(
    app: Application, server: SchemaServer, sink: MemorySink
) -> None:
    server.fail(API_PATH)
    app.logger.info("first", extra=basic(0))
    wait_until(
        lambda: server.counts[API_PATH] >= 2 and server.counts["/schemas/sample/basic/1.0.0.yaml"], "asked"
    )
    for number in range(1, 20):
        app.logger.info("the schema is known, the stream config is not", extra=basic(number))
    assert app.stats.rejected == {}
    server.heal()
    assert app.handler.flush(10)
    assert by_stream(sink) == {"sample.basic": [*range(20)]}


def test_known_schemas_and_streams_go_on_when_everything_is_down(
    app: Application, server: SchemaServer, sink: MemorySink
) -> None:
    app.logger.info("first", extra=basic(0))
    assert app.handler.flush()
    server.down()
    for number in range(1, 20):
        app.logger.info("known", extra=basic(number))
    assert app.handler.flush()
    assert by_stream(sink) == {"sample.basic": [*range(20)]}


def test_what_still_waits_at_the_end_is_counted_and_reported(
    app: Application, server: SchemaServer, sink: MemorySink
) -> None:
    server.fail(OTHER)
    app.logger.info("waits", extra=other(1))
    app.handler.flush(0.1)
    app.handler._listener.close(0.1)
    assert dict(app.stats.dropped) == {("closed", "sample.other"): 1}
    assert any("1 of sample.other (closed)" in line for line in app.reports.lines)


def test_a_deferred_event_keeps_its_time_and_context(
    app: Application, server: SchemaServer, sink: MemorySink
) -> None:
    from eplogging import bind_event_fields

    server.fail("/schemas/sample/basic/1.0.0.yaml", times=2)
    with bind_event_fields(meta={"request_id": "r1"}):
        app.logger.info("deferred", extra=basic(1))
    with bind_event_fields(meta={"request_id": "r2"}):
        app.logger.info("deferred", extra=basic(2))
    assert app.handler.flush(10)
    events = [json.loads(message.value) for message in sink.messages]
    assert [event["meta"]["request_id"] for event in events] == ["r1", "r2"]
    assert all(event["dt"] <= event["meta"]["dt"] for event in events)


def test_what_fails_at_the_start_is_looked_up_again_without_any_event(
    options: dict[str, Any], server: SchemaServer, sink: MemorySink, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eplogging.listener._IDLE_PAUSE", 0.01)
    server.fail(BASIC)
    with application(sink=sink, schema_precache_uris=["/sample/basic/1.0.0"], **options) as app:

        def is_known() -> bool:
            try:
                return bool(app.handler._conformer.conform(basic(), cached_only=True))
            except UnavailableError:
                return False

        app.handler.start()
        wait_until(lambda: server.counts[BASIC] >= 3, "it is looked up thrice")
        assert not is_known()
        server.heal()
        wait_until(is_known, "it is looked up")
        assert app.stats.accepted == 0
        asked = len(server.requests)
        server.down()
        app.logger.info("first", extra=basic(1))
        assert app.handler.flush()
        assert (by_stream(sink), len(server.requests)) == ({"sample.basic": [1]}, asked)
    assert "schema_precache_uris could not be looked up" in app.reports.lines[0]


def test_a_flush_that_waits_for_a_look_up_holds_up_no_other_stream(
    options: dict[str, Any], server: SchemaServer, sink: MemorySink
) -> None:
    with application(sink=sink, queue_size=5, **options) as app:
        app.logger.info("known", extra=basic(0))
        assert app.handler.flush(10)
        server.fail(OTHER)
        app.logger.info("waits", extra=other(0))
        results: list[bool] = []
        flushing = threading.Thread(target=lambda: results.append(app.handler.flush(30)))
        flushing.start()
        wait_until(lambda: app.handler._listener._flushes, "the listener has the request")
        for number in range(1, 51):
            app.logger.info("flows", extra=basic(number))
            wait_until(lambda number=number: number in by_stream(sink)["sample.basic"], "it is sent")  # type: ignore[misc]
        assert results == [] and app.stats.pending == 1
        server.heal()
        flushing.join(10)
        assert results == [True]
    assert by_stream(sink) == {"sample.other": [0], "sample.basic": [*range(51)]}
    assert app.stats.dropped == {}
