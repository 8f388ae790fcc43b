"""A schema and all that it refers to become one document that no validator can leave."""

import json

import pytest

from eplogging.conformance.bundling import bundle_schema
from eplogging.conformance.compiled import compile_schema
from eplogging.conformance.errors import SchemaError, SchemaNotFoundError, SchemaUnavailableError
from tests.unit.conformance.world import IMPLEMENTATIONS

DOCUMENTS = {
    "/fragment/common/1.0.0": {
        "$id": "/fragment/common/1.0.0",
        "properties": {"dt": {"type": "string"}, "own": {"$ref": "#/definitions/own"}},
        "definitions": {"own": {"type": "integer"}},
    },
    "/fragment/draft4/1.0.0": {
        "$schema": "http://json-schema.org/draft-04/schema#",
        "id": "/fragment/draft4/1.0.0#",
        "properties": {"n": {"maximum": 5, "exclusiveMaximum": True}},
    },
    "/fragment/far/1.0.0": {"allOf": [{"$ref": "../common/1.0.0"}]},
}


def load(uri):
    if uri not in DOCUMENTS:
        raise SchemaNotFoundError(f"nothing at {uri}")
    return DOCUMENTS[uri]


def compiled(schema, uri="/t/1.0.0", **options):
    return compile_schema(uri, {"title": "t", **schema}, load, allow_insecure=True, **options)


def accepts(schema, *events, uri="/t/1.0.0"):
    verdicts = []
    for implementation in IMPLEMENTATIONS:
        found = compiled(schema, uri, implementation=implementation)
        verdicts.append([found.is_valid(event) for event in events])
    assert verdicts[0] == verdicts[-1]
    return verdicts[0]


@pytest.mark.parametrize(
    ("ref", "bad"),
    [
        ("/fragment/common/1.0.0", {"own": "x"}),
        ("/fragment/common/1.0.0#", {"own": "x"}),
        ("../common/1.0.0#", {"dt": 1}),
        ("#/definitions/local", {"x": 1}),
        ("./#/definitions/local", {"x": 1}),
        ("/fragment/t/1.0.0#/definitions/local", {"x": 1}),
        ("#/definitions/a%20b~1c~0", {"x": 1}),
        ("#anchor", {"x": 1}),
        ("/fragment/draft4/1.0.0", {"n": 5}),
        ("/fragment/far/1.0.0", {"own": "x"}),
    ],
)
def test_references_resolve(ref, bad):
    local = {"properties": {"x": {"type": "string"}}}
    definitions = {"local": local, "a b/c~": local, "named": {"$id": "#anchor", **local}}
    schema = {"$id": "/fragment/t/1.0.0", "properties": {"p": {"$ref": ref}}, "definitions": definitions}
    assert accepts(schema, {"p": {}}, {"p": bad}, uri="/fragment/t/1.0.0") == [True, False]


def test_a_pointer_goes_into_another_document_and_through_its_references():
    schema = {"properties": {"a": {"$ref": "/fragment/common/1.0.0#/properties/own"}}}
    assert accepts(schema, {"a": 1}, {"a": "1"}) == [True, False]
    schema = {
        "properties": {"a": {"$ref": "#/definitions/c/properties/dt"}},
        "definitions": {"c": {"$ref": "/fragment/common/1.0.0"}},
    }
    assert accepts(schema, {"a": "x"}, {"a": 1}) == [True, False]


def test_recursion():
    schema = {"type": "object", "properties": {"child": {"$ref": "#"}}}
    assert accepts(schema, {"child": {"child": {}}}, {"child": {"child": 1}}) == [True, False]


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#"},
        {"$ref": ""},
        {"allOf": [{"$ref": "#"}]},
        {"properties": {"a": {"$ref": "#/properties/a"}}},
        {"properties": {"a": {"$ref": "#/definitions/x"}},
         "definitions": {"x": {"anyOf": [{"$ref": "#/definitions/y"}]},
                         "y": {"not": {"$ref": "#/definitions/x"}}}},
    ],
)  # fmt: skip
def test_circles_that_reach_nothing_are_refused(schema):
    with pytest.raises(SchemaError, match="leads back to itself"):
        compiled(schema)


