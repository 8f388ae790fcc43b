"""Schemas of a kilobyte that ask for years, gigabytes or a crash: refused when they are loaded (row C4)."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from eplogging.conformance import InsecureSchemaError, MessageTooLargeError, SchemaError
from eplogging.conformance.compiled import CompiledSchema, compile_schema
from eplogging.conformance.complexity import MAX_DEPTH
from tests.unit.conformance.world import both_validators

Schema = dict[str, Any]


def compiled(schema: Schema, validator: Any = None) -> CompiledSchema:
    def load(uri: str) -> Schema:
        raise AssertionError(f"{uri} is looked up")

    document = {"title": "t", **schema}
    return compile_schema("/a/1.0.0", document, load, implementation=validator)


@contextmanager
def soon(seconds: float = 1.0) -> Iterator[None]:
    before = time.process_time()
    yield
    assert time.process_time() - before < 4 * seconds, "even on a busy machine"


def chain(length: int, link: Any) -> Schema:
    """Definitions each of which leads to the next one, in a way of its own."""
    definitions = {f"d{index}": link({"$ref": f"#/definitions/d{index + 1}"}) for index in range(length)}
    return {"$ref": "#/definitions/d0", "definitions": {**definitions, f"d{length}": {"type": "object"}}}


def nested(keyword: str, levels: int, inner: Any) -> Any:
    for _ in range(levels):
        inner = {keyword: [inner] if keyword.endswith("Of") else inner}
    return inner


LIST: Schema = {"$ref": "#/definitions/l"}
MAP: Schema = {"$ref": "#/definitions/m"}
ANY_JSON: Schema = {
    "additionalProperties": {"$ref": "#/definitions/json"},
    "items": {"$ref": "#/definitions/json"},
}

BOMBS: dict[str, Schema] = {
    "deep through $refs": chain(3, lambda ref: nested("anyOf", 20, ref)),
    "deep in place": {"properties": {"x": nested("not", MAX_DEPTH + 1, {})}},
    "deep dependencies": {"properties": {"x": nested("dependencies", 0, nested("anyOf", 40, {}))}},
    "twice in place": chain(20, lambda ref: {"anyOf": [ref, ref]}),
    "twice in allOf": chain(20, lambda ref: {"allOf": [ref, {"description": "x"}, ref]}),
    "twice below": chain(20, lambda ref: {"anyOf": [{"properties": {"x": ref}}, {"properties": {"x": ref}}]}),
    "defaults that double": chain(
        20, lambda ref: {"properties": {name: {"allOf": [ref], "default": {}} for name in "lr"}}
    ),
    "a default within itself": {"properties": {"x": {"$ref": "#", "default": {}}}},
    "a circle that doubles": {
        "definitions": {
            "d": {"anyOf": [{"properties": {"x": {"$ref": "#/definitions/d"}}} for _ in range(2)]},
        },
        "properties": {"x": {"$ref": "#/definitions/d"}},
    },
    "a circle that doubles by any name": {
        "definitions": {
            "d": {
                "properties": {"x": {"$ref": "#/definitions/d"}},
                "allOf": [{"additionalProperties": {"$ref": "#/definitions/d"}}],
            },
        },
        "properties": {"x": {"$ref": "#/definitions/d"}},
    },
    "a circle that doubles further down": {
        "properties": {"x": {"anyOf": [{"$ref": "#"}, {"allOf": [{"$ref": "#"}]}]}},
    },
    "a circle that doubles every other level": {
        "definitions": {
            "d": {
                "properties": {"x": {"oneOf": [{"properties": {"x": {"$ref": "#/definitions/d"}}}] * 2}},
            },
        },
        "properties": {"x": {"$ref": "#/definitions/d"}},
    },
    "circles that lead to circles": {
        "definitions": {
            f"d{number}": {
                "properties": {
                    "x": {"allOf": [{"$ref": f"#/definitions/d{one}"} for one in range(number + 1)[-2:]]}
                }
            }
            for number in range(10)
        },
        "properties": {"x": {"$ref": "#/definitions/d9"}},
    },
    "a circle that leads to others further down": {
        "definitions": {
            "d": {"properties": {"x": {"allOf": [{"$ref": "#/definitions/d"}, {"properties": {"x": MAP}}]}}},
            "m": {"properties": {"x": {"allOf": [MAP, {"properties": {"x": LIST}}]}}},
            "l": {"properties": {"x": LIST}},
        },
        "properties": {"x": {"$ref": "#/definitions/d"}},
    },
    "much of each item": {"properties": {"x": {"items": {"allOf": [{"minimum": n} for n in range(2500)]}}}},
    "much of each name": {
        "properties": {"x": {"allOf": [{"additionalProperties": {"minimum": n}} for n in range(2500)]}}
    },
    "much of what leads back": {
        "allOf": [{"minimum": n} for n in range(2500)],
        "properties": {"x": {"$ref": "#"}, "y": {"$ref": "#"}},
    },
}


@both_validators
@pytest.mark.parametrize("name", BOMBS)
def test_c4_a_bomb_is_refused_at_load(name: str, validator: Any) -> None:
    with soon(), pytest.raises(SchemaError, match="insecure"):
        compiled(BOMBS[name], validator)


@pytest.mark.parametrize("name", BOMBS)
def test_c4_it_is_refused_whatever_is_allowed(name: str) -> None:
    with soon(), pytest.raises(InsecureSchemaError):
        compile_schema("/a/1.0.0", {"title": "t", **BOMBS[name]}, dict, allow_insecure=True)


FINE: dict[str, Schema] = {
    "a circle that leads to another in turn": {
        "definitions": {
            "d": {"properties": {"x": {"allOf": [{"$ref": "#/definitions/d"}, {"properties": {"x": LIST}}]}}},
            "l": {"properties": {"x": LIST}},
        },
        "properties": {"x": {"$ref": "#/definitions/d"}},
    },
    "a tree": {
        "definitions": {"n": {"properties": {s: {"$ref": "#/definitions/n"} for s in ("left", "right")}}},
        "properties": {"tree": {"$ref": "#/definitions/n"}},
    },
    "circles that lead to circles by other names": {
        "definitions": {
            f"d{number}": {
                "properties": {
                    "x": {"$ref": f"#/definitions/d{number}"},
                    "y": {"$ref": f"#/definitions/d{max(number - 1, 0)}"},
                }
            }
            for number in range(10)
        },
        "properties": {"x": {"$ref": "#/definitions/d9"}},
    },
    "a tree with extensions": {
        "definitions": {
            "json": ANY_JSON,
            "node": {
                "properties": {"children": {"items": {"$ref": "#/definitions/node"}}},
                "patternProperties": {"^x-": {"$ref": "#/definitions/json"}},
                "propertyNames": {"maxLength": 50},
            },
        },
        "properties": {"tree": {"$ref": "#/definitions/node"}},
    },
    "a tree of itself or of anything": {
        "definitions": {
            "json": ANY_JSON,
            "node": {
                "additionalProperties": {"anyOf": [{"$ref": f"#/definitions/{n}"} for n in ("node", "json")]}
            },
        },
        "properties": {"tree": {"$ref": "#/definitions/node"}},
    },
    "many kinds in a list": {
        "properties": {
            "events": {
                "items": {
                    "oneOf": [
                        {"properties": {f"f{kind}.{n}": {"type": "string"} for n in range(45)}}
                        for kind in range(25)
                    ]
                }
            }
        }
    },
    "a map of itself, but for a list": {
        "properties": {"parts": {"items": {"$ref": "#"}}},
        "additionalProperties": {"$ref": "#"},
    },
    "a list of itself": {"properties": {"parts": {"type": "array", "items": {"$ref": "#"}}}},
    "one fragment in many places": {
        "definitions": {"f": {"type": "string", "maxLength": 10}},
        "properties": {f"p{number}": {"$ref": "#/definitions/f"} for number in range(1000)},
    },
    "in place, within reason": {"properties": {"x": nested("anyOf", MAX_DEPTH - 2, {"type": "integer"})}},
}


@both_validators
@pytest.mark.parametrize("name", FINE)
def test_c4_what_is_within_reason_is_taken(name: str, validator: Any) -> None:
    with soon():
        assert compiled(FINE[name], validator).is_valid({})


ODD: dict[str, Schema] = {
    "$ref that is no URI": {"properties": {"x": {"$ref": "http://["}}},
    "pointer without end": {"properties": {"x": {"$ref": "#/allOf/" + "9" * 5000}}},
    **{
        f"draft-{draft} {keyword}": {
            "$schema": f"http://json-schema.org/draft-{draft}/schema#",
            "properties": {"x": {keyword: value}},
        }
        for draft in ("04", "06")
        for keyword, value in {"contains": 5, "if": "x", "propertyNames": [1], "then": [], "else": 1}.items()
    },
}


@both_validators
@pytest.mark.parametrize("name", ODD)
def test_only_errors_of_our_own_come_out(name: str, validator: Any) -> None:
    try:
        compiled(ODD[name], validator)
    except SchemaError:
        pass
    except AssertionError as error:
        assert "is looked up" in str(error)


@both_validators
@pytest.mark.parametrize("identifier", ["http://[", "//[x"])
def test_an_id_that_is_no_uri_is_only_warned_of(identifier: str, validator: Any) -> None:
    assert compiled({"$id": identifier}, validator).is_valid({})


@pytest.mark.parametrize("default", [2**64, -(2**63) - 1, float("inf"), nested("not", 80, {})])
def test_a_default_that_can_not_be_sent_is_refused(default: Any) -> None:
    with pytest.raises(SchemaError, match="a default can not be sent"):
        compiled({"properties": {"x": {"default": default}}})


@both_validators
def test_defaults_can_not_blow_an_event_up(validator: Any) -> None:
    schema = {"properties": {"x": {"items": {"properties": {"y": {"default": "z" * 10_000}}}}}}
    fill = compiled(schema, validator).fill_defaults
    assert fill is not None
    assert len(fill({"x": [{}] * 50})["x"]) == 50
    with soon(), pytest.raises(MessageTooLargeError, match="defaults would add more than 1,000,000 bytes"):
        fill({"x": [{}] * 10_000})


def test_defaults_inside_a_large_map_take_time_in_its_size() -> None:
    schema = {"properties": {"x": {"additionalProperties": {"properties": {"y": {"default": 1}}}}}}
    fill = compiled(schema).fill_defaults
    assert fill is not None
    event = {"x": {f"name{number}": {} for number in range(20_000)}}
    with soon():
        filled = fill(event)
    assert all(value == {"y": 1} for value in filled["x"].values())
    assert not any(event["x"].values()), "the caller's stay as they are"


def test_a_key_that_stands_twice_is_found_soon() -> None:
    from eplogging.conformance.documents import DocumentError, parse

    pairs = ",".join(f'"k{number}": 1' for number in range(20_000))
    with soon(), pytest.raises(DocumentError, match="'k0' stands twice"):
        parse(f'{{{pairs}, "k0": 1}}'.encode())


D: Schema = {"$ref": "#/definitions/d"}

ENDLESS: dict[str, Schema] = {
    "a tuple in itself": {
        "properties": {"x": {**D, "default": []}},
        "definitions": {"d": {"items": [{**D, "default": []}]}},
    },
    "what a default holds": {"properties": {"x": {"default": {"a": {}}, "properties": {"a": {"$ref": "#"}}}}},
    "any name that a default holds": {
        "properties": {"x": {"default": {"a": {}}, "additionalProperties": {"$ref": "#"}}}
    },
    "an item that a default holds": {"properties": {"x": {"default": [{}], "items": {"$ref": "#"}}}},
    "beside it": {"allOf": [{"properties": {"x": {"default": {}}}}, {"properties": {"x": {"$ref": "#"}}}]},
    "a pattern": {
        "properties": {"x": {"default": {}}},
        "patternProperties": {"^x": {"$ref": "#"}},
        "propertyNames": {"maxLength": 9},
    },
    "further down, and doubling": {
        "properties": {"y": D},
        "definitions": {
            "d": {"properties": {"x": {"default": {"a": {}, "b": {}}, "additionalProperties": D}}},
        },
    },
}


@both_validators
@pytest.mark.parametrize("name", ENDLESS)
def test_defaults_without_end_are_refused_at_load(name: str, validator: Any) -> None:
    with soon(), pytest.raises(InsecureSchemaError, match="defaults lead to themselves"):
        compiled(ENDLESS[name], validator)


def test_defaults_in_a_tree_of_itself_are_taken() -> None:
    node = {"properties": {"n": {"default": 1}, "left": D, "right": D}}
    fill = compiled({"properties": {"tree": D}, "definitions": {"d": node}}).fill_defaults
    assert fill is not None
    assert fill({"tree": {"left": {}}}) == {"tree": {"left": {"n": 1}, "n": 1}}


@pytest.mark.parametrize("kind", ["properties", "items"])
def test_defaults_in_many_places_of_a_large_value_take_time_in_its_size(kind: str) -> None:
    """Each place copied the whole value."""
    inner = {"properties": {"y": {"default": 1}}}
    many = [inner] * 4000
    named = {f"p{number}": inner for number in range(4000)}
    fill = compiled({"properties": {"x": {kind: many if kind == "items" else named}}}).fill_defaults
    values: Any = [{} for _ in range(40_000)]
    value = values if kind == "items" else {f"p{number}": one for number, one in enumerate(values)}
    assert fill is not None
    with soon(0.5):
        filled = fill({"x": value})["x"]
    assert sum(map(len, filled if kind == "items" else filled.values())) == 4000
    assert not any(values), "the caller's stay as they are"


def test_a_large_schema_that_many_refer_to_is_checked_once() -> None:
    large = {"properties": {f"p{number}": {"type": "string"} for number in range(4000)}}
    refs = {f"r{number}": {"$ref": "#/definitions/large"} for number in range(3000)}
    with soon(2), pytest.raises(InsecureSchemaError):
        compiled({"definitions": {"large": large}, "properties": refs})


def test_texts_that_aliases_repeat_do_not_take_all_memory() -> None:
    from eplogging.conformance.documents import DocumentError, parse

    text = 'a: &a "' + "x" * 50_000 + '"\nb: [' + "*a," * 20_000 + "]"
    with soon(), pytest.raises(DocumentError, match="aliases stand for more than 1,000,000 characters"):
        parse(text.encode())


@pytest.mark.parametrize("error", [MessageTooLargeError("too large"), KeyError("k")])
def test_any_other_error_is_told_by_its_type(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: Any) -> None:
        raise error

    monkeypatch.setattr("eplogging.conformance.compiled.refuse_costly", fails)
    with pytest.raises(SchemaError, match=type(error).__name__):
        compiled({})
