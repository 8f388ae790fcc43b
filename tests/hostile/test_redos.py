"""Patterns on which Python's engine would run for ever, and events with more violations than anyone reads."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import pytest

from eplogging.conformance.backtracking import cost_of
from eplogging.conformance.compiled import CompiledSchema, compile_schema
from eplogging.conformance.errors import InsecureSchemaError, SchemaError
from eplogging.conformance.formats import is_regex
from eplogging.conformance.patterns import MAX_TRANSLATED, bounded_searcher, check, matcher, translate
from eplogging.conformance.weighing import is_light
from tests.unit.conformance.world import both_validators


@contextmanager
def soon(seconds: float) -> Iterator[None]:
    before = time.process_time()
    yield
    assert time.process_time() - before < 4 * seconds, "even on a busy machine"


def compiled(schema: dict[str, Any], validator: Any = None) -> CompiledSchema:
    return compile_schema("/a/1.0.0", {"title": "t", **schema}, dict, implementation=validator)


@pytest.mark.parametrize(
    "pattern",
    ["^" + "a?" * 30 + "a" * 30 + "$", "^" + "(?:a|aa)" * 30 + "$", "a*a*a*b", ".*.*.*x", "^a*a*a*a*b$"],
)
def test_c1_a_pattern_that_could_take_long_is_refused(pattern: str) -> None:
    with soon(0.5):
        assert cost_of(pattern) is None


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
    assert cost_of(pattern) is not None


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


def nested_look_aheads(depth: int) -> str:
    """Each level adds a power of the text's length."""
    return "a*b" if depth == 0 else f"(?:a(?={nested_look_aheads(depth - 1)}))*b"


@pytest.mark.parametrize("depth", [1, 2])
def test_c2_look_aheads_one_inside_another_count(depth: int) -> None:
    cost = cost_of(f"^{nested_look_aheads(depth)}$")
    assert cost is not None and cost.power == depth + 1
    assert cost_of(f"^{nested_look_aheads(3)}$") is None
    assert cost_of(r"^(?=.*[A-Z])(?=.*[a-z])(?=.*[0-9]).{8,}$") is not None  # one beside the other


@pytest.mark.parametrize("inside", ["^", "(?=a)", "a"])
def test_c1_to_examine_a_pattern_is_bounded_too(inside: str) -> None:
    with soon(0.5):
        assert cost_of("(?:" * 60 + inside + "){4}" * 60) is None


def test_c1_pythons_engine_matches_no_text_that_could_take_long() -> None:
    search = bounded_searcher("^a*a*b$")
    assert search("a" * 5_000 + "b")
    with soon(0.5):
        assert not search("a" * 1_000_000 + "b")
        assert not bounded_searcher("^a*a*a*b$")("a" * 100_000)
    assert bounded_searcher("^[^/]+$")("a" * 1_000_000)  # in one go, however long


@both_validators
def test_c1_a_great_max_length_does_not_help(validator: Any) -> None:
    for pattern in ("^a*a*a*b$", "^(?=a)a*a*b$", "(?=a)a*b"):
        schema = compiled({"properties": {"x": {"maxLength": 1_000_000, "pattern": pattern}}}, validator)
        with soon(1.0):
            assert not schema.is_valid({"x": "a" * 900_000})
            assert [found.keyword for found in schema.violations({"x": "a" * 900_000})] == ["pattern"]


@pytest.mark.skipif(find_spec("jsonschema_rs") is None, reason="needs the extra fast")
def test_c2_a_pattern_that_looks_around_is_given_up() -> None:
    """With a limit 10,000 times as high this takes minutes."""
    with soon(1.0):
        assert not matcher("^(?:(?!b)a+)+c$")("a" * 60 + "!")


@both_validators
def test_c2_a_schema_of_a_pattern_that_looks_around_gives_up_too(validator: Any) -> None:
    pattern = {"maxLength": 100, "pattern": "^(?:(?!b)a+)+c$"}
    with pytest.raises(InsecureSchemaError):
        compiled(pattern, validator)
    if find_spec("jsonschema_rs") is not None:
        schema = compile_schema(
            "/a/1.0.0", {"title": "t", **pattern}, dict, implementation=validator, allow_insecure=True
        )
        with soon(1.0):
            assert not schema.is_valid("a" * 60 + "!")


@both_validators
@pytest.mark.parametrize("unit", [r"\s", r"\b", "[^ab]"])
def test_c1_all_patterns_of_a_schema_are_bounded_together(unit: str, validator: Any) -> None:
    size = 1900 // len(unit)
    properties = {f"p{n}": {"pattern": unit * size + str(n), "maxLength": 9} for n in range(100)}
    with soon(0.5), pytest.raises(SchemaError, match=f"more than {MAX_TRANSLATED:,} characters"):
        compiled({"properties": properties}, validator)


@both_validators
def test_c1_what_it_takes_to_examine_all_patterns_is_bounded(validator: Any) -> None:
    loops = "|".join(f"{chr(0x4E00 + n)}{chr(0x4F00 + n)}" for n in range(25))
    properties = {f"p{n}": {"pattern": f"^(?:{loops})*{n}$", "maxLength": 99} for n in range(50)}
    with soon(2.0), pytest.raises(InsecureSchemaError, match="too many or too large"):
        compiled({"properties": properties}, validator)


