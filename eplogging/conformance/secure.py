"""Schemas that could make validation slow are refused before an event meets them.

The rules are those of AJV's json-schema-secure, which EventGate applies to every schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .errors import InsecureSchemaError
from .messages import pointer

_LARGE = ("object", "array")
_SINGLES = (
    "additionalItems", "additionalProperties", "if", "then", "else", "not", "contains", "propertyNames",
)  # fmt: skip
_MAPS = ("definitions", "properties", "patternProperties", "dependencies")
_LISTS = ("allOf", "anyOf", "oneOf")

Place = tuple[str | int, ...]


def refuse_insecure(uri: str, schema: Any) -> None:
    """Check one schema, with all that is inside it.

    Raises:
        InsecureSchemaError: it applies a slow check to values of any size.
    """
    waiting: list[tuple[Place, Any]] = [((), schema)]
    while waiting:
        place, node = waiting.pop()
        if not isinstance(node, Mapping):
            continue
        for problem in _problems(node):
            raise InsecureSchemaError(
                f"schema {uri} is insecure at {pointer(place) or '/'}: {problem},"
                " or set allow_insecure_schemas",
                schema_uri=uri,
            )
        waiting.extend((place + inner, child) for inner, child in _inside(node))


def _problems(node: Mapping[str, Any]) -> Iterator[str]:
    for keyword in ("pattern", "format"):
        if keyword in node and "maxLength" not in node:
            yield f"{keyword} judges strings of any length; add maxLength beside it"
    if "patternProperties" in node:
        names = node.get("propertyNames")
        if "propertyNames" not in node or (isinstance(names, Mapping) and "maxLength" not in names):
            yield "patternProperties judges names of any length; add propertyNames with maxLength beside it"
    if node.get("uniqueItems") is True and "maxItems" not in node and _may_be_large(node):
        yield "uniqueItems compares any number of objects or arrays; add maxItems beside it"


def _may_be_large(node: Mapping[str, Any]) -> bool:
    """Whether items may be objects or arrays, by the type that `items` itself names."""
    items = node.get("items")
    if not isinstance(items, Mapping) or "type" not in items:
        return True
    types = items["type"]
    return any(large == types or (isinstance(types, list) and large in types) for large in _LARGE)


def _inside(node: Mapping[str, Any]) -> Iterator[tuple[Place, Any]]:
    for keyword in _SINGLES:
        if keyword in node:
            yield (keyword,), node[keyword]
    for keyword in _MAPS:
        if isinstance(node.get(keyword), Mapping):
            yield from (((keyword, name), child) for name, child in node[keyword].items())
    for keyword in (*_LISTS, "items"):
        value = node.get(keyword)
        if isinstance(value, list):
            yield from (((keyword, index), child) for index, child in enumerate(value))
        elif keyword == "items":
            yield (keyword,), value
