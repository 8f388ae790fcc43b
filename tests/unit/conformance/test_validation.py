"""Both validators judge as AJV 6 does, and say the same about what is wrong."""

import json

import pytest

from eplogging.conformance import validation
from eplogging.conformance.bundling import bundle_schema
from eplogging.conformance.equality import are_equal, identity
from eplogging.conformance.errors import ConfigurationError, SchemaError
from eplogging.conformance.messages import MAX_VIOLATIONS
from eplogging.conformance.validation import compile_validator
from tests.unit.conformance.world import both_implementations, needs_rust

both = both_implementations
DRAFT_4 = {"$schema": "http://json-schema.org/draft-04/schema#"}


def compiled(schema, implementation=None):
    return compile_validator(bundle_schema("/t/1.0.0", schema, lambda uri: {}), implementation)


def found(schema, event, implementation):
    return [(v.path, v.keyword, v.message) for v in compiled(schema, implementation).violations(event)]


VERDICTS = [
    ({"type": "integer"}, [1, 1.0, 1e300, 10**400], [True, False, None, "1", 1.5]),
    (DRAFT_4 | {"type": "integer"}, [1.0], [True]),
    ({"type": "number"}, [1, 1.5, 10**400], [True, "1"]),
    ({"type": ["object", "null"]}, [{}, None], [[], False]),
    ({"enum": [1, "a", {"x": [1]}]}, [1.0, "a", {"x": [1.0]}], [True, "A", {"x": [True]}]),
    ({"const": 0}, [0, 0.0, -0.0], [False, None, "", []]),
    ({"const": False}, [False], [0, None]),
    ({"uniqueItems": True}, [[1, True], [[1], [True]], [{"a": 0}, {"a": False}], ["1", 1], []],
     [[1, 1.0], [{"a": 1, "b": 2}, {"b": 2.0, "a": 1}], [None, None], [[], []]]),
    ({"uniqueItems": False}, [[1, 1]], []),
    ({"maxLength": 1}, ["😀", ""], ["ab", "😀😀"]),
    ({"minLength": 2}, ["ab", 1], ["😀"]),
    ({"multipleOf": 0.1}, [0.2, 1], [0.3, 0.15]),
    ({"multipleOf": 0.01}, [0.25], [0.29, 19.99]),
    ({"multipleOf": 1}, [1e20, 0], [1e21, 10**400, 0.5]),
    ({"maximum": 100000000000000000}, [100000000000000001, 10**17], [10**17 + 16, 10**400]),
    ({"exclusiveMaximum": 100000000000000000}, [99999999999999991], [10**17, 99999999999999992]),
    ({"minimum": 2**53}, [2**53], [2**53 - 1]),
    ({"exclusiveMinimum": 2**53}, [2**53 + 2], [2**53, 2**53 + 1]),
    ({"minimum": -(2**53)}, [-(2**53), -(2**53) - 1], [-(2**53) - 2, -(10**400)]),
    ({"maximum": 1.7976931348623157e308}, [1.7976931348623157e308], [10**400]),
    (DRAFT_4 | {"maximum": 5, "exclusiveMaximum": True}, [4.9], [5, 6]),
    (DRAFT_4 | {"maximum": 5, "exclusiveMaximum": False}, [5], [6]),
    ({"pattern": "^a$", "format": "uri-reference"}, ["a"], ["a\n", "b"]),
    ({"format": "date-time"}, ["2024-19-39T23:59:60+0000", 7], ["2024-01-01", "2024-01-01T00:00:00Z\n"]),
    ({"format": "color"}, ["no colour"], []),
    ({"contentEncoding": "base64", "contentMediaType": "application/json"}, ["!"], []),
    ({"patternProperties": {r"^\d$": {"type": "string"}, "^[0-9]$": {"minLength": 2}}},
     [{"1": "ab", "\u0661": 1}],
     [{"1": "a"}, {"1": 1}]),
    ({"patternProperties": {"^a": {}}, "additionalProperties": False}, [{"a1": 1}], [{"b": 1}]),
    ({"items": [{"type": "string"}], "additionalItems": False}, [["a"], []], [["a", 1], [1]]),
    ({"items": True, "additionalItems": False}, [[1, 2]], []),
    ({"items": {"type": "integer"}, "additionalItems": False}, [[1, 2]], [["a"]]),
    ({"contains": {}}, [[1]], [[]]),
    ({"propertyNames": {"format": "date"}}, [{"2024-01-01": 1}], [{"a": 1}]),
]  # fmt: skip


