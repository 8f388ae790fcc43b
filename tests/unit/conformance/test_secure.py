"""Schemas that could make validation slow are refused, as json-schema-secure says."""

import pytest

from eplogging.conformance.compiled import compile_schema
from eplogging.conformance.errors import InsecureSchemaError
from eplogging.conformance.secure import refuse_insecure

from .test_verdicts import needs_wmf, read, versioned

INSECURE = [
    ({"pattern": "^a"}, "/"),
    ({"format": "date"}, "/"),
    ({"properties": {"a/b": {"format": "date"}}}, "/properties/a~1b"),
    ({"patternProperties": {"^a": {}}}, "/"),
    ({"patternProperties": {"^a": {}}, "propertyNames": {"minLength": 1}}, "/"),
    ({"uniqueItems": True}, "/"),
    ({"uniqueItems": True, "items": {}}, "/"),
    ({"uniqueItems": True, "items": [{"type": "string"}]}, "/"),
    ({"uniqueItems": True, "items": {"type": ["string", "object"]}}, "/"),
    ({"items": {"uniqueItems": True, "items": {"type": "array"}}}, "/items"),
    ({"items": [{}, {"pattern": "a"}]}, "/items/1"),
    *(({keyword: [{"pattern": "a"}]}, f"/{keyword}/0") for keyword in ("allOf", "anyOf", "oneOf")),
    *(
        ({keyword: {"pattern": "a"}}, f"/{keyword}")
        for keyword in (
            *("additionalItems", "additionalProperties", "if", "then", "else"),
            *("not", "contains", "propertyNames"),
        )
    ),
    *(({keyword: {"x": {"pattern": "a"}}}, f"/{keyword}/x") for keyword in ("definitions", "dependencies")),
]

SECURE = [
    {"pattern": "^a", "format": "date", "maxLength": 9},
    {"patternProperties": {"^a": {}}, "propertyNames": {"maxLength": 9}},
    {"patternProperties": {"^a": {}}, "propertyNames": True},
    {"uniqueItems": True, "maxItems": 3},
    {"uniqueItems": False},
    {"uniqueItems": True, "items": {"type": "string"}},
    {"uniqueItems": True, "items": {"type": ["string", "null"]}},
    {"properties": {"format": {"type": "string"}}, "examples": [{"pattern": "x"}]},
    {"dependencies": {"pattern": ["a"]}},
]


@pytest.mark.parametrize(("schema", "place"), INSECURE)
def test_insecure(schema, place):
    with pytest.raises(InsecureSchemaError, match="allow_insecure_schemas") as caught:
        refuse_insecure("/t/1.0.0", schema)
    assert f"insecure at {place}: " in str(caught.value)
    assert caught.value.schema_uri == "/t/1.0.0"


@pytest.mark.parametrize("schema", SECURE)
def test_secure(schema):
    refuse_insecure("/t/1.0.0", schema)


def test_fragments_are_checked_too_and_insecure_schemas_can_be_allowed():
    schema = {"title": "t", "properties": {"a": {"$ref": "/f/1.0.0#/properties/x"}}}
    fragment = {"properties": {"x": {"pattern": "a"}}}
    with pytest.raises(InsecureSchemaError, match=r"/f/1\.0\.0#/properties/x"):
        compile_schema("/t/1.0.0", schema, lambda uri: fragment)
    assert compile_schema("/t/1.0.0", schema, lambda uri: fragment, allow_insecure=True).is_valid({})


@needs_wmf
def test_all_real_schemas_are_secure():
    uris = list(versioned())
    assert len(uris) > 200
    for uri in uris:
        refuse_insecure(uri, read(uri))