@both_validators
def test_c1_patterns_that_count_far_are_not_written_out(validator: Any) -> None:
    properties = {f"p{n}": {"pattern": f"^[^ab]{{{2000 + n}}}$", "maxLength": 9000} for n in range(30)}
    with soon(0.3):
        schema = compiled({"properties": properties}, validator)
    assert schema.is_valid({"p7": "c" * 2007})
    assert [found.keyword for found in schema.violations({"p7": "c" * 2006})] == ["pattern"]


def test_texts_of_events_that_are_regexes_are_not_remembered() -> None:
    before = translate.cache_info().currsize
    for number in range(100):
        assert is_regex(rf"\s\s\s{number}")
    with soon(0.5):
        assert all(is_regex(r"\s" * 900 + str(number)) for number in range(100))
        assert not is_regex("(?<a" * 250_000)
    assert translate.cache_info().currsize == before
    assert check("a") == translate("a")


MANY = {
    "branches in branches": (
        {"items": {"anyOf": [{"anyOf": [{"enum": [f"{n}-{m}"]} for m in range(30)]} for n in range(30)]}},
        [1] * 300,
        "anyOf",
    ),
    "branches over lists": (
        {"anyOf": [{"items": {"type": "string", "maxLength": n}} for n in range(100)]},
        [1] * 20_000,
        "anyOf",
    ),
    "one of": ({"items": {"oneOf": [{"items": {"enum": [n]}} for n in range(100)]}}, [["a"] * 200], "oneOf"),
    "all of": ({"items": {"allOf": [{"type": "string"}] * 900}}, [1] * 2000, "type"),
    "options": ({"items": {"enum": [f"v{n}" for n in range(10_000)]}}, [1] * 4000, "enum"),
    "names that are missing": ({"required": [f"k{n}" for n in range(3000)]}, {}, "required"),
    "again and again": ({"items": {"required": [f"k{n}" for n in range(300)]}}, [{}] * 3000, "required"),
    "dependencies": ({"dependencies": {"a": [f"k{n}" for n in range(3000)]}}, {"a": 1}, "dependencies"),
    "names": ({"propertyNames": {"maxLength": 1}}, {f"k{n}": 1 for n in range(9000)}, "propertyNames"),
    "unexpected": ({"additionalProperties": False}, {f"k{n}": 1 for n in range(8000)}, "additionalProperties"),  # noqa: E501
    "the last one": ({"items": {"type": "integer"}}, [*([1] * 50_000), "a"], "type"),
    "patterns of names": (
        {"propertyNames": {"maxLength": 9}, "patternProperties": {f"^k{n}": False for n in range(99)}},
        {f"k{n}": 1 for n in range(9000)},
        "false schema",
    ),
}  # fmt: skip


@both_validators
@pytest.mark.parametrize("name", MANY)
def test_e10_whatever_there_is_to_find_it_takes_no_time(name: str, validator: Any) -> None:
    part, value, keyword = MANY[name]
    schema = compiled({"properties": {"x": part}}, validator)
    with soon(0.3 if validator == "jsonschema-rs" else 3.0):
        violations = schema.violations({"x": value})
    assert 1 <= len(violations) <= 50
    assert {found.keyword for found in violations} == {keyword}
    assert not schema.is_valid({"x": value})


@both_validators
def test_e10_violations_of_a_small_event_are_all_found(validator: Any) -> None:
    part = {"anyOf": [{"type": "string"}, {"type": "null"}], "oneOf": [{"minimum": 5}, {"minimum": 6}]}
    event = {"x": [1, "a", 7]}
    schema = compiled({"properties": {"x": {"items": part}}}, validator)
    assert is_light(schema.bundle, event)
    assert [(found.path, found.keyword) for found in schema.violations(event)] == [
        ("/x/0", "anyOf"), ("/x/0", "oneOf"), ("/x/1", "oneOf"), ("/x/2", "anyOf"), ("/x/2", "oneOf")
    ]  # fmt: skip


@both_validators
def test_a_large_const_is_compared_at_the_cost_of_what_there_is(validator: Any) -> None:
    schema = compiled({"properties": {"x": {"items": {"const": [[n] for n in range(20_000)]}}}}, validator)
    with soon(1.0):
        assert not schema.is_valid({"x": [[[0]]] * 5_000})


@both_validators
@pytest.mark.parametrize("keyword", ["allOf", "anyOf", "not", "then"])
def test_c4_a_schema_and_an_event_that_are_deep_raise_nothing(keyword: str, validator: Any) -> None:
    inner: dict[str, Any] = {"$ref": "#/definitions/r"}
    for _ in range(20):
        wrapped = {"allOf": {"allOf": [inner]}, "anyOf": {"anyOf": [inner]}, "not": {"not": inner}}
        inner = wrapped.get(keyword, {"if": {}, "then": inner})
    definitions = {"r": {"properties": {"x": inner, "z": {"type": "string"}}}}
    schema = compiled({"definitions": definitions, "$ref": "#/definitions/r"}, validator)
    event: dict[str, Any] = {"z": 1}
    for _ in range(60):
        event = {"x": event}
    assert not schema.is_valid(event)
    with soon(1.0):
        assert len(schema.violations(event)) == 1


@both_validators
def test_c2_a_pattern_of_names_does_not_look_around_for_long(validator: Any) -> None:
    def names(pattern: str) -> CompiledSchema:
        part = {"patternProperties": {pattern: {}}, "propertyNames": {"maxLength": 1_000_000}}
        return compiled(part, validator)

    with pytest.raises(InsecureSchemaError, match="of names looks around"):
        names("(?=a)a*b")
    assert names(r"^(?!x)a").is_valid({"a" * 900_000: 1})
