"""What streams, messages and lines may be made of (rows E12 to E17)."""

from __future__ import annotations

import copy
import io
import json
import logging
import time
from typing import Any

import pytest

from eplogging import EventFormatter
from eplogging.conformance import Conformer, StreamNameError, StreamNotFoundError
from eplogging.metrics import MAX_NAME, MAX_STREAMS, OTHER_STREAMS, Counters
from eplogging.sinks import MemorySink
from eplogging.testing import MockKafka
from tests.support.application import application, basic, keywords, to_kafka

HOSTILE_STREAMS = {
    **{"slash": "a/b", "up": "../x", "empty": "", "300 characters": "x" * 300, "no ASCII": "t\u00e9st"},
    **{
        "newline": "sample.basic\n",
        "NUL": "sample.basic\0",
        "fullwidth": "\uff53ample.basic",
        "space": "a b",
    },
}
UNKNOWN_STREAMS = [
    "_",
    "__consumer_offsets",
    "sample.basic.",
    "Sample.basic",
    "eqiad.sample.basic",
    ".",
    "..",
]


@pytest.mark.parametrize("name", [*HOSTILE_STREAMS, *UNKNOWN_STREAMS])
def test_e12_only_configured_streams_are_sent_to(name: str, kafka: MockKafka) -> None:
    stream = HOSTILE_STREAMS.get(name, name)
    with application(**keywords(**to_kafka(kafka))) as app:
        app.logger.info("x", extra=basic(stream=stream))
        assert app.handler.flush()
        reason = "stream_name_invalid" if name in HOSTILE_STREAMS else "stream_not_found"
        assert dict(app.stats.rejected) == {(reason, stream[:MAX_NAME]): 1}
    assert kafka.topics() == {}


def test_e12_ten_thousand_streams_make_no_topic_and_few_counters() -> None:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        logging.getLogger("eplogging").setLevel(logging.CRITICAL)
        for number in range(10_000):
            app.logger.info("x", extra=basic(stream=f"hostile.{number}"))
        assert app.handler.flush(30)
        rejected = app.stats.rejected
        assert sum(rejected.values()) == 10_000
        assert len(rejected) == MAX_STREAMS + 1
        assert rejected["stream_not_found", OTHER_STREAMS] == 10_000 - MAX_STREAMS
    assert sink.messages == []


def test_e12_names_in_metrics_are_short() -> None:
    counters = Counters()
    for number in range(3):
        counters.reject("stream_name_invalid", "x" * 1_000_000 + str(number))
    counters.drop("queue_full", "y" * 1_000_000)
    assert dict(counters.snapshot().rejected) == {("stream_name_invalid", "x" * MAX_NAME): 3}
    assert dict(counters.snapshot().dropped) == {("queue_full", "y" * MAX_NAME): 1}


FORMATS = ["%s %d %(password)s %n", "%(message)s", "%" * 100, "%1000000000d", "{0.__class__}", "${x}"]


@pytest.mark.parametrize("text", FORMATS)
@pytest.mark.parametrize("args", [(), ({"$schema": "/x/1.0.0", "password": "p"},), (1, 2, 3)])
def test_e13_nothing_is_formatted_by_what_a_user_wrote(text: str, args: tuple[Any, ...]) -> None:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        app.logger.info(text, *args, extra=basic(text=text))
        assert app.handler.flush()
        assert app.stats.delivered == 1
    [message] = sink.messages
    assert json.loads(message.value)["text"] == text


def test_e13_as_a_message_field_it_is_formatted_as_logging_does_or_lost_alone() -> None:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        app.handler.setFormatter(EventFormatter("%(message)s", rename_fields={"message": "text"}))
        app.logger.info("100%", extra=basic(1))
        app.logger.info("%d", "no number", extra=basic(2))
        app.logger.info("fine", extra=basic(3))
        assert app.handler.flush()
    sent = {event["number"]: event["text"] for event in map(json.loads, (m.value for m in sink.messages))}
    assert (sent[1], sent[3]) == ("100%", "fine")


ESCAPES = {
    "line feed": "\n",
    "carriage return": "\r",
    "ANSI": "\x1b[2J\x1b[31m",
    "C1 CSI": "\x9b31m",
    "NEL": "\x85",
    "line separator": "\u2028",
    "paragraph separator": "\u2029",
    "right to left": "\u202e",
    "isolate": "\u2066",
    "bell, backspace, delete": "\a\b\x7f",
}


