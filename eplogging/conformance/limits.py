"""Numeric limits as JavaScript compares them, in words that exact comparison understands.

EventGate's numbers are doubles: 100000000000000001 passes a maximum of 100000000000000000,
since both round to one double. A limit beyond 2^53 is therefore moved to the last integer that
rounds to an allowed double, and both validators may go on comparing exactly.
"""

from __future__ import annotations

import math
from typing import Any

from .errors import SchemaError

_EXACT = 2.0**53
_OVERFLOW = 2**1024

_UPWARDS = {"maximum": True, "exclusiveMaximum": False, "minimum": False, "exclusiveMinimum": True}
_PAIRS = (("maximum", "exclusiveMaximum"), ("minimum", "exclusiveMinimum"))


def with_plain_limits(node: dict[str, Any], uri: str) -> dict[str, Any]:
    """Rewrite the limits of a schema in place: draft-07's spelling, one per side, exact.

    AJV 6 reports the stricter of `maximum` and `exclusiveMaximum` only, and takes draft-04's
    boolean `exclusiveMaximum` as a property of `maximum`.
    """
    for inclusive, exclusive in _PAIRS:
        _one_limit(node, inclusive, exclusive)
    for keyword, upwards in _UPWARDS.items():
        if keyword in node:
            node[keyword] = _exact(node[keyword], upwards, keyword, uri)
    if "multipleOf" in node and math.isinf(as_double(node["multipleOf"])):
        raise _too_large("multipleOf", uri)
    return node


def as_double(number: int | float) -> float:
    """The double that JavaScript has for a number; infinite where it is too large."""
    try:
        return float(number)
    except OverflowError:
        return math.inf if number > 0 else -math.inf


def _one_limit(node: dict[str, Any], inclusive: str, exclusive: str) -> None:
    strict = node.get(exclusive)
    if isinstance(strict, bool):
        del node[exclusive]
        if strict and inclusive in node:
            node[exclusive] = node.pop(inclusive)
    elif strict is not None and inclusive in node:
        stricter = as_double(strict) <= as_double(node[inclusive])
        if inclusive == "minimum":
            stricter = as_double(strict) >= as_double(node[inclusive])
        del node[inclusive if stricter else exclusive]


def _exact(limit: int | float, upwards: bool, keyword: str, uri: str) -> int | float:
    """The integer farthest from the limit, upwards or downwards, that still rounds to it."""
    double = as_double(limit)
    if math.isinf(double) or math.isnan(double):
        raise _too_large(keyword, uri)
    if abs(double) < _EXACT:
        return limit
    neighbour = math.nextafter(double, math.inf if upwards else -math.inf)
    beyond = (_OVERFLOW if upwards else -_OVERFLOW) if math.isinf(neighbour) else int(neighbour)
    middle = (int(double) + beyond) // 2
    if as_double(middle) == double:
        return middle
    return middle - 1 if upwards else middle + 1


def _too_large(keyword: str, uri: str) -> SchemaError:
    return SchemaError(
        f"schema {uri}: {keyword} is a number that no double can hold; give a smaller one", schema_uri=uri
    )
