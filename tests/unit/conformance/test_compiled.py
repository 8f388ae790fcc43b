"""What a compiled schema knows: its title, what it declares and what it allows."""

import logging

import pytest

from eplogging.conformance.compiled import compile_schema
from eplogging.conformance.errors import SchemaError


def load(uri):
    return {"properties": {"meta": {"properties": {"id": {"type": "string"}, "n": {"type": "integer"}}}}}


def compiled(schema, uri="/t/1.0.0", **options):
    return compile_schema(uri, {"title": "t", **schema}, load, **options)


@pytest.mark.parametrize("document", [{}, {"title": None}, {"title": ["t"]}])
def test_a_title_is_required(document):
    with pytest.raises(SchemaError, match="title") as caught:
        compile_schema("/t/1.0.0", document, load)
    assert caught.value.schema_uri == "/t/1.0.0"


def test_a_document_must_be_an_object():
    with pytest.raises(SchemaError, match="no object"):
        compile_schema("/t/1.0.0", ["x"], load)


def test_attributes():
    schema = compiled({"properties": {"a": {"type": "string"}}})
    assert (schema.uri, schema.title, schema.fill_defaults) == ("/t/1.0.0", "t", None)
    assert schema.is_valid({"a": "x"})
    assert [violation.path for violation in schema.violations({"a": 1})] == ["/a"]
    assert compiled({"properties": {"a": {"default": 1}}}).fill_defaults({}) == {"a": 1}


STRING = {"type": "string"}
CLOSED = {"additionalProperties": False}


@pytest.mark.parametrize(
    ("schema", "path", "declared", "allowed"),
    [
        ({}, "dt", False, True),
        ({"properties": {"dt": STRING}}, "dt", True, True),
        ({"properties": {"dt": {}}}, "dt", True, True),
        ({"properties": {"dt": {"type": ["null", "string"]}}}, "dt", True, True),
        ({"properties": {"dt": {"type": "integer"}}}, "dt", True, False),
        ({"properties": {"dt": False}}, "dt", False, False),
        (CLOSED, "dt", False, False),
        ({**CLOSED, "properties": {"dt": STRING}}, "dt", True, True),
        (
            {**CLOSED, "patternProperties": {"^d": STRING}, "propertyNames": {"maxLength": 9}},
            "dt",
            False,
            True,
        ),
        ({"additionalProperties": STRING}, "dt", False, True),
        ({"additionalProperties": {"type": "integer"}}, "dt", False, False),
        ({"allOf": [{"properties": {"dt": STRING}}, CLOSED]}, "dt", True, False),
        (
            {"allOf": [{"properties": {"dt": STRING}}, {"properties": {"dt": {"type": "integer"}}}]},
            "dt",
            True,
            False,
        ),
        ({"anyOf": [{"properties": {"dt": STRING}}]}, "dt", False, True),
        ({"type": "array"}, "dt", False, False),
        ({}, "meta.id", False, True),
        (CLOSED, "meta.id", False, False),
        ({"properties": {"meta": {"properties": {"id": STRING}}}}, "meta.id", True, True),
        ({"properties": {"meta": CLOSED}}, "meta.id", False, False),
        ({"properties": {"meta": STRING}}, "meta.id", False, False),
        ({"additionalProperties": {"type": "integer"}}, "meta.id", False, False),
        ({"properties": {"meta": True}}, "meta.id", False, True),
        ({"allOf": [{"$ref": "/fragment/1.0.0"}]}, "meta.id", True, True),
        ({"allOf": [{"$ref": "/fragment/1.0.0"}]}, "meta.n", True, False),
        ({"$ref": "/fragment/1.0.0"}, "meta.other", False, True),
        ({"properties": {"meta": {"$ref": "/fragment/1.0.0#/properties/meta"}}}, "meta.id", True, True),
        ({"properties": {"self": {"$ref": "#"}, "x": STRING}}, "self.self.x", True, True),
    ],
)
def test_declares_and_allows(schema, path, declared, allowed):
    found = compiled(schema)
    names = tuple(path.split("."))
    assert (found.declares(names), found.allows(names)) == (declared, allowed)


def test_another_id_is_accepted_with_one_warning(caplog):
    with caplog.at_level(logging.WARNING, "eplogging.conformance"):
        assert compiled({"$id": "/other/1.0.0"}).is_valid({})
        compiled({"$id": "/t/1.0.0#"})
    assert len(caplog.records) == 1
    assert "/other/1.0.0" in caplog.text


def test_unknown_formats_are_ignored_with_one_warning(caplog):
    unknown = {name: {"format": name, "maxLength": 9} for name in ("color", "json", "date")}
    with caplog.at_level(logging.WARNING, "eplogging.conformance"):
        schema = compiled({"properties": unknown})
    assert [schema.is_valid({"color": "x"}), schema.is_valid({"date": "x"})] == [True, False]
    assert len(caplog.records) == 1
    assert "'color', 'json'" in caplog.text