@both
@pytest.mark.parametrize(("schema", "valid", "invalid"), VERDICTS, ids=lambda value: json.dumps(value)[:60])
def test_verdicts(schema, valid, invalid, implementation):
    validator = compiled(schema, implementation)
    assert [validator.is_valid(event) for event in valid] == [True] * len(valid)
    assert [validator.is_valid(event) for event in invalid] == [False] * len(invalid)
    assert all(validator.violations(event) for event in invalid)
    assert not any(validator.violations(event) for event in valid)


MESSAGES = [
    ({"required": ["a", "dt"]}, {"a": 1}, ("", "required", 'required property "dt" is missing')),
    ({"properties": {"a": {"type": "string"}}}, {"a": 1},
     ("/a", "type", "must be string, and is an integer: 1")),
    ({"properties": {"a/b~": {"type": "string"}}}, {"a/b~": {}},
     ("/a~1b~0", "type", "must be string, and is an object")),
    ({"additionalProperties": False}, {"x": 1},
     ("", "additionalProperties", 'property "x" is not in the schema, which allows no others')),
    ({"enum": ["insert", "update"]}, "zzz", ("", "enum", '"zzz" is not one of "insert", "update"')),
    ({"items": {"const": 1}}, [1, 2], ("/1", "const", "2 must be 1")),
    ({"format": "date-time"}, "soon", ("", "format", '"soon" is no date-time')),
    ({"pattern": r"^\d$"}, "x", ("", "pattern", r'"x" does not match the pattern ^\d$')),
    ({"maxLength": 2}, "abc", ("", "maxLength", "has 3 characters, and may have at most 2")),
    ({"minItems": 1}, [], ("", "minItems", "has 0 items, and must have at least 1")),
    ({"maximum": 5, "exclusiveMaximum": 3}, 9, ("", "exclusiveMaximum", "9 must be less than 3")),
    ({"maximum": 5, "exclusiveMaximum": 7}, 9, ("", "maximum", "9 is more than the maximum, 5")),
    ({"multipleOf": 2}, 3, ("", "multipleOf", "3 is no multiple of 2")),
    ({"uniqueItems": True}, [1, 1], ("", "uniqueItems", "has an item twice")),
    ({"contains": {"const": 1}}, [], ("", "contains", "has no item of the kind that it must contain")),
    ({"additionalItems": False, "items": [{}]}, [1, 2],
     ("", "additionalItems", "has 2 items, more than the schema knows")),
    ({"propertyNames": {"maxLength": 1}}, {"ab": 1},
     ("", "propertyNames", 'property name "ab" is not allowed')),
    ({"dependencies": {"a": ["b"]}}, {"a": 1},
     ("", "dependencies", 'property "b" is missing, which is required where "a" is present')),
    ({"dependencies": {"a": {"required": ["c"]}}}, {"a": 1},
     ("", "required", 'required property "c" is missing')),
    ({"anyOf": [{"type": "string"}, {"type": "null"}]}, 1, ("", "anyOf", "fits none of the 2 allowed forms")),
    ({"oneOf": [{}, {}]}, 1, ("", "oneOf", "must fit exactly one of 2 forms")),
    ({"not": {}}, 1, ("", "not", "has a form that is not allowed")),
    ({"properties": {"a": False}}, {"a": 1}, ("/a", "false schema", "is not allowed to be there")),
    ({"propertyNames": False}, {"x": 1}, ("", "propertyNames", 'property name "x" is not allowed')),
    ({"items": False}, [1], ("/0", "false schema", "is not allowed to be there")),
    ({"patternProperties": {"1": {"type": "null"}}}, {"01": 1},
     ("/01", "type", "must be null, and is an integer: 1")),
    ({"if": {}, "then": {"type": "string"}}, 1, ("", "type", "must be string, and is an integer: 1")),
    ({"additionalProperties": {"type": "string"}}, {"": 1},
     ("/", "type", "must be string, and is an integer: 1")),
]  # fmt: skip


