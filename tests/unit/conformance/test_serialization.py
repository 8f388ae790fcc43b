"""The short way to an event's bytes: what it vouches for is written as the careful way writes it."""

from __future__ import annotations

import enum
import json
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from uuid import UUID

import pytest

from eplogging.conformance import Conformer, NotJSONError, jsondata
from eplogging.conformance.jsondata import MAX_DEPTH, plain, stringify
from eplogging.conformance.resources import Reader
from eplogging.conformance.schemas import Schemas
from eplogging.conformance.serialization import fast_writer
from tests.unit.conformance.world import REPOSITORY, VECTORS, event, needs_fast

TABLE = json.loads((VECTORS / "stringify.json").read_text("utf-8"))


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    __slots__ = ()


def nested(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": value}
    return value


@pytest.fixture(scope="module")
def vouches() -> Callable[[Any], bool]:
    """Whether an event with this value in an open place goes the short way."""
    schemas = Schemas([REPOSITORY], Reader(), file_extension=".yaml", implementation="jsonschema-rs")
    compiled = schemas.get("/test/event/1.0.0").compiled
    assert compiled.vouches is not None
    judge = compiled.vouches

    def vouches(value: Any) -> bool:
        try:
            fast_writer(event(other=value))
            return judge(event(other=value))
        except (TypeError, ValueError):
            return False

    return vouches


@needs_fast
@pytest.mark.parametrize("row", TABLE, ids=[ascii(row["text"])[:40] for row in TABLE])
def test_the_short_way_writes_what_the_careful_way_does(
    row: dict[str, str], vouches: Callable[[Any], bool]
) -> None:
    value = json.loads(row["text"])
    if vouches(value):
        assert fast_writer(event(other=value)) == stringify(plain(event(other=value)))
    else:
        assert any(mark in row["text"] for mark in ".eE")  # only floats are left to the careful way


@needs_fast
@pytest.mark.parametrize("value", [2**63 - 1, -(2**63), "", {}, [], None, True, nested(7), (1, "x")])
def test_what_takes_the_short_way(value: Any, vouches: Callable[[Any], bool]) -> None:
    assert vouches(value)


@needs_fast
@pytest.mark.parametrize(
    "value",
    [1.0, 0.5, 1e300, float("nan"), float("inf"), 2**63, -(2**63) - 1, 2**64, 10**400, nested(MAX_DEPTH),
     [nested(MAX_DEPTH - 1)], b"x", {1}, object(), datetime(2020, 1, 1, tzinfo=timezone.utc), UUID(int=1),
     {1: 2}, {Text("a"): 1}, "\ud800", {"\ud800": 1}],
    ids=lambda value: ascii(value)[:30],
)  # fmt: skip
def test_what_does_not(value: Any, vouches: Callable[[Any], bool]) -> None:
    assert not vouches(value)
    assert not vouches([{"deeper": value}])


@needs_fast
@pytest.mark.parametrize(
    "value", [Colour.RED, Text("x"), {"k": Colour.RED}, (1, (2,)), True, 1.0, "\u2028", "\x7f"]
)
def test_values_that_orjson_converts_itself(value: Any, make: Callable[..., Conformer], still: None) -> None:
    assert make().conform(event(x=value)) == make(validator="jsonschema").conform(event(x=value))


@needs_fast
def test_a_plain_event_takes_the_short_way(
    make: Callable[..., Conformer], monkeypatch: pytest.MonkeyPatch
) -> None:
    conformer = make()
    assert conformer.conforms_fast
    monkeypatch.setattr(jsondata, "plain", None)
    assert conformer.conform(event(name="x", page={"page_id": 1})).value
    with pytest.raises(TypeError):
        conformer.conform(event(number=1.5))


def test_the_slow_validator_always_takes_the_careful_way(
    make: Callable[..., Conformer], monkeypatch: pytest.MonkeyPatch
) -> None:
    conformer = make(validator="jsonschema")
    assert not conformer.conforms_fast
    monkeypatch.setattr("eplogging.conformance.conformer.fast_writer", None)
    assert json.loads(conformer.conform(event(name="x")).value)["name"] == "x"


@pytest.mark.parametrize("validator", [None, "jsonschema"])
def test_depth_is_bounded_in_both_ways(validator: str | None, make: Callable[..., Conformer]) -> None:
    conformer = make(validator=validator)
    assert conformer.conform(event(x=nested(MAX_DEPTH - 1)))
    for levels in (MAX_DEPTH, 1000, 300_000):
        with pytest.raises(NotJSONError, match="more than 64 levels deep"):
            conformer.conform(event(x=nested(levels)))
    with pytest.raises(NotJSONError, match="/name is nan"):
        conformer.conform(event(name=float("nan")))
