"""Defaults are filled in as AJV 6 does with `useDefaults`; the table was checked against it."""

import copy

import pytest

from eplogging.conformance.bundling import bundle_schema
from eplogging.conformance.defaults import compile_defaults
from tests.unit.conformance.world import both_implementations

D = {"default": 1}
NESTED = {"properties": {"b": D}}

FILLED = [
    ({"properties": {"a": D}}, {}, {"a": 1}),
    ({"properties": {"a": D}}, {"a": None}, {"a": None}),
    ({"properties": {"a": {"default": None}}}, {}, {"a": None}),
    ({"properties": {"a": NESTED}}, {}, {}),
    ({"properties": {"a": NESTED}}, {"a": {}}, {"a": {"b": 1}}),
    ({"properties": {"a": {**NESTED, "default": {}}}}, {}, {"a": {"b": 1}}),
    ({"properties": {"a": NESTED}}, {"a": [{}]}, {"a": [{}]}),
    ({"properties": {"a": {"items": NESTED}}}, {"a": [{}, 1, {"b": 2}]}, {"a": [{"b": 1}, 1, {"b": 2}]}),
    ({"properties": {"a": {"items": [{}, D]}}}, {"a": [7]}, {"a": [7, 1]}),
    ({"properties": {"a": {"items": [{}, D]}}}, {"a": [7, 8]}, {"a": [7, 8]}),
    ({"properties": {"a": {"items": [NESTED], "additionalItems": {"properties": {"c": D}}}}},
     {"a": [{}, {}]}, {"a": [{"b": 1}, {"c": 1}]}),
    ({"allOf": [{"properties": {"a": D}}, {"properties": {"a": {"default": 2}}}]}, {}, {"a": 1}),
    ({"properties": {"a": {"$ref": "#/definitions/d", "default": 5}}, "definitions": {"d": D}}, {}, {"a": 5}),
    ({"properties": {"a": {"$ref": "#/definitions/d"}}, "definitions": {"d": NESTED}}, {"a": {}},
     {"a": {"b": 1}}),
    ({"additionalProperties": NESTED}, {"x": {}}, {"x": {"b": 1}}),
    ({"properties": {"x": {}}, "additionalProperties": NESTED}, {"x": {}}, {"x": {}}),
    ({"patternProperties": {"^x": NESTED}}, {"x1": {}, "y": {}}, {"x1": {"b": 1}, "y": {}}),
    ({"dependencies": {"a": {"properties": {"b": D}}}}, {"a": 0}, {"a": 0, "b": 1}),
    ({"dependencies": {"a": {"properties": {"b": D}}}}, {}, {}),
    ({"if": {"required": ["a"]}, "then": {"properties": {"b": D}}, "else": {"properties": {"c": D}}},
     {"a": 0}, {"a": 0, "b": 1}),
    ({"if": {"required": ["a"]}, "then": {"properties": {"b": D}}, "else": {"properties": {"c": D}}},
     {}, {"c": 1}),
    ({"properties": {"self": {"$ref": "#"}, "b": D}}, {"self": {"self": {}}},
     {"self": {"self": {"b": 1}, "b": 1}, "b": 1}),
]  # fmt: skip

NOTHING = [
    {"properties": {"a": {"$ref": "#/definitions/d"}}, "definitions": {"d": D}},
    {"type": "object"},
    {"default": {"a": 1}},
    {"properties": {"default": {"type": "string"}}},
    *({keyword: [{"properties": {"a": D}}]} for keyword in ("anyOf", "oneOf")),
    *({keyword: {"properties": {"a": D}}} for keyword in ("not", "if", "contains", "propertyNames")),
    {"anyOf": [{"allOf": [{"properties": {"a": D}}]}]},
    {"definitions": {"d": {"properties": {"a": D}}}},
    {"properties": {"self": {"$ref": "#"}}},
]


def filler(schema, implementation=None):
    return compile_defaults(bundle_schema("/t/1.0.0", schema, lambda uri: {}), implementation)


@both_implementations
@pytest.mark.parametrize(("schema", "event", "expected"), FILLED)
def test_filled(schema, event, expected, implementation):
    before = copy.deepcopy(event)
    fill = filler(schema, implementation)
    filled = fill(event)
    assert filled == expected
    assert event == before
    assert fill(filled) is filled
    if filled == event:
        assert filled is event


@pytest.mark.parametrize("schema", NOTHING)
def test_no_default_that_could_apply(schema):
    assert filler(schema) is None


def test_defaults_are_copied():
    fill = filler({"properties": {"a": {"default": {"list": []}}}})
    fill({})["a"]["list"].append(1)
    assert fill({}) == {"a": {"list": []}}


def test_only_the_changed_paths_are_copied():
    event = {"a": {}, "b": {"big": []}}
    filled = filler({"properties": {"a": NESTED, "b": {"type": "object"}}})(event)
    assert filled == {"a": {"b": 1}, "b": {"big": []}}
    assert filled["b"] is event["b"]
    assert event["a"] == {}


def test_absent_properties_come_last_in_the_schemas_order():
    schema = {"properties": {"a": D, "b": {}, "c": D}}
    assert list(filler(schema)({"x": 0, "b": 0})) == ["x", "b", "a", "c"]


@pytest.mark.parametrize(
    ("schema", "value"),
    [({"properties": {"a": NESTED, "b": NESTED, "c": NESTED}}, {"a": {}, "b": {"b": 2}, "c": {}}),
     ({"items": [NESTED, NESTED, NESTED]}, [{}, {"b": 2}, {}])],
)  # fmt: skip
def test_what_is_changed_in_several_places_leaves_the_callers_alone(schema, value):
    before = copy.deepcopy(value)
    filled = filler({"properties": {"x": schema}})({"x": value})["x"]
    assert list(filled.values() if isinstance(filled, dict) else filled) == [{"b": 1}, {"b": 2}, {"b": 1}]
    assert value == before
    kept = "b" if isinstance(value, dict) else 1
    assert filled[kept] is value[kept]
