"""Whatever is given to `conform` becomes a message whose bytes are valid, or one of our errors."""

from __future__ import annotations

import copy
import enum
import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timezone
from decimal import Decimal
from typing import Any
from unittest.mock import Mock
from uuid import UUID

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from eplogging.conformance import Conformer, Message, RejectedError, ValidationError
from eplogging.conformance.jsondata import plain, stringify
from tests.unit.conformance.world import REPOSITORY, STREAMS, both_validators, needs_fast, stand_still

URIS = [
    f"/test/{name}/1.0.0" for name in ("event", "strict", "defaults", "legacy", "referring", "broken", "none")
]
NAMES = ["test.event", "test.keyed", "test.key_object", "test.strict", "test.defaults", "test.legacy",
         "test.referring", "test.broken", "test.job.x", "test.unknown", "/"]  # fmt: skip
KEYS = ["$schema", "meta", "dt", "name", "number", "count", "code", "page", "page_id", "title", "namespace",
        "id", "tags", "size", "inner", "list", "stream", "other", "__class__", ""]  # fmt: skip
DATES = [
    "2020-01-01T00:00:00Z",
    "2020-02-30T00:00:00Z",
    "2016-12-31T23:59:60Z",
    "1960-01-01 00:00:00+0100",
    "x",
]


class Colour(enum.Enum):
    RED = "red"


class Text(str):
    __slots__ = ()


@dataclass
class Point:
    x: Any = 1


class Hostile:
    """Only `repr` may be asked for, which hypothesis needs."""

    def __str__(self) -> str:
        raise RuntimeError

    __iter__ = __eq__ = __bool__ = __len__ = __index__ = __str__  # type: ignore[assignment]
    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "Hostile()"


json_scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.sampled_from([2**53, 2**63 - 1, 2**63, -(2**63), 10**400, 1.0, -0.0, 1e21, 0.1, 5, 7])
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=5)
    | st.sampled_from(DATES)
)
other_scalars = st.sampled_from(
    [math.nan, math.inf, "\ud800", b"x", {1}, Decimal("1.5"), UUID(int=7), Colour.RED, Text("x"), Point(),
     Point, datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=timezone.utc),
     datetime.min.replace(tzinfo=timezone.utc), date(2020, 1, 1), Hostile(), Mock(spec=dict), object(),
     ValueError("x"), 1j]
)  # fmt: skip
keys = st.sampled_from(KEYS) | st.text(max_size=3)
odd_keys = keys | st.sampled_from([1, None, "\ud800", Text("name"), Colour.RED, (1,)])


def containers(inner: Any, names: Any) -> Any:
    return st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4)


json_like = st.recursive(json_scalars, lambda inner: containers(inner, keys), max_leaves=10)
anything = st.recursive(
    json_scalars | other_scalars,
    lambda inner: containers(inner, odd_keys) | st.tuples(inner, inner),
    max_leaves=10,
)


def pages(values: Any) -> Any:
    return st.fixed_dictionaries(
        {"page_id": st.integers(0, 9) | values}, optional={"title": st.text(max_size=3)}
    )


def events(values: Any) -> Any:
    """Events that are often valid, sometimes nearly, and in part anything."""
    meta = st.fixed_dictionaries(
        {"stream": st.sampled_from(NAMES)}, optional={"dt": st.sampled_from(DATES) | values, "id": values}
    )
    return st.fixed_dictionaries(
        {"$schema": st.sampled_from(URIS), "meta": meta},
        optional={"dt": st.sampled_from(DATES) | values, "name": st.text(max_size=5) | values,
                  "number": st.floats() | st.integers(), "count": st.integers(-1, 9) | values,
                  "page": pages(values), "other": values, "size": values, "inner": values,
                  "tags": st.dictionaries(keys, st.text(max_size=3), max_size=3)},
    )  # fmt: skip


def shape(value: Any) -> Any:
    """Everything in a value as it is now, without asking its objects anything."""
    kind = type(value)
    if issubclass(kind, dict):
        return kind, [(id(key), shape(inner)) for key, inner in value.items()]
    if issubclass(kind, (list, tuple)):
        return kind, [shape(inner) for inner in value]
    return kind, id(value)


@pytest.fixture(scope="module", autouse=True)
def _still() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        stand_still(patch)
        yield


WITHOUT_C = "without C"
CONFORMERS: dict[str | None, Conformer] = {}


def conform(validator: str | None, event: Any) -> Message | RejectedError:
    if validator not in CONFORMERS:
        CONFORMERS[validator] = Conformer(
            [REPOSITORY],
            STREAMS,
            schema_file_extension=".yaml",
            validator=None if validator == WITHOUT_C else validator,  # type: ignore[arg-type]
        )
        if validator == WITHOUT_C:
            CONFORMERS[validator].warm = None
    before = shape(event)
    try:
        return CONFORMERS[validator].conform(event)
    except RejectedError as error:
        str(error).encode()
        assert len(str(error)) < 8000
        return error
    finally:
        assert shape(event) == before


def check_bytes(message: Message) -> None:
    sent = json.loads(message.value, parse_constant=pytest.fail)
    schema = json.loads(
        json.dumps(yaml.safe_load((REPOSITORY / (sent["$schema"][1:] + ".yaml")).read_text()))
    )
    validator = jsonschema.Draft4Validator if "id" in schema else jsonschema.Draft7Validator
    if "referring" not in sent["$schema"]:
        validator(schema).validate(sent)
    assert sent["meta"]["stream"] == message.stream == message.topic
    assert stringify(sent) == message.value
    if message.key is not None:
        assert stringify(json.loads(message.key)) == message.key
    assert message.timestamp >= 0


quick = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))


@both_validators
@quick
@given(event=events(json_like) | json_like)
def test_json_like_events(validator: str, event: Any) -> None:
    before = copy.deepcopy(event)
    outcome = conform(validator, event)
    if isinstance(outcome, Message):
        check_bytes(outcome)
    assert event == before


@both_validators
@quick
@given(event=events(anything) | anything)
def test_events_of_anything(validator: str, event: Any) -> None:
    outcome = conform(validator, event)
    if isinstance(outcome, Message):
        check_bytes(outcome)


@needs_fast
@quick
@given(event=events(json_like) | events(anything))
def test_the_short_and_the_careful_way_come_to_the_same(event: Any) -> None:
    short, careful = conform(None, event), conform("jsonschema", event)
    python = conform(WITHOUT_C, event)
    if isinstance(careful, Message) or isinstance(short, Message):
        assert short == careful == python
    else:
        assert (type(short), str(short)) == (type(careful), str(careful))
        assert isinstance(short, ValidationError) is bool(short.violations)


@quick
@given(value=json_like)
def test_plain_is_a_copy_that_stays_as_it_is(value: Any) -> None:
    try:
        copied = plain(value)
    except RejectedError:
        return
    assert plain(copied) == copied
    text = stringify(copied)
    assert (
        stringify(json.loads(text)) == text
    )  # not through plain: 1e20 is written as an integer beyond 64 bits
