"""YAML and JSON read as plain JSON data, and hostile documents refused before they cost anything."""

from __future__ import annotations

import json
import time
import tracemalloc

import pytest

from eplogging.conformance.documents import MAX_DEPTH, MAX_NODES, DocumentError, parse

LAUGHS = "a: &a [x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n"
    for before, name in zip("abcdefgh", "bcdefghi", strict=True)
)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": [1, 1.5, true, null, "x"]}', {"a": [1, 1.5, True, None, "x"]}),
        ("{a: [1, b], c: d}", {"a": [1, "b"], "c": "d"}),
        ("a: 1\nb: [x]", {"a": 1, "b": ["x"]}),
        ("[]", []),
        ("1.0.0.yaml", "1.0.0.yaml"),
        ("", None),
        ("# nothing\n", None),
        ("---\na: 1\n...\n", {"a": 1}),
        ("\ufeffa: é", {"a": "é"}),
        ("a: 2020-01-01", {"a": "2020-01-01"}),
        ("a: 2020-01-01T00:00:00Z", {"a": "2020-01-01T00:00:00Z"}),
        ("a: 12:30:45", {"a": "12:30:45"}),
        ("a: 1e3", {"a": 1000.0}),
        ("a: 1_000", {"a": "1_000"}),
        ("a: 0x10", {"a": "0x10"}),
        ("a: -0.5", {"a": -0.5}),
        ("a: +3", {"a": 3}),
        ("a: 1.0.0", {"a": "1.0.0"}),
        ("a: .inf", {"a": ".inf"}),
        ("a: .nan", {"a": ".nan"}),
        ("a: \u0661", {"a": "\u0661"}),
        ("a: [on, off, yes, no, y, n]", {"a": ["on", "off", "yes", "no", "y", "n"]}),
        ("on: 1\nno: 2\nnull: 3\n1: 4\n1.5: 5\n2020-01-01: 6",
         {"on": 1, "no": 2, "null": 3, "1": 4, "1.5": 5, "2020-01-01": 6}),
        ("a: [true, True, TRUE, false, ~, null, Null]", {"a": [True, True, True, False, None, None, None]}),
        ("a:", {"a": None}),
        ("a: '1'\nb: \"true\"\nc: |\n  text\n", {"a": "1", "b": "true", "c": "text\n"}),
        ("a: !!str 1\nb: !!int '2'\nc: !!float '2'\nd: ! 3", {"a": "1", "b": 2, "c": 2.0, "d": "3"}),
        ("a: !!map {b: !!seq [1]}", {"a": {"b": [1]}}),
        ("a: &x [1]\nb: *x", {"a": [1], "b": [1]}),
        ("a: &x 1\nb: &x 2\nc: *x", {"a": 1, "b": 2, "c": 2}),
        ("'<<': 1", {"<<": 1}),
    ],
)  # fmt: skip
def test_a_document_is_the_json_that_it_stands_for(text: str, value: object) -> None:
    assert json.dumps(parse(text.encode())) == json.dumps(value)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a: 1\na: 2", "line 2: the key 'a' stands twice"),
        ("{a: 1, 'a': 2}", "the key 'a' stands twice"),
        ('{"b": {"a": 1, "a": 2}}', "the key 'a' stands twice"),
        ('[{"a": 1, "b": 2, "b": 2}]', "the key 'b' stands twice"),
        ("1: a\n'1': b", "the key '1' stands twice"),
        ("a: &x {b: 1}\nc:\n  <<: *x", "line 3: merge keys"),
        ("[a, b]: 1", "a key is no text"),
        ("? {a: 1}\n: 1", "a key is no text"),
        ("&x a: 1\n*x : 2", "a key is no text"),
        ("a: !!python/object/apply:os.system [id]", "python/object/apply:os.system is not allowed"),
        ("a: !!python/name:os.system", "is not allowed"),
        ("a: !!timestamp 2020-01-01", "timestamp is not allowed"),
        ("a: !!binary aGk=", "binary is not allowed"),
        ("a: !!set {x}", "set is not allowed"),
        ("a: !own 1", "!own is not allowed"),
        ("a: !own {b: 1}", "!own is not allowed"),
        ("a: !!int x", "invalid literal"),
        ("a: 1\n---\nb: 2", "more than one document"),
        ("&x {a: *x}", "alias *x stands in its own value"),
        ("&x [*x]", "alias *x stands in its own value"),
        ("a: *x", "alias *x"),
        ("a: 1e999", "too large"),
        ('{"a": 1e999}', "too large"),
        ('{"a": -1e999}', "too large"),
        ("a: " + "9" * 5000, "too large"),
        ('{"a": NaN}', "NaN is no JSON value"),
        ('{"a": -Infinity}', "-Infinity is no JSON value"),
        ('{"a": "\\ud800"}', "lone surrogate"),
        ('{"\\udfff": 1}', "lone surrogate"),
        ('{"a": ', "neither YAML nor JSON"),
        ("a: [", "neither YAML nor JSON"),
        ("\tb: 1", "neither YAML nor JSON"),
        ("a: b: c", "neither YAML nor JSON"),
        ("a: \x00", "neither YAML nor JSON"),
        ('a: "\\ud800"', "neither YAML nor JSON"),
        (LAUGHS, f"more than {MAX_NODES:,} values"),
        ("[" * 20_000, "more than 100 levels"),
        ("[" * 20_000 + "]" * 20_000, "more than 100 levels"),
        ("a: " + "{x: " * 20_000, "more than 100 levels"),
        ("\n".join("  " * level + "a:" for level in range(150)), "more than 100 levels"),
    ],
)  # fmt: skip
def test_a_document_is_refused_with_place_and_reason(text: str, says: str) -> None:
    before = time.process_time()
    with pytest.raises(DocumentError) as caught:
        parse(text.encode())
    assert says in str(caught.value)
    assert len(str(caught.value)) < 600
    assert time.process_time() - before < 5  # each takes a second at most where it takes long at all