@both
@pytest.mark.parametrize(("schema", "event", "expected"), MESSAGES, ids=lambda value: str(value)[:60])
def test_messages(schema, event, expected, implementation):
    assert found(schema, event, implementation) == [expected]
    inner = {"properties": {"p": {"$ref": "#/definitions/d"}}, "definitions": {"d": schema}}
    path, keyword, message = expected
    assert found(inner, {"p": event}, implementation) == [("/p" + path, keyword, message)]


@both
def test_each_missing_and_each_unexpected_property_is_named(implementation):
    schema = {"required": ["a", "b"], "properties": {"a": {}, "b": {}}, "additionalProperties": False}
    violations = compiled(schema, implementation).violations({"x": 1, "y": 2})
    assert [(v.keyword, v.message.split('"')[1]) for v in violations] == [
        ("additionalProperties", "x"),
        ("additionalProperties", "y"),
        ("required", "a"),
        ("required", "b"),
    ]


@both
def test_bounds(implementation):
    schema = {"items": {"type": "integer", "enum": ["e" * 500], "pattern": "^b$"}}
    violations = compiled(schema, implementation).violations(["a" * 5_000_000] + ["a" * 500] * 60)
    assert len(violations) == MAX_VIOLATIONS
    assert all(len(violation.message) <= 300 for violation in violations)
    assert violations[0].path == "/0"


@both
def test_a_huge_integer_is_shown_by_its_size(implementation):
    assert found({"maximum": 5}, 10**400, implementation) == [
        ("", "maximum", "a very large integer is more than the maximum, 5")
    ]


@both
@pytest.mark.parametrize("schema", [{"maximum": 10**400}, {"multipleOf": 10**400}, {"minimum": -(10**400)}])
def test_a_limit_that_no_double_holds_is_refused(schema, implementation):
    with pytest.raises(SchemaError, match="double"):
        compiled(schema, implementation)


@needs_rust
def test_values_that_are_not_json_raise():
    validator = compiled({"properties": {"a": {"type": "string"}}}, "jsonschema-rs")
    for value in (object(), b"x", {1, 2}):
        with pytest.raises(ValueError, match="Unsupported type"):
            validator.is_valid({"a": value})


@needs_rust
def test_the_fast_validator_is_used_where_it_is_installed(monkeypatch):
    assert type(compiled({})).__name__ == "RustValidator"
    monkeypatch.setattr(validation, "RustValidator", None)
    assert type(compiled({})).__name__ == "PythonValidator"
    with pytest.raises(ConfigurationError, match="eplogging\\[fast\\]"):
        compiled({}, "jsonschema-rs")


def test_a_pattern_that_can_not_be_run_is_refused():
    with pytest.raises(SchemaError, match="pattern"):
        compiled({"pattern": "(?<=a+)b"})


@both
@pytest.mark.parametrize("keyword", ["pattern", "format"])
def test_a_text_far_beyond_its_max_length_is_not_matched(keyword, implementation):
    """Even where a pattern may take long, as with allow_insecure_schemas."""
    rule = {"pattern": "^(a|aa)+$"} if keyword == "pattern" else {"format": "uuid"}
    validator = compiled({"maxLength": 1000, **rule}, implementation)
    assert not validator.is_valid("a" * 1001 + "!")
    found = [violation.keyword for violation in validator.violations("a" * 1001 + "!")]
    assert found == (["maxLength"] if implementation == "jsonschema" else sorted([keyword, "maxLength"]))


@pytest.mark.parametrize("left", [1, True, None, "a", [1], [True], {"a": 1}, {"a": True}, [], {}, [[1], {}]])
@pytest.mark.parametrize("right", [1.0, False, True, None, "a", [1.0], {"a": 1.0}, [], {}, [[1], {}], ["1"]])
def test_values_are_equal_when_their_identities_are(left, right):
    assert are_equal(left, right) == (identity(left) == identity(right))
