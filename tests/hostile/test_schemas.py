"""What the content of a schema may be (rows C1 to C11); none of it may stall, crash or mislead."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import (
    Conformer,
    InsecureSchemaError,
    RejectedError,
    SchemaError,
    SchemaURIError,
    ValidationError,
)
from eplogging.conformance.backtracking import cost_of
from eplogging.conformance.patterns import translate
from tests.support.processes import ROOT, run_python
from tests.unit.conformance.world import EVENT_SCHEMA, both_validators, event, write

STREAMS = {"test.event": {"schema_title": "test/event"}}
Make = Callable[..., Conformer]


@pytest.fixture
def with_schema(tmp_path: Path) -> Make:
    """A conformer with one schema: a text as it is, or parts that are added to a small one."""

    def make(content: Any, **options: Any) -> Conformer:
        whole = content if isinstance(content, (str, list)) else {**EVENT_SCHEMA, **content}
        write(tmp_path, "/test/event/1.0.0", whole)
        return Conformer([tmp_path], STREAMS, **options)

    return make


def with_text(pattern: str) -> dict[str, Any]:
    return {"properties": {"text": {"type": "string", "maxLength": 1000, "pattern": pattern}}}


EXPLOSIVE = [
    *(r"^(a+)+$", r"^(a|a)*$", r"^(a|aa)+$", r"^(a*)*$", r"(.*a){20}!", r"^(a{1,3}){1,50}$", r"^(a?b?)*$"),
    *(r"^([a-z]+)*$", r"(?=(a+)+$)b", r"^(\w+\s?)*$", r"^(a+)+\1$", r"^((ab|a)(b|c)?)*$", r"^(a|a?)+$"),
    *(r".*.*.*.*x", r"^a*a*a*[ab]*$", ".*" * 120, r"^([a-z]{1,9}.{0,9}){1,9}$"),
    *(r"(\d+)*$", r"^(([a-z])+.)+[A-Z]([a-z])+$"),
]
HARMLESS = [
    *(r"^[0-9a-z]{20}$", r"^[a-fA-F0-9]{8}(-[a-fA-F0-9]{4}){3}-[a-fA-F0-9]{12}$", r"^[^/]+$", r"^(\w+\.)+x$"),
    *(r"^(a|b)*$", r"^\s*(.*)\s*$", r"^([a-z]+,)*[a-z]+$", r"^(foo|foobar)+$", r"^(?:%[0-9a-f]{2}|[a-z])*$"),
    *(r"^[a-z]+,[a-z]+,[a-z]+,[a-z]+,[a-z]+$", r"^[\w.]+@[\w.]+\.\w+$", "w" * 500 + "x*", r"^.{9}.{9}b$"),
    *(r"\bx\b", r"^(?!x)[a-z]+$", r"^(\w+\s)+$", r"^([0-9]{4}){2,3}$", r"(a)(b)\1", r"^[^a]b*c?$"),
]


@pytest.mark.parametrize("validator", [None, "jsonschema"])
@pytest.mark.parametrize("pattern", EXPLOSIVE)
def test_c1_a_pattern_that_could_take_for_ever_is_refused(
    pattern: str, validator: Any, with_schema: Make
) -> None:
    with pytest.raises(InsecureSchemaError, match="exponential"):
        with_schema(with_text(pattern), validator=validator).conform(event(text="a" * 60 + "!"))


@pytest.mark.parametrize("pattern", HARMLESS)
def test_c1_no_harmless_pattern_is_refused(pattern: str) -> None:
    assert cost_of(translate(pattern)) is not None


@both_validators
@pytest.mark.parametrize("pattern", HARMLESS)
def test_c1_a_harmless_pattern_judges_a_long_text_soon(
    pattern: str, validator: Any, with_schema: Make
) -> None:
    conformer = with_schema(with_text(pattern), validator=validator, max_message_bytes=10**7)
    before = time.process_time()
    for text in ("a" * 999 + "!", "0" * 1000, "a " * 500, "ab" * 500, "x" * 1_000_000):
        with pytest.raises(ValidationError):
            conformer.conform(event(text=text + "\n"))
    assert time.process_time() - before < 1


@both_validators
@pytest.mark.parametrize(
    "pattern", [r"^(.+)\1$", r"^(?=.*x)(?=.*y)(?=.*z).*$", r"(.)(.)(.)\3\2\1$", r"(?<=aaa)b(?!c)\B"]
)
def test_c2_look_around_and_back_references_are_bounded(
    pattern: str, validator: Any, with_schema: Make
) -> None:
    conformer = with_schema(with_text(pattern), validator=validator)
    before = time.process_time()
    with pytest.raises(ValidationError):
        conformer.conform(event(text="a" * 500 + "x" + "b" * 400 + "abc"))
    assert time.process_time() - before < 1


INSECURE: list[dict[str, Any]] = [
    {"properties": {"x": {"type": "array", "uniqueItems": True, "items": {"type": "object"}}}},
    {"properties": {"x": {"type": "array", "uniqueItems": True}}},
    {"properties": {"x": {"type": "string", "format": "date-time"}}},
    {"properties": {"x": {"type": "string", "pattern": "^a"}}},
    {"patternProperties": {"^a": {}}},
    {"definitions": {"x": {"pattern": "^a"}}},
]


@pytest.mark.parametrize("schema", INSECURE, ids=str)
def test_c3_an_insecure_schema_is_refused_unless_allowed(schema: dict[str, Any], with_schema: Make) -> None:
    with pytest.raises(InsecureSchemaError, match="allow_insecure_schemas"):
        with_schema(schema).conform(event())
    assert with_schema(schema, allow_insecure_schemas=True).conform(event()).topic == "test.event"


def nested(keyword: str, levels: int) -> str:
    opening = {"allOf": '{"allOf": [', "not": '{"not": ', "properties": '{"properties": {"a": '}[keyword]
    closing = {"allOf": "]}", "not": "}", "properties": "}}"}[keyword]
    return f'{{"title": "test/event", "not": {opening * levels}{{}}{closing * levels}}}'


CRASHING = {
    **{
        f"{kind} {n}": nested(kind, n)
        for kind in ("allOf", "not", "properties")
        for n in (500, 5_000, 20_000)
    },
    "$ref #": '{"title": "test/event", "$ref": "#"}',
    "$ref empty": '{"title": "test/event", "$ref": ""}',
    "$ref # inside": '{"title": "test/event", "allOf": [{"$ref": "#"}]}',
    "$ref to itself": '{"title": "t", "allOf": [{"$ref": "#/allOf/0"}]}',
    "$ref by the URI": '{"title": "t", "allOf": [{"$ref": "/test/event/1.0.0"}]}',
    "$ref in a circle": '{"title": "t", "$ref": "#/definitions/a", "definitions":'
    ' {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}}',
    "$ref no text": '{"title": "t", "allOf": [{"$ref": 7}]}',
    "no object": "[]",
    "properties no object": '{"title": "t", "properties": [1]}',
}


def test_c4_no_schema_ends_the_process(tmp_path: Path) -> None:
    """In a process of its own, since what could go wrong here is a crash."""
    for number, text in enumerate(CRASHING.values()):
        write(tmp_path, f"/test/event/{number}.0.0", text)
    finished = run_python(
        "import sys\n"
        "from eplogging.conformance import Conformer, RejectedError\n"
        "for validator in ('jsonschema', None):\n"
        "    for number in range(int(sys.argv[2])):\n"
        "        conformer = Conformer([sys.argv[1]], {'s': {'schema_title': 't'}}, validator=validator)\n"
        "        try:\n"
        "            conformer.conform({'$schema': f'/test/event/{number}.0.0', 'meta': {'stream': 's'}})\n"
        "        except RejectedError as error:\n"
        "            print(error.reason)\n",
        str(tmp_path),
        str(len(CRASHING)),
        timeout=100,
    )
    assert finished.code == 0, finished.stderr
    assert finished.stdout.split() == ["schema_invalid"] * len(CRASHING) * 2


LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)
DOCUMENTS = {
    "C5 billion laughs": (LAUGHS, "more than 200,000 values"),
    "C6 recursive object": ("&x {a: *x}", "stands in its own value"),
    "C6 recursive list": ("&x [*x]", "stands in its own value"),
    "C7 duplicate keys": ("title: a\ntitle: b", "stands twice"),
    "C7 duplicate keys, JSON": ('{"title": "a", "title": "b"}', "stands twice"),
    "C7 merge keys": ("a: &x {b: 1}\nc: {<<: *x}", "merge keys"),
    "C8 apply": ("a: !!python/object/apply:os.system [id]", "is not allowed"),
    "C8 new": ("!!python/object/new:os.system [id]", "is not allowed"),
    "C8 name": ("a: !!python/name:os.system", "is not allowed"),
    "C8 own tag": ("a: !x {}", "is not allowed"),
    "C9 20,000 levels": ("[" * 20_000 + "]" * 20_000, "more than 100 levels"),
    "C9 20,000 levels, flow": ("a: " + "{x: " * 20_000, "more than 100 levels"),
    "C9 20,000 levels, JSON": ('{"a":' * 20_000 + "1" + "}" * 20_000, "more than 100 levels"),
}


@pytest.mark.parametrize("name", DOCUMENTS)
def test_a_hostile_document_is_refused_soon(name: str, with_schema: Make) -> None:
    text, says = DOCUMENTS[name]
    before = time.process_time()
    with pytest.raises(SchemaError, match=says) as caught:
        with_schema(text).conform(event())
    assert time.process_time() - before < 2
    assert len(str(caught.value).encode()) <= 2000


def test_c7_values_are_what_json_would_have(with_schema: Make) -> None:
    text = (
        "title: test/event\nproperties:\n"
        "  day: {const: 2020-01-01}\n  number: {const: 1e3}\n  on: {const: no}\n  null: {const: ~}\n"
    )
    conformer = with_schema(text)
    conformer.conform(event(day="2020-01-01", number=1000, on="no", null=None))
    for wrong in ({"day": "2020-01-02"}, {"number": "1e3"}, {"on": False}, {"null": "null"}):
        with pytest.raises(ValidationError):
            conformer.conform(event(**wrong))


def test_c8_the_project_loads_yaml_safely_only() -> None:
    loads = re.compile(r"yaml\.(load|load_all|unsafe_load|full_load)\(|yaml\.(Unsafe|Full)?Loader\b")
    for path in (ROOT / "eplogging").rglob("*.py"):
        for line in path.read_text(encoding="utf-8").splitlines():
            assert not loads.search(line), f"{path}: {line}"


@both_validators
@pytest.mark.parametrize("order", [(1, 2), (2, 1)])
def test_c10_fragments_of_one_id_and_different_content(
    order: tuple[int, int], validator: Any, tmp_path: Path
) -> None:
    for number, kind in ((1, "string"), (2, "integer")):
        fragment = {"$id": "/fragment/x/1.0.0", "properties": {"x": {"type": kind}}}
        schema = {**EVENT_SCHEMA, "$id": "/same/1.0.0", "allOf": [fragment]}
        write(tmp_path, f"/test/event/{number}.0.0", schema)
    conformer = Conformer([tmp_path], STREAMS, validator=validator)
    good = {1: "text", 2: 7}
    for number in order:
        uri = f"/test/event/{number}.0.0"
        conformer.conform(event(uri, x=good[number]))
        with pytest.raises(ValidationError):
            conformer.conform(event(uri, x=good[3 - number]))


@pytest.mark.parametrize("draft", ["draft-07", "draft-04", "draft/2020-12"])
@pytest.mark.parametrize(
    "spelling", ["http://json-schema.org/{}/schema#", "https://json-schema.org/{}/schema"]
)
def test_c11_a_metaschema_is_no_schema_of_events(draft: str, spelling: str, with_schema: Make) -> None:
    uri = spelling.format(draft)
    with pytest.raises(SchemaURIError):
        with_schema({}).conform(event(uri))
    with pytest.raises((SchemaURIError, RejectedError)):
        with_schema({}, schema_precache_uris=["/x/1.0.0"]).conform(event(f"/{draft}/schema"))
