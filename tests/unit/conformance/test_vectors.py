"""The table of vectors: an event goes in, a message or the reason of an error comes out, byte for byte."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from typing import Any

import pytest

from eplogging import conformance
from eplogging.conformance import ConformanceError, Conformer
from tests.unit.conformance.world import STREAMS, VECTORS, both_validators

pytestmark = [both_validators, pytest.mark.usefixtures("still")]


def table(*names: str) -> pytest.MarkDecorator:
    rows = [row for name in names for row in json.loads((VECTORS / f"{name}.json").read_text("utf-8"))]
    return pytest.mark.parametrize("row", [pytest.param(row, id=row["name"]) for row in rows])


@table("accepted", "topics")
def test_an_event_becomes_this_message(row: Any, validator: str, make: Callable[..., Conformer]) -> None:
    conformer = make(validator=validator, **row.get("options", {}))
    event = copy.deepcopy(row["event"])

    message = conformer.conform(event, event_time=row.get("event_time"), bound=row.get("bound"))

    assert {
        "topic": message.topic,
        "key": None if message.key is None else message.key.decode(),
        "value": message.value.decode(),
        "timestamp": message.timestamp,
    } == row["message"]
    assert message.stream == event["meta"]["stream"]
    assert message.size == len(message.value) + len(message.key or b"")
    assert event == row["event"]
    assert conformer.conform(event, cached_only=True).topic == message.topic


@table("rejected")
def test_an_event_is_rejected_for_this_reason(
    row: Any, validator: str, make: Callable[..., Conformer]
) -> None:
    conformer = make(validator=validator, **row.get("options", {}))
    event = row["event"]

    with pytest.raises(ConformanceError) as caught:
        conformer.conform(event)

    error = caught.value
    assert type(error) is getattr(conformance, row["error"])
    assert error.reason == row["reason"]
    assert [text for text in row["says"] if text not in str(error)] == []
    assert [[found.path, found.keyword] for found in error.violations] == row.get("violations", [])
    if isinstance(event, dict):
        named = event.get("$schema")
        assert error.schema_uri == (named if isinstance(named, str) and named else None)


def test_a_rejected_event_leaves_the_next_one_alone(validator: str, make: Callable[..., Conformer]) -> None:
    conformer = make(validator=validator)
    for row in json.loads((VECTORS / "rejected.json").read_text("utf-8")):
        if "options" not in row:
            with pytest.raises(ConformanceError):
                conformer.conform(row["event"])
            assert conformer.conform({"$schema": "/test/event/1.0.0", "meta": {"stream": "test.event"}})


def test_the_stream_configs_are_all_used(validator: str) -> None:
    tables = "".join(
        (VECTORS / f"{name}.json").read_text("utf-8") for name in ("accepted", "topics", "rejected")
    )
    declared = [line.split(":")[0] for line in STREAMS.read_text("utf-8").splitlines()]
    assert [name for name in declared if name.startswith("test.") and f'"{name}"' not in tables] == []