@pytest.mark.parametrize("name", ESCAPES)
def test_e14_lines_show_no_control_characters(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    escape = ESCAPES[name]
    errors = io.StringIO()
    monkeypatch.setattr("sys.stderr", errors)
    forged = f"{escape}CRITICAL forged line"
    with application(sink=MemorySink(), **keywords()) as app:
        logging.getLogger("eplogging").addHandler(_Raising())
        for event in (
            basic(number=forged),
            basic(x={forged: float("nan")}),
            basic(stream=f"a{forged}"),
            {**basic(), "$schema": f"/a{forged}/1.0.0"},
        ):
            app.logger.info("x", extra=event)
        assert app.handler.flush()
        assert len(app.reports.lines) == 4
        assert all(line.isprintable() for line in app.reports.lines), app.reports.lines
    fallback = errors.getvalue()
    assert fallback.count("was raised when this was reported") == 4
    assert not any(character in fallback.replace("\n", "") for character in escape.replace("[2J", "")[:1])
    assert "\nCRITICAL" not in fallback


class _Raising(logging.Handler):
    """Makes reports fall back to stderr."""

    def handle(self, _record: logging.LogRecord) -> Any:
        raise RuntimeError("no")


INSTANTS = {
    "year 9999": ("9999-12-31T23:59:59Z", False),
    "a day ahead": (lambda now: now + 86_400_000, False),
    "61 minutes ahead": (lambda now: now + 61 * 60_000, False),
    "59 minutes ahead": (lambda now: now + 59 * 60_000, True),
    "yesterday": (lambda now: now - 86_400_000, True),
    "1970": ("1970-01-01T00:00:00Z", True),
    "1969": ("1969-12-31T23:59:59Z", False),
    "year 1": ("0001-01-01T00:00:00Z", False),
    "leap second": ("2016-12-31T23:59:60Z", True),
}


@pytest.mark.parametrize("name", INSTANTS)
@pytest.mark.parametrize("field", ["meta.dt", "dt"])
def test_e15_the_message_timestamp_is_within_a_window(name: str, field: str) -> None:
    from eplogging.conformance import instants

    given, kept = INSTANTS[name]
    now = int(time.time() * 1000)
    text = instants.isoformat(given(now)) if callable(given) else given
    conformer = Conformer(**keywords(dt_field=field))
    event = basic()
    (event["meta"] if field == "meta.dt" else event)["dt"] = text
    message = conformer.conform(event)
    sent = json.loads(message.value)
    assert (sent["meta"] if field == "meta.dt" else sent)["dt"] == text  # the event says what it said
    assert message.timestamp == instants.parse(text) if kept else abs(message.timestamp - now) < 60_000


@pytest.mark.parametrize("text", ["-0001-01-01T00:00:00Z", "0000-01-01T00:00:00Z", "10000-01-01T00:00:00Z"])
def test_e15_instants_that_no_one_can_read_are_refused(text: str) -> None:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        app.logger.info("x", extra={**basic(), "dt": text})
        assert app.handler.flush()
        assert dict(app.stats.rejected) == {("schema_violation", "sample.basic"): 1}


def test_e15_a_duplicate_id_is_kept() -> None:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        for _ in range(2):
            event = basic()
            event["meta"]["id"] = "11111111-2222-4333-8444-555555555555"
            app.logger.info("x", extra=event)
        assert app.handler.flush()
    assert len({json.loads(message.value)["meta"]["id"] for message in sink.messages}) == 1
    assert len(sink.messages) == 2


@pytest.mark.parametrize("state", ["cold", "warm"])
def test_e16_what_is_sent_is_the_event_as_it_was(state: str) -> None:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        if state == "warm":
            app.logger.info("x", extra=basic(0))
            assert app.handler.flush()
            sink.messages.clear()
        event = basic(1, options={"depth": 1}, items=[{"kind": "a"}])
        before = copy.deepcopy(event)
        app.logger.info("x", extra=event)
        assert event == before
        event["number"] = "changed"
        event["options"]["depth"] = "changed"
        event["items"].clear()
        event["meta"]["stream"] = "changed"
        assert app.handler.flush()
    sent = json.loads(sink.messages[-1].value)
    assert (sent["number"], sent["options"], sent["items"]) == (1, {"depth": 1}, [{"kind": "a"}])


E17_STREAMS = {
    "/^mediawiki.edit(\\..+)?/": {"schema_title": "sample/basic"},
    "/^x(a|b)*(c|d)*$/": {"schema_title": "sample/basic"},
    "sample.basic": {"schema_title": "sample/basic"},
}


@pytest.mark.parametrize("stream", ["mediawiki.edit", "mediawiki.edit.x", "mediawiki.editor"])
def test_e17_regex_streams_match_as_they_are_written(stream: str) -> None:
    conformer = Conformer(**keywords(stream_config_uri=E17_STREAMS))
    assert conformer.conform(basic(stream=stream)).topic == f"eqiad.{stream}"


@pytest.mark.parametrize("stream", ["x" + "ab" * 124, "mediawiki.edit." + "." * 230, "xa" + "c" * 247])
def test_e17_a_long_name_costs_little(stream: str) -> None:
    conformer = Conformer(**keywords(stream_config_uri=E17_STREAMS, topic_prefix=None))
    before = time.process_time()
    conformer.conform(basic(stream=stream))
    assert time.process_time() - before < 0.5
    with pytest.raises(StreamNameError):
        conformer.conform(basic(stream=stream + "x" * 250))


def test_e17_a_regex_that_could_take_for_ever_costs_its_own_stream_only(
    schema_server: Any, caplog: pytest.LogCaptureFixture
) -> None:
    hostile = {"/^(a+)+$/": {"schema_title": "sample/basic"}, "/^(/": {"schema_title": "sample/basic"}}
    schema_server.stream_configs = {"streams": {**hostile, **E17_STREAMS}}
    conformer = Conformer(**keywords(stream_config_uri=schema_server.stream_config_uri))
    before = time.process_time()
    with pytest.raises(StreamNotFoundError):
        conformer.conform(basic(stream="a" * 248 + "_"))
    assert time.process_time() - before < 1
    assert conformer.conform(basic()).topic == "eqiad.sample.basic"
    assert "exponential time" in caplog.text and "no valid regex" in caplog.text
