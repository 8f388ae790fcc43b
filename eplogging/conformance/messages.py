"""What is wrong with an event, in words that do not depend on the validator that found it.

The validators' own messages repeat whole values of the event (megabytes, or secrets), and differ
between libraries; these are short and the same for both.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Hashable, Iterable
from itertools import islice
from typing import Any, TypeVar

from .errors import Violation

MAX_VIOLATIONS = 50
MAX_LENGTH = 300
MAX_PATH = 400

_MOST_DESCRIBED = 200
"""Errors that are described: violations are said once and sorted by more than their places."""

Path = tuple[str | int, ...]
Finding = tuple[Path, str, list[str]]
"""Where in the event, which keyword, and one message for each way in which it is broken."""

Error = TypeVar("Error")

_KINDS = (
    (bool, "a boolean"), (str, "a string"), (int, "an integer"), (float, "a number"),
    (dict, "an object"), (list, "an array"),
)  # fmt: skip


def foremost(errors: Iterable[Error], place: Callable[[Error], tuple[Path, Hashable]]) -> list[Error]:
    """The errors whose places come first, as many as it makes sense to describe.

    Args:
        errors: errors of any kind.
        place: where an error is, and what tells it from others there.
    """
    known = {place(error): error for error in errors}
    chosen = heapq.nsmallest(_MOST_DESCRIBED, known.items(), key=lambda item: _sortable(item[0][0]))
    return [error for _, error in chosen]


def violations_of(findings: Iterable[Finding]) -> list[Violation]:
    """Turn findings into violations: each said once, in the order of their places, bounded."""
    found = {(_sortable(path), keyword, message): path
             for path, keyword, messages in findings for message in messages}  # fmt: skip
    return [
        Violation(pointer(path)[:MAX_PATH], keyword, message[:MAX_LENGTH])
        for (_, keyword, message), path in sorted(found.items(), key=lambda item: item[0])[:MAX_VIOLATIONS]
    ]


def describe(keyword: str, value: Any, node: Any, instance: Any) -> list[str]:
    """Say how an instance breaks a keyword that has this value in this schema."""
    if keyword in _MANY:
        return _MANY[keyword](value, node, instance) or [f"breaks {keyword}"]
    if keyword in _COMPARISONS:
        size, words = _COMPARISONS[keyword]
        return [f"{size(instance)} {words} {short(value)}"]
    return [_SINGLE[keyword](value, instance) if keyword in _SINGLE else f"breaks {keyword}"]


def pointer(path: Iterable[str | int]) -> str:
    """Write a path as a JSON Pointer (RFC 6901)."""
    return "".join("/" + str(token).replace("~", "~0").replace("/", "~1") for token in path)


def short(value: Any, limit: int = 60) -> str:
    """Show a value if it is small, else its kind."""
    if isinstance(value, str):
        cut = value if len(value) <= limit else value[:limit] + "…"
        return json.dumps(cut, ensure_ascii=False)
    if isinstance(value, int) and abs(value) >= 10**30:
        return "a very large integer"
    if value is None or isinstance(value, (bool, int, float)):
        return json.dumps(value)
    return kind(value)


def kind(value: Any) -> str:
    """Name the JSON type of a value."""
    return "null" if value is None else next((name for t, name in _KINDS if isinstance(value, t)), "no JSON")


def _sortable(path: Iterable[str | int]) -> tuple[tuple[bool, str | int], ...]:
    return tuple((isinstance(token, str), token) for token in path)


def _listed(values: Iterable[Any], limit: int = 180) -> str:
    text = ""
    for value in values:
        more = short(value)
        if text and len(text) + len(more) > limit:
            return text + ", …"
        text += f", {more}" if text else more
    return text


def _required(value: list[str], _node: Any, instance: Any) -> list[str]:
    missing = (name for name in value if name not in instance)
    return [f"required property {short(name)} is missing" for name in islice(missing, MAX_VIOLATIONS)]


def _dependencies(value: dict[str, Any], _node: Any, instance: Any) -> list[str]:
    missing = (
        (name, owner)
        for owner, names in value.items()
        if isinstance(names, list) and owner in instance
        for name in names
        if name not in instance
    )
    return [
        f"property {short(name)} is missing, which is required where {short(owner)} is present"
        for name, owner in islice(missing, MAX_VIOLATIONS)
    ]


def _type(value: str | list[str], _node: Any, instance: Any) -> list[str]:
    wanted = " or ".join([value] if isinstance(value, str) else value)
    shown = short(instance)
    return [f"must be {wanted}, and is {kind(instance)}" + ("" if shown == kind(instance) else f": {shown}")]


def _size(what: str) -> Callable[[Any], str]:
    return lambda instance: f"has {len(instance):,} {what},"


_MANY: dict[str, Callable[[Any, Any, Any], list[str]]] = {
    "required": _required,
    "dependencies": _dependencies,
    "type": _type,
}

_COMPARISONS: dict[str, tuple[Callable[[Any], str], str]] = {
    "minLength": (_size("characters"), "and must have at least"),
    "maxLength": (_size("characters"), "and may have at most"),
    "minItems": (_size("items"), "and must have at least"),
    "maxItems": (_size("items"), "and may have at most"),
    "minProperties": (_size("properties"), "and must have at least"),
    "maxProperties": (_size("properties"), "and may have at most"),
    "minimum": (short, "is less than the minimum,"),
    "maximum": (short, "is more than the maximum,"),
    "exclusiveMinimum": (short, "must be more than"),
    "exclusiveMaximum": (short, "must be less than"),
    "multipleOf": (short, "is no multiple of"),
}

_SINGLE: dict[str, Callable[[Any, Any], str]] = {
    "enum": lambda value, instance: f"{short(instance)} is not one of {_listed(value)}",
    "const": lambda value, instance: f"{short(instance)} must be {short(value)}",
    "pattern": lambda value, instance: f"{short(instance)} does not match the pattern {value[:160]}",
    "format": lambda value, instance: f"{short(instance)} is no {value}",
    "uniqueItems": lambda _value, _instance: "has an item twice",
    "contains": lambda _value, _instance: "has no item of the kind that it must contain",
    "additionalItems": lambda _value, instance: f"has {len(instance):,} items, more than the schema knows",
    "anyOf": lambda value, _instance: f"fits none of the {len(value)} allowed forms",
    "oneOf": lambda value, _instance: f"must fit exactly one of {len(value)} forms",
    "not": lambda _value, _instance: "has a form that is not allowed",
    "false schema": lambda _value, _instance: "is not allowed to be there",
}


def unexpected(names: Iterable[str]) -> list[str]:
    """Say which properties an object may not have."""
    return [f"property {short(name, 100)} is not in the schema, which allows no others" for name in names]


def bad_names(names: Iterable[str]) -> list[str]:
    """Say which property names break `propertyNames`."""
    return [f"property name {short(name, 100)} is not allowed" for name in names]
