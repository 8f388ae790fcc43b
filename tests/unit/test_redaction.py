"""What `redact_fields` names shows in no report and no error event, wherever it stands and however."""

from __future__ import annotations

import enum
import json
from collections import OrderedDict
from datetime import datetime
from typing import Any

import pytest

from eplogging.conformance import Message, SchemaURIError, ValidationError, Violation
from eplogging.errorevents import ErrorEvents, raw_event
from eplogging.redaction import SCHEMA, STREAM, Redaction
from eplogging.sinks import MemorySink
from tests.support.application import application, basic, keywords, page

SECRET = "hunter2"


class Field(str, enum.Enum):
    NAME = "name"


class Text(str):
    __slots__ = ()


REJECTED: dict[str, tuple[dict[str, Any], str]] = {
    "a key of an Enum of texts": (page(author={Field.NAME: SECRET}), "author.name"),
    "a key of a class of its own": (page(author={Text("name"): SECRET}, note=object()), "author.name"),
    "a key that is no text": (page(author={b"name": SECRET}), "author.name"),
    "a key that is no text, above": (page(author={b"deep": {"name": SECRET}}), "author.deep.name"),
    "a dict of a class of its own": (page(author=OrderedDict(name=SECRET), note=object()), "author.name"),
    "dt without a zone": (page(dt=datetime(2031, 7, 8)), "dt"),
    "meta.dt without a zone": (
        page() | {"meta": {"stream": "sample.page", "dt": datetime(2031, 7, 8)}},
        "meta.dt",
    ),
    "a bad stream": (basic(stream=SECRET + "/"), "meta.stream"),
    "an unknown stream": (basic(stream=SECRET), "meta.stream"),
    "a stream of another schema": (basic(stream="sample.page"), "meta.stream"),
    "all of meta": (basic(stream=SECRET), "meta"),
    "a bad schema URI": ({**basic(), "$schema": "/" + SECRET}, "$schema"),
    "an unknown schema": ({**basic(), "$schema": f"/{SECRET}/1.0.0"}, "$schema"),
    "a schema in a violation": (page(wiki=7), "$schema"),
    "a stream in a report": (page(wiki=7), "meta.stream"),
}


@pytest.mark.parametrize("state", ["cold", "warm"])
@pytest.mark.parametrize("name", REJECTED)
def test_it_shows_nowhere(name: str, state: str) -> None:
    event, field = REJECTED[name]
    sink = MemorySink()
    options = keywords(error_stream="sample.errors", redact_fields=[field])
    with application(sink=sink, **options) as app:
        if state == "warm":
            app.logger.info("x", extra=page())
            assert app.handler.flush()
        app.logger.info("x", extra={"event": event})
        assert app.handler.flush()
        [error] = [vars(record)["conformance_error"] for record in app.reports.records]
        shown = f"{app.reports.lines} {error} {error.violations} {error.schema_uri} {error.stream}"
    error_event = json.loads(sink.messages[-1].value)
    assert error_event["meta"]["stream"] == "sample.errors"
    for text in {"$schema": [SECRET, "/sample/page"], "meta.stream": [SECRET, "sample.page"]}.get(
        field, [SECRET, "2031"]
    ):
        assert text not in shown
        assert text not in json.dumps(error_event)
    assert "[redacted]" in error_event["raw_event"]


def test_other_texts_stay() -> None:
    error = ValidationError(
        "the event is not valid under its schema /a/1.0.0: /n: why (type)",
        schema_uri="/a/1.0.0",
        stream="s",
        violations=[Violation("/n", "type", "why")],
    )
    assert Redaction(["other", "meta.id", "meta.stream.x"]).error(error) is error
    redacted = Redaction(["$schema"]).error(error)
    assert str(redacted) == "the event is not valid under its schema [redacted]: /n: why (type)"
    assert (redacted.schema_uri, redacted.stream) == ("[redacted]", "s")
    assert str(error).count("/a/1.0.0") == 1 and error.schema_uri == "/a/1.0.0"


def test_what_is_about_a_redacted_name_is_not_told() -> None:
    error = SchemaURIError("$schema '/x' is no schema URI", schema_uri="/x")
    redacted = Redaction(["$schema"]).error(error)
    assert str(redacted) == "[redacted], since redact_fields names $schema"
    assert type(redacted) is SchemaURIError


def test_a_refused_message_too() -> None:
    redaction = Redaction(["meta.stream"])
    value = json.dumps(basic(1, stream=SECRET)).encode()
    made = ErrorEvents("errors", "/error/2.1.0", "me", redaction=redaction).of_message(
        Message("topic", None, value, 0, SECRET), "message_refused", "why"
    )
    assert SECRET not in json.dumps(made)
    assert made["errored_stream_name"] == "[redacted]"
    assert (redaction.shown(STREAM, ""), redaction.shown(SCHEMA, "/a/1.0.0")) == ("", "/a/1.0.0")


def test_without_fields_keys_that_are_no_texts_are_shown() -> None:
    assert "1: 2" in raw_event({"a": {1: 2}})
    assert raw_event({"a": {1: 2}, "b": 3}, redaction=Redaction(["c"])) == "{'a': [redacted], 'b': 3}"


def test_shared_parts_are_shown_within_bounds() -> None:
    inner: Any = "x"
    for _ in range(60):
        inner = [inner, inner]
    assert len(raw_event(basic(x=inner), 10_000)) <= 10_003
