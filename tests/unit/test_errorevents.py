"""An error event must be made of anything whatever, and call no method of what was logged."""

from __future__ import annotations

import json
from typing import Any

import pytest

from eplogging.conformance import NotJSONError, ValidationError
from eplogging.errorevents import MAX_RAW_EVENT, ErrorEvents, raw_event
from eplogging.reports import MAX_TEXT
from tests.support.application import basic


class Hostile:
    """Fails whoever touches it."""

    def __repr__(self) -> str:
        raise AssertionError("called")

    __str__ = __iter__ = __len__ = __hash__ = __eq__ = __repr__  # type: ignore[assignment]


def test_an_error_event() -> None:
    errors = ErrorEvents("errors", "/error/2.1.0", "me")
    event = basic(1)
    made = errors.make(event, ValidationError("why", schema_uri="/sample/basic/1.0.0", stream="sample.basic"))
    assert json.loads(made.pop("raw_event")) == event
    assert made == {
        "$schema": "/error/2.1.0",
        "meta": {"stream": "errors"},
        "emitter_id": "me",
        "error_type": "ValidationError",
        "errored_schema_uri": "/sample/basic/1.0.0",
        "errored_stream_name": "sample.basic",
        "message": "why",
    }


def test_it_holds_only_texts_that_can_be_sent() -> None:
    event: dict[str, Any] = {"$schema": "\ud800" * 5000, "meta": {"stream": "\udfff" * 5000}}
    made = ErrorEvents("errors", "/error/2.1.0", "me").make(event, NotJSONError("\ud800" * 5000))
    for name in ("errored_schema_uri", "errored_stream_name", "message", "raw_event"):
        assert made[name].encode()
        assert len(made[name]) <= MAX_RAW_EVENT + 3
    assert len(made["message"]) <= MAX_TEXT


def circular() -> dict[str, Any]:
    event = basic()
    event["itself"] = event
    return event


@pytest.mark.parametrize(
    ("event", "shown"),
    [
        (basic(extra=Hostile()), "<Hostile>"),
        (basic(extra={1: Hostile()}), "1: <Hostile>"),
        (basic(extra=float("nan")), "nan"),
        (basic(extra=10**20_000), "<int>"),
        (basic(extra=["\ud800", (1, None, b"x")]), "'\\ud800'"),
        (circular(), "..."),
    ],
)
def test_what_json_has_no_form_for_is_shown(event: dict[str, Any], shown: str) -> None:
    raw = raw_event(event)
    assert shown in raw and "/sample/basic/1.0.0" in raw
    assert raw.encode()


def test_it_is_bounded_by_the_size_of_messages() -> None:
    assert len(raw_event(basic(text="x" * 10**6))) == MAX_RAW_EVENT + 3
    made = ErrorEvents("errors", "/error/2.1.0", "me", 5000).make(
        basic(text="x" * 10**6), NotJSONError("why")
    )
    assert len(made["raw_event"]) == 1003
