"""Equality of JSON values as JavaScript sees it: 1 is 1.0, true is not 1, key order is nothing."""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from typing import Any


def identity(value: Any) -> Hashable:
    """A key that equal JSON values share, and only they."""
    if isinstance(value, bool):
        return ("boolean", value)
    if isinstance(value, (list, tuple)):
        return ("array", tuple(map(identity, value)))
    if isinstance(value, dict):
        return ("object", frozenset((name, identity(inner)) for name, inner in value.items()))
    return value  # type: ignore[no-any-return]


def are_equal(left: Any, right: Any) -> bool:
    """Whether two JSON values are equal; at the cost of the smaller one at most."""
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(map(are_equal, left, right))
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(
            name in right and are_equal(value, right[name]) for name, value in left.items()
        )
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def has_twins(values: Iterable[Any]) -> bool:
    """Whether two of the values are equal."""
    seen: set[Hashable] = set()
    for value in values:
        key = identity(value)
        if key in seen:
            return True
        seen.add(key)
    return False


def is_multiple(number: float, divisor: float) -> bool:
    """`multipleOf` as AJV judges it: the quotient of the doubles is an integer.

    AJV compares with `parseInt`, which reads the digits that JavaScript writes; from 1e21 on it
    writes an exponent, and the comparison fails.
    """
    quotient = number / divisor
    return abs(quotient) < 1e21 and quotient == int(quotient)