def test_endless_chains_are_refused():
    chain = {f"d{i}": {"allOf": [{"$ref": f"#/definitions/d{i + 1}"}]} for i in range(2000)}
    schema = {"properties": {"a": {"$ref": "#/definitions/d0"}}, "definitions": {**chain, "d2000": {}}}
    with pytest.raises(SchemaError, match="more than 30"):
        compiled(schema)


@pytest.mark.parametrize(
    "ref",
    ["#/definitions/no", "#nowhere", "#/title", "/no/such/1.0.0", "/fragment/common/1.0.0#/x", "#/allOf/7"],
)
def test_a_reference_to_nothing_is_refused(ref):
    with pytest.raises(SchemaError) as caught:
        compiled({"properties": {"a": {"$ref": ref}}, "allOf": [{}]})
    assert caught.value.schema_uri == "/t/1.0.0"
    assert type(caught.value) is SchemaError


@pytest.mark.parametrize("ref", ["http://x/y", "https://x/y#/a", "file:///etc/passwd", "//host/x"])
def test_load_decides_about_absolute_references(ref, monkeypatch):
    monkeypatch.setattr("socket.socket", None)
    asked = []

    def refuse(uri):
        asked.append(uri)
        raise SchemaError(f"{uri} may not be looked up")

    with pytest.raises(SchemaError, match="may not"):
        compile_schema("/t/1.0.0", {"title": "t", "properties": {"a": {"$ref": ref}}}, refuse)
    assert asked == [ref.partition("#")[0]]


def test_what_can_not_be_looked_up_now_is_no_fault_of_the_schema():
    def unavailable(uri):
        raise SchemaUnavailableError("later")

    with pytest.raises(SchemaUnavailableError):
        compile_schema("/t/1.0.0", {"title": "t", "properties": {"a": {"$ref": "/x/1.0.0"}}}, unavailable)


def test_names_and_data_are_no_keywords():
    schema = {
        "properties": {
            name: {"type": "string"} for name in ("$ref", "$id", "$schema", "format", "pattern", "id")
        },
        "examples": [{"$ref": "http://x/y"}],
        "default": {"$ref": "#/nowhere"},
        "enum": [{"$ref": "a", "$id": "b"}, {"$ref": 1}],
    }
    assert accepts(schema, {"$ref": "a", "$id": "b"}, {"$ref": 1}, {}) == [True, False, False]


def test_what_stands_beside_a_reference_is_ignored():
    schema = {
        "properties": {"a": {"$ref": "#/definitions/d", "type": "string", "maxLength": 1}},
        "definitions": {"d": {"type": "integer"}},
    }
    assert accepts(schema, {"a": 7}, {"a": "x"}) == [True, False]


def test_the_bundle_has_local_references_only():
    schema = {
        "$id": "/t/1.0.0", "$schema": "https://json-schema.org/draft-07/schema#",
        "allOf": [{"$ref": f"/fragment/{name}/1.0.0"} for name in ("common", "far", "draft4")],
        "properties": {"again": {"$ref": "#"}},
    }  # fmt: skip
    text = json.dumps(bundle_schema("/t/1.0.0", schema, load).schema)
    assert "fragment" not in text
    assert '"$id"' not in text
    assert '"$schema"' not in text
    assert text.count('"$ref"') == text.count('"#/definitions/')


def test_fragments_with_one_id_and_different_contents_compile_in_any_order():
    def embedding(kind):
        fragment = {
            "$id": "/fragment/same/1.0.0",
            "properties": {"v": {"$ref": "#/definitions/v"}},
            "definitions": {"v": {"type": kind}},
        }
        return {"allOf": [fragment]}

    one, two = embedding("string"), embedding("integer")
    for first, second in ((one, two), (two, one)):
        assert accepts(first, {"v": "x"}) != accepts(second, {"v": "x"})
    both = {"properties": {"a": one["allOf"][0], "b": two["allOf"][0]}}
    assert accepts(both, {"a": {"v": "x"}, "b": {"v": 1}}, {"a": {"v": 1}}, {"b": {"v": "x"}}) == [
        True,
        False,
        False,
    ]


