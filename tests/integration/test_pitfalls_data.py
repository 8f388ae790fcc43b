"""What happens to the data of an event and of its record on the way (P5, P9, P27 to P30)."""

from __future__ import annotations

import copy
import json
import logging
import threading
from typing import Any

import pytest

from eplogging.conformance import MessageKeyError, NotJSONError, RejectedError, ValidationError
from eplogging.sinks import MemorySink
from eplogging.testing import MockKafka
from tests.support.application import (
    SCHEMAS,
    STREAMS,
    Collected,
    application,
    basic,
    keywords,
    page,
    to_kafka,
)
from tests.support.schemaserver import API_PATH, SchemaServer


def nested() -> dict[str, Any]:
    """An event into whose every level something is filled: fields, and defaults at two depths."""
    return basic(1, options={}, items=[{}, {"kind": "own"}])


@pytest.mark.parametrize("way", ["extra", "event", "message"])
@pytest.mark.parametrize("state", ["cold", "warm"])
def test_the_caller_s_dicts_and_the_record_are_never_changed(way: str, state: str) -> None:
    """P5: fields and defaults are set in copies only."""
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        after = Collected()
        app.logger.addHandler(after)
        if state == "warm":
            app.logger.info("first", extra=basic())
            assert app.handler.flush()
        event = nested()
        given = copy.deepcopy(event)
        message, extra = {
            "extra": ("x", event),
            "event": ("x", {"event": event}),
            "message": (event, None),
        }[way]
        app.logger.info(message, extra=extra)
        assert app.handler.flush()
        assert event == given
        record = after.records[-1]
        attributes = vars(record)
        carried = {"extra": attributes, "event": attributes.get("event"), "message": record.msg}[way]
        assert isinstance(carried, dict)
        assert {name: carried[name] for name in given} == given
    sent = json.loads(sink.messages[-1].value)
    assert (sent["level"], sent["options"], sent["items"]) == (
        "info",
        {"depth": 1},
        [{"kind": "plain"}, {"kind": "own"}],
    )
    assert sent["dt"] and sent["meta"]["dt"] and sent["meta"]["id"]


@pytest.mark.parametrize("state", ["cold", "warm"])
def test_what_is_sent_is_what_was_logged(state: str) -> None:
    """P5: a change after the logging call, at any depth, changes nothing."""
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        if state == "warm":
            app.logger.info("first", extra=basic())
            assert app.handler.flush()
        event = nested()
        for number in range(100):
            event["number"], event["options"]["depth"], event["items"][0]["kind"] = (
                number,
                number,
                str(number),
            )
            app.logger.info("x", extra=event)
        event.clear()
        assert app.handler.flush()
    sent = [json.loads(message.value) for message in sink.messages][-100:]
    assert [(e["number"], e["options"]["depth"], e["items"][0]["kind"]) for e in sent] == [
        (n, n, str(n)) for n in range(100)
    ]


def test_feedback(kafka: MockKafka, schema_server: SchemaServer) -> None:
    """P9: with all at DEBUG on the root logger, look-ups and librdkafka make no event, and no flood."""
    schema_server.stream_configs = {"streams": json.loads(json.dumps(stream_configs()))}
    base = schema_server.mount("/schemas", SCHEMAS)
    static = {"$schema": "/sample/basic/1.0.0", "meta": {"stream": "sample.basic"}}
    options = keywords(**to_kafka(kafka, debug="all"))
    options |= {"schema_base_uris": [base], "stream_config_uri": schema_server.stream_config_uri}
    with application(root=True, **options) as app:
        logging.getLogger().setLevel(logging.DEBUG)
        logging.getLogger("eplogging.kafka").setLevel(logging.DEBUG)
        # With these every record of the process is an event, unless it is our own doing.
        from eplogging import EventFormatter

        app.handler.setFormatter(EventFormatter(static_fields=static))
        seen = Collected()
        logging.getLogger().addHandler(seen)
        for number in range(3):
            app.logger.info("an ordinary record %d", number)
        assert app.handler.flush(20)
        assert app.stats.accepted == app.stats.delivered == 3
        names = {record.name for record in seen.records}
        assert {"app", "eplogging.kafka", "urllib3.connectionpool"} <= names
    assert schema_server.counts[API_PATH] == 1
    assert len(kafka.consume("eqiad.sample.basic")) == 3


def stream_configs() -> Any:
    import yaml

    return yaml.safe_load(STREAMS.read_text())


