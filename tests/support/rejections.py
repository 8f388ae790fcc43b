"""Events that can not be sent, one for each way in which that can be so."""

from __future__ import annotations

from typing import Any, NamedTuple

from tests.support.application import basic, page


class Bad(NamedTuple):
    """An event, why it is rejected, and a regex that the report must match."""

    event: dict[str, Any]
    reason: str
    says: str


def _circular() -> dict[str, Any]:
    event = basic()
    event["options"] = {"itself": event}
    return event


def _deep(levels: int) -> dict[str, Any]:
    inner: dict[str, Any] = {}
    for _ in range(levels):
        inner = {"deeper": inner}
    return inner


def _violation(path: str, keyword: str, **fields: Any) -> Bad:
    return Bad(page(**fields), "schema_violation", rf"{path}: .*\({keyword}\)")


_WITHOUT_WIKI = {name: value for name, value in page().items() if name != "wiki"}

BAD: dict[str, Bad] = {
    # what it is
    "empty $schema": Bad({**basic(), "$schema": ""}, "schema_uri_invalid", "set .schema"),
    "$schema is no string": Bad({**basic(), "$schema": 7}, "schema_uri_invalid", "set .schema"),
    "$schema without version": Bad({**basic(), "$schema": "/sample/basic"}, "schema_uri_invalid", "version"),
    "$schema out of the repository": Bad({**basic(), "$schema": "/../x/1.0.0"}, "schema_uri_invalid", "path"),
    "absolute $schema": Bad({**basic(), "$schema": "http://a/b/1.0.0"}, "schema_uri_invalid", "absolute"),
    "no meta": Bad({"$schema": "/sample/basic/1.0.0"}, "stream_name_invalid", "meta.stream"),
    "meta is no object": Bad({**basic(), "meta": "x"}, "stream_name_invalid", "meta.stream"),
    "no meta.stream": Bad({**basic(), "meta": {}}, "stream_name_invalid", "meta.stream"),
    "meta.stream is no string": Bad({**basic(), "meta": {"stream": 1}}, "stream_name_invalid", "meta.stream"),
    "meta.stream no topic can have": Bad(basic(stream="a/b"), "stream_name_invalid", "a/b"),
    "unknown schema": Bad({**basic(), "$schema": "/no/such/1.0.0"}, "schema_not_found", "/no/such/1.0.0"),
    "unknown version": Bad({**basic(), "$schema": "/sample/basic/9.0.0"}, "schema_not_found", "9.0.0"),
    "unknown stream": Bad(basic(stream="sample.unknown"), "stream_not_found", "sample.unknown"),
    "stream without schema_title": Bad(
        basic(stream="sample.untitled"), "stream_config_invalid", "schema_title"
    ),
    "wrong title": Bad(basic(stream="sample.other"), "schema_title_mismatch", "sample/other"),
    "no topic with this prefix": Bad(basic(stream="sample.elsewhere"), "topic_not_allowed", "codfw."),
    "no value for the key": Bad(page(stream="sample.titled"), "message_key_missing", "page.title"),
    # what its schema says
    "type": _violation("/page/id", "type", page={"id": "7"}),
    "required": Bad(_WITHOUT_WIKI, "schema_violation", "wiki"),
    "required, deep": _violation("/page", "required", page={}),
    "enum": _violation("/kind", "enum", kind="rename"),
    "const": _violation("/version", "const", version=2),
    "format date-time": _violation("/dt", "format", dt="yesterday"),
    "no real instant": _violation("/dt", "format", dt="2024-02-30T00:00:00Z"),
    "format uuid": _violation("/meta/id", "format", meta={"stream": "sample.page", "id": "x"}),
    "pattern": _violation("/wiki", "pattern", wiki="ENWIKI\n"),
    "additionalProperties": _violation("/", "additionalProperties", surprise=1),
    "minimum": _violation("/page/id", "minimum", page={"id": 0}),
    "maximum": _violation("/page/id", "maximum", page={"id": 1_000_001}),
    "exclusiveMinimum": _violation("/page/size", "exclusiveMinimum", page={"id": 7, "size": 0}),
    "multipleOf": _violation("/page/size", "multipleOf", page={"id": 7, "size": 3}),
    "minLength": _violation("/page/title", "minLength", page={"id": 7, "title": ""}),
    "maxLength": _violation("/page/title", "maxLength", page={"id": 7, "title": "é" * 21}),
    "minItems": _violation("/tags", "minItems", tags=[]),
    "maxItems": _violation("/tags", "maxItems", tags=["a", "b", "c", "d"]),
    "uniqueItems": _violation("/tags", "uniqueItems", tags=["a", "a"]),
    "items": _violation("/tags/1", "type", tags=["a", None]),
    "minProperties": _violation("/numbers", "minProperties", numbers={}),
    "maxProperties": _violation("/numbers", "maxProperties", numbers={"a": 1, "b": 2, "c": 3}),
    "propertyNames": Bad(page(numbers={"too long": 1}), "schema_violation", "/numbers"),
    "anyOf": _violation("/size", "anyOf", size=None),
    "exclusiveMaximum": _violation("/size", "anyOf", size=10),
    "additionalItems": _violation("/parts/1", "type", parts=["a", "b"]),
    "contains": _violation("/labels", "contains", labels=["a", "b"]),
    "patternProperties": _violation("/marks/x1", "type", marks={"x1": "a"}),
    "then": _violation("/state", "required", state={"ended": True}),
    "else": _violation("/state", "required", state={}),
    "oneOf": _violation("/author", "oneOf", author=1, kind="edit"),
    "not": _violation("/note", "not", note={}),
    "dependencies": _violation("/", "dependencies", author="me"),
    # what it is made of
    "too large": Bad(basic(text="x" * 1_000_000), "message_too_large", "message.max.bytes"),
    "NaN": Bad(basic(extra=float("nan")), "not_json", "/extra"),
    "infinity": Bad(basic(extra=[float("-inf")]), "not_json", "/extra/0"),
    "circular": Bad(_circular(), "not_json", "contains itself"),
    "too deep": Bad(basic(extra=_deep(65)), "not_json", "64 levels"),
    "integer beyond 64 bits": Bad(basic(extra=2**63), "not_json", "/extra"),
    "key is no string": Bad(basic(extra={1: "a"}), "not_json", "/extra"),
    "object": Bad(basic(extra=object()), "not_json", "/extra"),
    "lone surrogate": Bad(basic(extra="\ud800"), "not_json", "lone surrogate"),
    "lone surrogate in a key": Bad(basic(extra={"\udfff": 1}), "not_json", "lone surrogate"),
}
