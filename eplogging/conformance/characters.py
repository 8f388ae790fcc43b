"""Sets of characters in ECMA-262 patterns, written so that Python's and Rust's engines read them alike."""

from __future__ import annotations

from collections.abc import Iterable

Ranges = list[tuple[int, int]]
"""Code points, as first and last of each range."""

_LAST = 0x10FFFF
_SURROGATES = (0xD800, 0xDFFF)

DIGITS: Ranges = [(0x30, 0x39)]
WORD: Ranges = [(0x30, 0x39), (0x41, 0x5A), (0x5F, 0x5F), (0x61, 0x7A)]
SPACE: Ranges = [
    (0x09, 0x0D), (0x20, 0x20), (0xA0, 0xA0), (0x1680, 0x1680), (0x2000, 0x200A),
    (0x2028, 0x2029), (0x202F, 0x202F), (0x205F, 0x205F), (0x3000, 0x3000), (0xFEFF, 0xFEFF),
]  # fmt: skip
LINE_ENDS: Ranges = [(0x0A, 0x0A), (0x0D, 0x0D), (0x2028, 0x2029)]

_NEVER = "[^\\u0000-\U0010ffff]"


class PatternError(ValueError):
    """A pattern is no regular expression, or one that no engine here can run."""


def span(low: Ranges, high: Ranges) -> Ranges:
    """The range between two atoms of `[...]`."""
    singles = all(len(side) == 1 and side[0][0] == side[0][1] for side in (low, high))
    if not singles:  # as in [\w-a]: JavaScript takes the hyphen literally
        return [*low, (0x2D, 0x2D), *high]
    if high[0][0] < low[0][0]:
        raise PatternError("a range in [...] runs backwards")
    return [(low[0][0], high[0][0])]


def complement(ranges: Ranges) -> Ranges:
    """All other characters."""
    result: Ranges = []
    start = 0
    for low, high in ranges:
        if start < low:
            result.append((start, low - 1))
        start = high + 1
    return [*result, (start, _LAST)] if start <= _LAST else result


def _merged(ranges: Iterable[tuple[int, int]]) -> Ranges:
    result: Ranges = []
    for low, high in sorted(ranges):
        if result and low <= result[-1][1] + 1:
            result[-1] = (result[-1][0], max(result[-1][1], high))
        else:
            result.append((low, high))
    return result


def _without_surrogates(ranges: Ranges) -> Ranges:
    """Lone surrogates are in no event, and Rust's engine knows no such character."""
    first, last = _SURROGATES
    result: Ranges = []
    for low, high in ranges:
        if low < first:
            result.append((low, min(high, first - 1)))
        if high > last:
            result.append((max(low, last + 1), high))
    return result


def one_of(ranges: Ranges, *, negated: bool = False) -> str:
    """Write a set as `[...]`."""
    parts = _without_surrogates(_merged(ranges))
    if not parts:
        return f"[\\u0000-{chr(_LAST)}]" if negated else _NEVER
    text = "".join(_code(low) if low == high else f"{_code(low)}-{_code(high)}" for low, high in parts)
    return f"[{'^' if negated else ''}{text}]"


def _code(code: int) -> str:
    """A character inside `[...]`; what could have a meaning there, as an escape."""
    return chr(code) if code > 0x7F or chr(code).isalnum() else f"\\u{code:04x}"


def single(code: int) -> str:
    """Write one character outside of `[...]`."""
    if _SURROGATES[0] <= code <= _SURROGATES[1]:
        return _NEVER
    if code < 0x20:
        return f"\\u{code:04x}"
    return f"\\{chr(code)}" if chr(code) in "\\^$.*+?()[]{}|/" else chr(code)