def test_librdkafka_s_log_is_on_a_logger_of_its_own(
    kafka: MockKafka, capfd: pytest.CaptureFixture[str]
) -> None:
    """P9: not on stderr, where librdkafka writes by itself."""
    with application(**keywords(**to_kafka(kafka, debug="broker"))) as app:
        log = logging.getLogger("eplogging.kafka")
        log.setLevel(logging.DEBUG)
        collected = Collected()
        log.addHandler(collected)
        log.propagate = False
        app.logger.info("x", extra=basic())
        assert app.handler.flush()
        assert any("Connected" in line or "connect" in line for line in collected.lines)
    assert capfd.readouterr() == ("", "")


RESERVED = ["message", "name", "process", "args", "module", "thread", "asctime"]


@pytest.mark.parametrize("name", RESERVED)
def test_reserved_names_travel_in_whole_events(name: str) -> None:
    """P27: `logging` itself refuses them side by side; the two other ways carry them."""
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        event = basic(**{name: "own"})
        with pytest.raises(KeyError, match=name):
            app.logger.info("side by side", extra=event)
        app.logger.info("whole", extra={"event": event})
        app.logger.info(event)
        assert app.handler.flush()
    assert [json.loads(message.value)[name] for message in sink.messages] == ["own", "own"]


@pytest.mark.parametrize("value", [float("nan"), float("inf"), {1: "a"}, {None: 1}, [{2.5: 1}]])
@pytest.mark.parametrize("state", ["cold", "warm"])
def test_what_json_has_no_form_for_never_reaches_kafka(value: Any, state: str) -> None:
    """P28: json.dumps would write `NaN` and text keys, orjson `null`."""
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        if state == "warm":
            app.logger.info("first", extra=basic())
            assert app.handler.flush()
        app.logger.info("bad", extra=basic(extra=value))
        assert app.handler.flush()
        assert dict(app.stats.rejected) == {("not_json", "sample.basic"): 1}
        assert "/extra" in app.reports.lines[0]
    assert len(sink.messages) == (state == "warm")


def test_formats_are_judged_under_the_right_draft_and_nothing_is_fetched(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """P29, P30: a bad date-time is rejected, whatever extras are installed; validation opens no socket."""
    opened: list[object] = []
    monkeypatch.setattr("socket.socket.connect", lambda *arguments: opened.append(arguments))
    with application(sink=MemorySink(), on_rejected="raise", **keywords()) as app:
        for value in ("yesterday", "2024-01-01", "2024-01-01T00:00:00"):
            with pytest.raises(ValidationError) as caught:
                app.logger.info("bad", extra=basic(dt=value))
            assert [(one.path, one.keyword) for one in caught.value.violations] == [("/dt", "format")]
        app.logger.info("good", extra=basic(dt="2024-01-01T00:00:00Z"))
        assert app.handler.flush()
        assert app.stats.delivered == 1
    assert opened == []


def test_the_validator_is_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """P29: a schema is compiled for the first event, and for no other."""
    compiled: list[str] = []
    from eplogging.conformance import compiled as compiling

    original = compiling.compile_schema

    def counting(uri: str, *arguments: Any, **options: Any) -> Any:
        compiled.append(uri)
        return original(uri, *arguments, **options)

    monkeypatch.setattr(compiling, "compile_schema", counting)
    with application(sink=MemorySink(), **keywords()) as app:
        for number in range(200):
            app.logger.info("x", extra=basic(number))
        assert app.handler.flush()
        assert app.stats.delivered == 200
    assert compiled == ["/sample/basic/1.0.0"]


@pytest.mark.parametrize(
    ("event", "error"),
    [
        (page(page={"id": "7"}), ValidationError),
        (page(stream="sample.titled"), MessageKeyError),
        (basic(extra=float("nan")), NotJSONError),
        ({**basic(), "$schema": "/no/such/1.0.0"}, RejectedError),
    ],
)
def test_strict_mode_raises_in_the_caller_s_thread(event: dict[str, Any], error: type[Exception]) -> None:
    """Strict mode: the logging call itself fails, and look-ups are made in the caller's thread."""
    with application(sink=MemorySink(), on_rejected="raise", **keywords()) as app:
        with pytest.raises(error) as caught:
            app.logger.info("bad", extra=event)
        assert isinstance(caught.value, RejectedError)
        assert [thread for thread in threading.enumerate() if thread.name.startswith("eplogging")] == []
        app.logger.info("good", extra=basic())
        assert app.handler.flush()
        assert (app.stats.delivered, sum(app.stats.rejected.values())) == (1, 1)
        assert app.reports.lines == []