@pytest.mark.parametrize("draft", ["draft-07", "draft-06", "draft-04"])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("hash_mark", ["", "#"])
def test_metaschemas(draft, scheme, hash_mark):
    schema = {"$schema": f"{scheme}://json-schema.org/{draft}/schema{hash_mark}", "type": "object"}
    assert accepts(schema, {}, []) == [True, False]


@pytest.mark.parametrize("named", ["https://json-schema.org/draft/2020-12/schema", "/t/1.0.0", "draft-07", 7])
def test_other_metaschemas_are_refused(named):
    with pytest.raises(SchemaError, match=r"\$schema"):
        compiled({"$schema": named})


@pytest.mark.parametrize(
    ("draft", "schema"),
    [
        ("draft-07", {"maximum": 5, "exclusiveMaximum": True}),
        ("draft-04", {"exclusiveMaximum": 5}),
        ("draft-04", {"required": []}),
        ("draft-07", {"type": "text"}),
        ("draft-07", {"properties": 5}),
        ("draft-07", {"properties": {"a": {"minLength": -1}}}),
        ("draft-07", {"enum": []}),
        ("draft-07", {"pattern": "("}),
        ("draft-07", {"patternProperties": {"[": {}}}),
        ("draft-07", {"$ref": 5}),
        ("draft-07", {"items": []}),
    ],
)
def test_what_is_no_schema_is_refused(draft, schema):
    for implementation in IMPLEMENTATIONS:
        with pytest.raises(SchemaError, match="no valid JSON schema"):
            compiled(
                {"$schema": f"https://json-schema.org/{draft}/schema#", **schema},
                implementation=implementation,
            )


@pytest.mark.parametrize("levels", [99, 101, 500, 20_000])
def test_depth(levels):
    schema = {}
    for _ in range((levels - 1) // 2):
        schema = {"properties": {"a": schema}}
    for implementation in IMPLEMENTATIONS:
        if levels < 100:
            assert compiled(schema, implementation=implementation).is_valid({"a": {"a": 1}})
        else:
            with pytest.raises(SchemaError, match="nested"):
                compiled(schema, implementation=implementation)


def test_a_chain_of_documents_ends() -> None:
    """A server could let each refer to the next one, for ever."""
    asked: list[str] = []

    def load(uri: str):
        asked.append(uri)
        return {"properties": {"x": {"$ref": f"/n/{len(asked)}"}}}

    with pytest.raises(SchemaError, match="more than 50 other documents"):
        bundle_schema("/n/0", {"properties": {"x": {"$ref": "/n/first"}}}, load)
    assert len(asked) < 60


def test_each_target_is_checked_once() -> None:
    checked: list[str] = []
    refs = {f"p{number}": {"$ref": "#/definitions/d"} for number in range(100)}
    bundle_schema(
        "/n/0",
        {"properties": refs, "definitions": {"d": {}}},
        load=dict,
        check=lambda uri, *_: checked.append(uri),
    )
    assert checked == ["/n/0", "/n/0#/definitions/d"]


def test_parts_of_parts_do_not_make_a_schema_endless() -> None:
    """Each part that a `$ref` names is written down anew: of a deep schema that is a square."""
    part: dict = {"allOf": [{}] * 3000}
    refs = {}
    for level in range(49):
        refs[f"p{level}"] = {"$ref": "#/definitions/d" + "/properties/x" * level}
        part = {"properties": {"x": part}}
    with pytest.raises(SchemaError, match="more than 100,000 schemas"):
        bundle_schema("/n/0", {"properties": refs, "definitions": {"d": part}}, load=dict)
