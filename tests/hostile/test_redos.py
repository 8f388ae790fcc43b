"""Patterns on which Python's engine would run for ever, and events with more violations than anyone reads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

from eplogging.conformance.backtracking import may_explode
from eplogging.conformance.compiled import CompiledSchema, compile_schema
from eplogging.conformance.errors import SchemaError
from eplogging.conformance.patterns import matcher
from tests.unit.conformance.world import both_validators


@contextmanager
def soon(seconds: float) -> Iterator[None]:
    before = time.process_time()
    yield
    assert time.process_time() - before < seconds


def compiled(schema: dict[str, Any], validator: Any = None) -> CompiledSchema:
    return compile_schema("/a/1.0.0", {"title": "t", **schema}, dict, implementation=validator)


@pytest.mark.parametrize(
    "pattern",
    ["^" + "a?" * 30 + "a" * 30 + "$", "^" + "(?:a|aa)" * 30 + "$", "a*a*a*b", ".*.*.*x", "^a*a*a*a*b$"],
)
def test_c1_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    with soon(0.5):
        assert may_explode(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"^[^/]+$",
        r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)$",
        r"^(red|green|blue|black|white|grey|pink|brown|violet|yellow|orange|purple|cyan|teal|lime|navy)$",
        r"^a*a*a*b$",
        r"^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$",
    ],
)
def test_c1_an_ordinary_pattern_is_not(pattern: str) -> None:
    assert not may_explode(pattern)


@pytest.mark.skipif(find_spec("jsonschema_rs") is None, reason="needs the extra fast")
def test_c1_with_fast_no_pattern_reaches_pythons_engine() -> None:
    """Not by names of digits in an event, nor by `patternProperties` with a default."""
    with soon(0.5):
        assert not matcher("^(a+)+$")("a" * 60 + "!")


@both_validators
def test_c1_counted_repetitions_are_bounded_for_the_whole_schema(validator: Any) -> None:
    properties = {f"p{n}": {"pattern": f"[^ab]{{{2000 + n}}}", "maxLength": 100} for n in range(60)}
    with soon(0.5), pytest.raises(SchemaError, match="count to more than 70,000"):
        compiled({"properties": properties}, validator)


@both_validators
def test_e10_an_event_with_very_many_violations_is_judged_soon(validator: Any) -> None:
    schema = compiled({"properties": {"x": {"items": {"type": "string"}}}}, validator)
    with soon(1.0):
        violations = schema.violations({"x": [1] * 200_000})
    assert 1 <= len(violations) <= 50
    assert (violations[0].path, violations[0].keyword) == ("/x/0", "type")


@both_validators
def test_e10_branches_count(validator: Any) -> None:
    options = [{"enum": [f"{n}"]} for n in range(400)]
    schema = compiled({"properties": {"x": {"items": {"anyOf": options}}}}, validator)
    with soon(4.0):
        violations = schema.violations({"x": [1] * 1000})
    assert violations[0].keyword == "anyOf"


@both_validators
def test_a_large_enum_is_compared_with_once_worked_out(validator: Any) -> None:
    schema = compiled({"properties": {"x": {"items": {"enum": list(range(20_000))}}}}, validator)
    with soon(1.0):
        assert schema.is_valid({"x": list(range(5_000))})
        assert not schema.is_valid({"x": [True]})
