"""The fields that are set where an event lacks them: where a schema has them, and never over others.

The plain cases are rows of the vectors; here is what JSON can not write down.
"""

from __future__ import annotations

import copy
import json
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import Conformer, NotJSONError, ValidationError, fields, instants
from eplogging.conformance.fields import FieldRules, fill, impossible_instants
from tests.unit.conformance.world import both_validators, event, write

ALL = FieldRules(dt=True, meta_dt=True, meta_id=True, declares=lambda path: True)
NONE = FieldRules(dt=False, meta_dt=False, meta_id=False, declares=lambda path: False)
CEST = timezone(timedelta(hours=2))


class Raising(tzinfo):
    """A time zone of somebody else's."""

    def utcoffset(self, _: datetime | None) -> timedelta:
        raise RuntimeError("no offset today")


def test_ids_are_random_uuids_and_unique() -> None:
    with ThreadPoolExecutor(8) as pool:
        ids = [
            new
            for batch in pool.map(lambda _: [fields.new_id() for _ in range(5000)], range(8))
            for new in batch
        ]
    assert len(set(ids)) == 40_000
    for text in ids[:2000]:
        parsed = uuid.UUID(text)
        assert (str(parsed), parsed.version, parsed.variant) == (text, 4, uuid.RFC_4122)
    assert {text[19] for text in ids} == set("89ab")
    assert all(len({text[place] for text in ids}) == 16 for place in (0, 7, 9, 15, 20, 35))


@pytest.mark.parametrize("rules", [ALL, NONE])
def test_nothing_of_the_callers_is_changed(rules: FieldRules) -> None:
    given = event(page={"page_id": 1}, dt=datetime(2020, 1, 1, tzinfo=timezone.utc))
    before = copy.deepcopy(given)
    bound = {"page": {"title": "t"}, "meta": {"request_id": "r"}}
    bound_before = copy.deepcopy(bound)
    filled = fill(given, rules, None, bound).event
    assert (given, bound) == (before, bound_before)
    assert filled is not given
    assert filled["meta"] is not given["meta"]
    assert ("request_id" in filled["meta"]) is (rules is ALL)


@both_validators
@pytest.mark.parametrize(
    ("instant", "text"),
    [
        (datetime(2020, 1, 1, tzinfo=timezone.utc), "2020-01-01T00:00:00.000Z"),
        (datetime(2020, 1, 1, 2, 0, 0, 123999, tzinfo=CEST), "2020-01-01T00:00:00.123Z"),
        (datetime(1, 1, 1, tzinfo=timezone.utc), "0001-01-01T00:00:00.000Z"),
        (datetime.max.replace(tzinfo=timezone.utc), "9999-12-31T23:59:59.999Z"),
    ],
)
def test_a_datetime_becomes_utc_with_milliseconds(
    validator: str, instant: datetime, text: str, make: Callable[..., Conformer]
) -> None:
    given = event(dt=instant)
    given["meta"]["dt"] = instant
    message = make(validator=validator).conform(given)
    sent = json.loads(message.value)
    assert (sent["dt"], sent["meta"]["dt"]) == (text, text)
    if 1970 < instant.year < 9999:  # Kafka gets no other instant
        assert message.timestamp == instants.parse(text)
    assert given["dt"] is instant


@both_validators
@pytest.mark.parametrize("place", ["/dt", "/meta/dt"])
@pytest.mark.parametrize(
    ("instant", "says"),
    [
        (datetime(2020, 1, 1), "has no time zone"),
        (datetime.max.replace(tzinfo=timezone(-timedelta(hours=1))), "out of range"),
        (datetime.min.replace(tzinfo=CEST), "out of range"),
        (datetime(2020, 1, 1, tzinfo=Raising()), "no offset today"),
    ],
)
def test_a_datetime_that_is_no_instant(
    validator: str, place: str, instant: datetime, says: str, make: Callable[..., Conformer]
) -> None:
    given = event()
    (given["meta"] if place == "/meta/dt" else given)["dt"] = instant
    with pytest.raises(NotJSONError) as caught:
        make(validator=validator).conform(given)
    assert str(caught.value).startswith(place + ": ")
    assert says in str(caught.value)
    assert (caught.value.schema_uri, caught.value.stream) == ("/test/event/1.0.0", "test.event")


