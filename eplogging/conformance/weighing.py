"""How much a list of everything that is wrong with an event may cost, worked out before it is asked for.

jsonschema-rs makes all errors at once, each with a copy of the value that it is about and of the
options of its `enum`, and an error of an `anyOf` with all errors of all branches. So the walk here
takes every schema that judges a place for one that fails there, and stops when that is too much.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from .bundling import Bundle, Node

MOST_ERRORS = 5_000
"""Errors at most, at some 5 µs each."""

_MOST_COPIES = 100_000
"""Values copied into errors at most, at some 0.1 µs each."""

_Pair = tuple[Node, Any]


def is_light(bundle: Bundle, event: Any, most: int = MOST_ERRORS) -> bool:
    """Whether all that may be wrong with an event can be found in a short time.

    Args:
        bundle: the schema.
        event: an event.
        most: errors that it may have.
    """
    sizes = _sizes(event, most)
    if sizes is None:
        return False
    waiting: list[_Pair] = [(bundle.schema, event)]
    errors = copies = 0
    while waiting:
        node, value = waiting.pop()
        count, options = _own(node, value)
        errors += count
        copies += count * sizes.get(id(value), 1) + options
        if errors > most or copies > _MOST_COPIES:
            return False
        for pair in _below(bundle, node, value):
            waiting.append(pair)
            if errors + len(waiting) > most:
                return False
    return True


def _sizes(event: Any, most: int) -> dict[int, int] | None:
    """How many values are in each object and list, itself included; None if there are more than `most`."""
    values, parents = [event], [-1]
    for index, value in enumerate(values):  # which grows meanwhile
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
        if len(values) + len(inner) > most:
            return None
        values += inner
        parents += [index] * len(inner)
    counts = [1] * len(values)
    for index in range(len(values) - 1, 0, -1):
        counts[parents[index]] += counts[index]
    return {id(value): count for value, count in zip(values, counts, strict=True) if count > 1}


def _own(node: Node, value: Any) -> tuple[int, int]:
    """Errors that a schema itself may find in a value, and the options that they hold."""
    if not isinstance(node, dict):
        return 1, 0
    count = 1
    if isinstance(value, dict):
        if "required" in node:
            count += sum(name not in value for name in node["required"])
        if "propertyNames" in node:
            count += len(value)
        for owner, names in node.get("dependencies", {}).items():
            if isinstance(names, list) and owner in value:
                count += sum(name not in value for name in names)
    return count, len(node.get("enum", ()))


def _below(bundle: Bundle, node: Node, value: Any) -> Iterator[_Pair]:
    """The schemas that errors can come from, each with what it judges; in `not` and `if` none are made."""
    if not isinstance(node, dict):
        return
    if "$ref" in node:
        yield bundle.target(node), value
        return
    for keyword in ("allOf", "anyOf", "oneOf"):
        for schema in node.get(keyword, ()):
            yield schema, value
    for keyword in ("then", "else"):
        if keyword in node:
            yield node[keyword], value
    if isinstance(value, dict):
        yield from _in_object(node, value)
    elif isinstance(value, list):
        yield from _in_list(node, value)


def _in_object(node: dict[str, Any], value: dict[str, Any]) -> Iterator[_Pair]:
    properties = node.get("properties", {})
    for name, schema in properties.items():
        if name in value:
            yield schema, value[name]
    for schema in node.get("patternProperties", {}).values():  # as though each name matched
        for inner in value.values():
            yield schema, inner
    if isinstance(node.get("additionalProperties"), dict):
        for name, inner in value.items():
            if name not in properties:
                yield node["additionalProperties"], inner
    for owner, schema in node.get("dependencies", {}).items():
        if owner in value and not isinstance(schema, list):
            yield schema, value


def _in_list(node: dict[str, Any], value: list[Any]) -> Iterator[_Pair]:
    items = node.get("items", True)
    several = items if isinstance(items, list) else []
    rest: Node = node.get("additionalItems", True) if isinstance(items, list) else items
    yield from zip(several, value, strict=False)
    if rest is not True:
        for inner in value[len(several) :]:
            yield rest, inner
