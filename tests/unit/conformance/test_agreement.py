"""Both validators, on generated schemas and instances: the same verdicts, places and keywords."""

import copy
import json

from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from eplogging.conformance.bundling import bundle_schema
from eplogging.conformance.compiled import compile_schema
from eplogging.conformance.defaults import compile_defaults
from eplogging.conformance.errors import SchemaError
from eplogging.conformance.formats import CHECKS
from eplogging.conformance.python_validator import PythonValidator
from eplogging.conformance.validation import compile_validator
from tests.unit.conformance.world import needs_rust

NAMES = st.sampled_from(["a", "b", "dt", "$ref", "a/b~", "", "1", "01"])
TEXTS = st.sampled_from(
    ["", "a", "ab", "aé", "😀", "a\n", "1", "2024-01-01", "2024-01-01T00:00:00Z", "/x#y", "a@b.c", "\u0661"]
)
NUMBERS = st.sampled_from(
    [0, 1, 2, 3, -1, 1.0, 1.5, -0.0, 0.1, 0.3, 7, 2**53, 2**53 + 1, 10**17, 10**17 + 1, 1e300, 10**400]
)
PATTERNS = st.sampled_from(["^a", "^a$", r"^\d+$", r"\w$", "^(?=a)", "^[^/]+$", "^(a+)+$", "", ".$", r"\S"])
SMALL = st.integers(0, 3)
TYPES = st.sampled_from(["string", "number", "integer", "object", "array", "boolean", "null"])

instances = st.recursive(
    st.none() | st.booleans() | NUMBERS | TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=6,
)


def one(keyword, values):
    return values.map(lambda value: {keyword: value})


leaves = st.one_of(
    one("type", TYPES | st.lists(TYPES, min_size=1, max_size=3, unique=True)),
    one("enum", st.lists(instances, min_size=1, max_size=3, unique_by=lambda v: json.dumps(v))),
    one("const", instances),
    one("required", st.lists(NAMES, max_size=2, unique=True)),
    *(one(k + kind, SMALL) for k in ("min", "max") for kind in ("Items", "Length", "Properties")),
    *(one(k, NUMBERS.filter(lambda n: abs(n) < 1e300))
      for k in ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")),
    one("multipleOf", st.sampled_from([1, 2, 0.1, 0.01, 3, 1e-7])),
    one("uniqueItems", st.booleans()),
    one("pattern", PATTERNS),
    one("format", st.sampled_from([*sorted(CHECKS), "unknown"])),
    one("default", instances),
    st.just({"$ref": "#/definitions/d"}),
    st.booleans(),
)  # fmt: skip


def composed(inner):
    several = st.lists(inner, min_size=1, max_size=3)
    named = st.dictionaries(NAMES, inner, max_size=3)
    return st.one_of(
        one("properties", named),
        one("properties", named),
        one("patternProperties", st.dictionaries(PATTERNS, inner, max_size=2)),
        one("additionalProperties", inner),
        one("items", inner | several),
        one("additionalItems", inner),
        *(one(keyword, several) for keyword in ("allOf", "anyOf", "oneOf")),
        *(one(keyword, inner) for keyword in ("not", "contains", "propertyNames")),
        one(
            "dependencies",
            st.dictionaries(NAMES, inner | st.lists(NAMES, max_size=2, unique=True), max_size=2),
        ),
        st.builds(lambda i, t, e: {"if": i, "then": t, "else": e}, inner, inner, inner),
        st.lists(inner.filter(lambda s: isinstance(s, dict)), min_size=2, max_size=4).map(
            lambda parts: {k: v for part in parts for k, v in part.items()}
        ),
    )


nodes = st.recursive(leaves, composed, max_leaves=8).filter(lambda node: isinstance(node, dict))
schemas = st.builds(
    lambda root, definition: {**root, "title": "t", "definitions": {"d": definition}}, nodes, nodes
)


def nothing(uri):
    raise SchemaError(uri)


def bundled(schema):
    try:
        return bundle_schema("/t/1.0.0", schema, nothing)
    except SchemaError:
        assume(False)


def places(violations):
    return {(violation.path, violation.keyword) for violation in violations}


@needs_rust
@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas, st.lists(instances, min_size=1, max_size=5))
def test_both_validators_agree(schema, values):
    bundle = bundled(schema)
    fast, slow = compile_validator(bundle, "jsonschema-rs"), PythonValidator(bundle)
    for value in values:
        assert fast.is_valid(value) is slow.is_valid(value)
        found = fast.violations(value)
        assert found == slow.violations(value)
        assert bool(found) is not fast.is_valid(value)
        assert all(len(violation.message) <= 300 for violation in found)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas, st.lists(instances, min_size=1, max_size=5))
def test_what_fits_has_no_errors(schema, values):
    bundle = bundled(schema)
    validator = PythonValidator(bundle)
    for value in values:
        assert validator.is_valid(value) is not any(validator._validator.iter_errors(value)), value


@needs_rust
@settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas, st.lists(instances, min_size=1, max_size=5))
def test_filling_changes_no_argument_and_is_done_once(schema, values):
    bundle = bundled(schema)
    fill, other = compile_defaults(bundle, "jsonschema-rs"), compile_defaults(bundle, "jsonschema")
    assert (fill is None) is (other is None)
    for value in values if fill else ():
        before = copy.deepcopy(value)
        filled = fill(value)
        assert value == before
        assert filled == other(value)


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(schemas)
def test_a_schema_compiles_or_is_refused(schema):
    try:
        compiled = compile_schema("/t/1.0.0", schema, nothing, allow_insecure=True)
    except SchemaError as error:
        assert error.schema_uri == "/t/1.0.0"
    else:
        assert isinstance(compiled.allows(("a", "b")), bool)
        assert not compiled.declares(("a",)) or compiled.declares(("a",)) is True