@pytest.mark.parametrize("text", [b"a: \xff", b'{"a": "\xff"}', b"\xff\xfea"])
def test_what_is_no_utf8_is_refused(text: bytes) -> None:
    with pytest.raises(DocumentError):
        parse(text)


def test_the_bounds_themselves_are_allowed() -> None:
    deep: object = "x"
    for _ in range(MAX_DEPTH):
        deep = [deep]
    assert parse(b"- " * MAX_DEPTH + b"x") == deep
    assert len(parse(b"a: [" + b"x," * (MAX_NODES - 4) + b"x]")["a"]) == MAX_NODES - 3


def test_an_alias_costs_what_it_stands_for() -> None:
    many = "a: &a [" + "x," * 1000 + "]\nb: [" + "*a," * (MAX_NODES // 1000) + "]"
    with pytest.raises(DocumentError, match="aliases counted"):
        parse(many.encode())


@pytest.mark.parametrize(
    "text",
    [
        "[" + "[]," * 2_000_000 + "1]",
        "[" + '"",' * 2_000_000 + "1]",
        '{"a": [' + '"\\\\",' * 1_000_000 + "1]}",
    ],
)
def test_too_many_values_in_json_are_counted_before_they_are_built(text: str) -> None:
    tracemalloc.start()
    try:
        before = time.process_time()
        with pytest.raises(DocumentError, match=f"more than {MAX_NODES:,} values"):
            parse(encoded := text.encode())
        assert time.process_time() - before < 1
        assert tracemalloc.get_traced_memory()[1] < 5 * len(encoded)
    finally:
        tracemalloc.stop()


def test_marks_within_texts_are_no_values() -> None:
    text = '["' + ',[{\\"\\\\' * 300_000 + '", "", "a"]'
    assert len(parse(text.encode())) == 3


@pytest.mark.parametrize(("values", "fits"), [(MAX_NODES - 1, True), (MAX_NODES, False)])
def test_the_bound_of_json_is_exact(values: int, fits: bool) -> None:
    text = ("[" + "[]," * (values - 1) + "[]]").encode()
    if fits:
        assert len(parse(text)) == values
    else:
        with pytest.raises(DocumentError, match="values"):
            parse(text)


def test_aliases_may_repeat_texts_within_reason() -> None:
    assert parse(b"a: &a " + b"x" * 1000 + b"\nb: [" + b"*a," * 900 + b"]")["b"] == ["x" * 1000] * 900


@pytest.mark.parametrize("levels", [MAX_DEPTH + 1, MAX_DEPTH + 2])
@pytest.mark.parametrize("start", ["", "# YAML\n"])
def test_json_and_yaml_have_one_bound_of_depth(start: str, levels: int) -> None:
    text = (start + "[" * levels + "]" * levels).encode()
    if levels == MAX_DEPTH + 1:
        assert parse(text)
    else:
        with pytest.raises(DocumentError, match="more than 100 levels"):
            parse(text)