@both_validators
@pytest.mark.parametrize("value", [date(2020, 1, 1), 1577836800, 1577836800.5, True, ["2020"]])
def test_a_dt_of_another_type_breaks_the_schema(
    validator: str, value: object, make: Callable[..., Conformer]
) -> None:
    with pytest.raises(ValidationError) as caught:
        make(validator=validator).conform(event(dt=value))
    assert [found.path for found in caught.value.violations] == ["/dt"]


@pytest.mark.parametrize(
    ("schema", "expected"),
    [
        ({}, {"dt", "meta.id", "meta.dt"}),
        ({"properties": {"dt": {"type": "string"}}}, {"dt", "meta.id", "meta.dt"}),
        ({"properties": {"dt": {"type": ["null", "string"]}}}, {"dt", "meta.id", "meta.dt"}),
        ({"properties": {"dt": {"type": "integer"}}}, {"meta.id", "meta.dt"}),
        ({"properties": {"dt": False}}, {"meta.id", "meta.dt"}),
        ({"properties": {"$schema": {}, "meta": {}}, "additionalProperties": False}, {"meta.id", "meta.dt"}),
        ({"properties": {"meta": {"additionalProperties": False, "properties": {"stream": {}}}}}, {"dt"}),
        ({"properties": {"meta": {"additionalProperties": {"type": "string"}}}},
         {"dt", "meta.id", "meta.dt"}),
        ({"properties": {"meta": {"properties": {"id": {"type": "integer"}}}}}, {"dt", "meta.dt"}),
        ({"allOf": [{"properties": {"dt": {"type": "integer"}}}]}, {"meta.id", "meta.dt"}),
    ],
)  # fmt: skip
def test_a_field_is_set_only_where_the_schema_allows_it(
    schema: Any, expected: set[str], tmp_path: Path
) -> None:
    write(tmp_path, "/test/event/1.0.0", {"title": "test/event", **schema})
    message = Conformer([tmp_path], {"test.event": {"schema_title": "test/event"}}).conform(event())
    sent = json.loads(message.value)
    found = {name for name in ("dt",) if name in sent} | {f"meta.{name}" for name in sent["meta"]} - {
        "meta.stream"
    }
    assert found == expected


def test_a_schema_that_wants_no_text_in_meta_dt_still_has_a_timestamp(tmp_path: Path, still: None) -> None:
    write(
        tmp_path,
        "/x/1.0.0",
        {"title": "x", "properties": {"meta": {"properties": {"dt": {"type": "integer"}}}}},
    )
    conformer = Conformer([tmp_path], {"x": {"schema_title": "x"}})
    given = event("/x/1.0.0", "x")
    assert conformer.conform(given).timestamp == 1_600_000_000_123
    given["meta"]["dt"] = 5
    assert conformer.conform(given).timestamp == 1_600_000_000_123


@pytest.mark.parametrize(
    ("given", "paths"),
    [
        ({}, []),
        ({"dt": "2020-01-01T00:00:00Z", "meta": {"dt": "2016-12-31T23:59:60Z"}}, []),
        ({"dt": "x", "meta": {"dt": "2020-02-30T00:00:00Z"}}, ["/dt", "/meta/dt"]),
        ({"dt": 1, "meta": {"dt": None}}, []),
        ({"dt": "x", "meta": []}, ["/dt"]),
        ({"meta": "x"}, []),
    ],
)
def test_impossible_instants(given: dict[str, Any], paths: list[str]) -> None:
    found = impossible_instants(given)
    assert [violation.path for violation in found] == paths
    assert {violation.keyword for violation in found} <= {"format"}


def test_event_time_may_be_a_datetime(make: Callable[..., Conformer]) -> None:
    message = make().conform(event(), event_time=datetime(2020, 1, 1, 2, tzinfo=CEST))
    assert json.loads(message.value)["dt"] == "2020-01-01T00:00:00.000Z"
