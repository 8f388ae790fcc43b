r"""Finds regular expressions on which Python's engine, which backtracks, could run for ever.

`^(a+)+$` takes seconds for 30 characters and years for 60. Such a pattern has a loop that one text
can pass in two ways, which the position automaton of the pattern (Glushkov) shows: exponential
ambiguity is a pair of equal states that becomes a pair of different ones and equal again (Weber and
Seidl, 1991). A row of loops that share out one text costs a power of its length. The engine of the
extra `fast` is linear, or counts its steps.
"""

from __future__ import annotations

import importlib
import math
import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from .characters import DIGITS, SPACE, WORD, Ranges, complement
from .graphs import circles

_parser = importlib.import_module("re._parser" if sys.version_info >= (3, 11) else "sre_parse")
_IGNORE_CASE = 2
_ALL: Ranges = [(0, 0x10FFFF)]
_CATEGORIES = {
    "DIGIT": DIGITS,
    "SPACE": SPACE,
    "WORD": [*WORD, (0x80, 0x9F), (0xA1, 0x167F), (0x1681, 0x1FFF), (0x200B, 0x2027), (0x2030, 0x10FFFF)],
}
_MAX_COPIES = 4
_MAX_POSITIONS = 600
_MAX_STEPS = 100_000
_MAX_LOOPS = 50
_MAX_CHAIN = 3
"""Loops in a row that may share out one text: a thousand characters then cost a second or so at most. A
search that may begin anywhere is one more."""

_MAX_CHOICES = 14
"""Places where a text may go on in two ways, outside loops: each may double the time."""


_PART_STEPS = 20
"""What it counts to look at one part of a pattern: repeated parts that hold no position multiply too."""

_MAX_TRIES = 100_000_000
"""Steps that one match may take, where small ones are a nanosecond or so."""

_MAX_TEXT = 10_000

_Pair = tuple[int, int]


class TooComplexError(Exception):
    """The pattern is ambiguous, or too large to say anything of it in a short time."""


class _Part(NamedTuple):
    nullable: bool  # may it match nothing?
    first: tuple[int, ...]
    last: tuple[int, ...]
    doubled: bool = False  # is there a choice in it between two ways to match nothing?


_NOTHING = _Part(True, (), ())


class Cost(NamedTuple):
    """What a pattern costs Python's engine: 2 to its choices, times the text's length to its power.

    Attributes:
        power: of the text's length.
        choices: places where a text may go on in two ways, outside loops.
        steps: what it cost to find out.
    """

    power: int
    choices: int
    steps: int

    @property
    def longest_text(self) -> int | None:
        """Characters up to which a match takes a second at most; None for any."""
        if self.power < 2 and not self.choices:
            return None
        tries = _MAX_TRIES * math.factorial(self.power) / 2**self.choices
        return min(_MAX_TEXT, int(tries ** (1 / max(1, self.power))))

    def tries(self, length: int) -> int:
        """Small steps that a text of this length may take."""
        return int(2**self.choices * length**self.power) // math.factorial(self.power)


def cost_of(pattern: str, flags: int = 0, most_steps: int = _MAX_STEPS) -> Cost | None:
    """What matching may cost; None if the time may grow exponentially, or no one can tell.

    Args:
        pattern: a pattern that `re.compile` takes.
        flags: flags of `re`.
        most_steps: what it may cost to find out.
    """
    try:
        automaton = _Automaton(flags, most_steps)
        parsed = _parser.parse(pattern, flags)
        automaton.sequence(parsed)
        if automaton.loops_twice or automaton.choices > _MAX_CHOICES:
            return None
        power = automaton.power() + (not _begins_at_the_start(parsed))
    except (TooComplexError, RecursionError):
        return None
    return Cost(power, automaton.choices, automaton.steps) if power <= _MAX_CHAIN else None


def written_out(pattern: str) -> int:
    """How many characters and classes a pattern has when its counted repetitions are written out."""
    try:
        return _written_out(_parser.parse(pattern))
    except RecursionError:
        return sys.maxsize


def _written_out(items: Iterable[tuple[Any, Any]]) -> int:
    total = 0
    for name, value in items:
        kind = str(name)
        if kind in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, body = value
            times = least if most == _parser.MAXREPEAT else most
            total += max(1, int(times)) * _written_out(body)
        elif kind == "SUBPATTERN":
            total += _written_out(value[-1])
        elif kind == "BRANCH":
            total += sum(map(_written_out, value[1]))
        elif kind in ("ASSERT", "ASSERT_NOT"):
            total += _written_out(value[1])
        else:
            total += 1
    return total


def _begins_at_the_start(parsed: Any) -> bool:
    return bool(len(parsed)) and str(parsed[0][0]) == "AT" and "BEGINNING" in str(parsed[0][1])


class _Automaton:
    """Positions of a pattern, the characters each stands for, and which may follow which."""

    def __init__(self, flags: int, most_steps: int, steps: int = 0) -> None:
        self._most_steps = most_steps
        self._flags = flags
        self._ignores_case = bool(flags & _IGNORE_CASE)
        self._characters: list[Ranges] = []
        self._follow: dict[int, set[int]] = defaultdict(set)
        self.steps = steps
        self.choices = 0
        self._asserted = (
            0  # the highest power of an assertion: it may be tried at each step of what is around it
        )
        self.loops_twice = False

    def sequence(self, items: Iterable[tuple[Any, Any]]) -> _Part:
        whole = _NOTHING
        for name, value in items:
            whole = self._joined(whole, self._part(str(name), value))
        return whole

    def _joined(self, left: _Part, right: _Part) -> _Part:
        self._connect(left.last, right.first)
        return _Part(
            left.nullable and right.nullable,
            left.first + right.first if left.nullable else left.first,
            right.last + left.last if right.nullable else right.last,
            left.doubled or right.doubled,
        )

    def _connect(self, lasts: Sequence[int], firsts: Sequence[int]) -> None:
        for last in lasts:
            following = self._follow[last]
            self.loops_twice |= not following.isdisjoint(firsts)
            following.update(firsts)

    def _count(self, steps: int) -> None:
        self.steps += steps
        if self.steps > self._most_steps:
            raise TooComplexError

    def _part(self, name: str, value: Any) -> _Part:
        self._count(_PART_STEPS)
        if name in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
            return self._repeated(*value)
        if name == "SUBPATTERN":
            return self.sequence(value[-1])
        if name == "ATOMIC_GROUP":
            return self.sequence(value)
        if name == "BRANCH":
            return self._either([self.sequence(branch) for branch in value[1]])
        if name == "GROUPREF_EXISTS":
            # the condition decides, so it is no choice
            return self._either([self.sequence(branch or ()) for branch in value[1:]])._replace(doubled=False)
        if name in ("ASSERT", "ASSERT_NOT"):
            self._assertion(value[1])
            return _NOTHING
        if name == "AT":
            return _NOTHING
        at = self._position(_ALL if name == "GROUPREF" else self._ranges(name, value))
        return _Part(name == "GROUPREF", (at,), (at,))

    def _assertion(self, body: Any) -> None:
        """A loop inside can be as bad; for what is around it the assertion is nothing."""
        inner = _Automaton(self._flags, self._most_steps, self.steps)
        inner.sequence(body)
        self._asserted = max(self._asserted, inner.power())
        self.choices += inner.choices
        self.loops_twice |= inner.loops_twice
        self.steps = inner.steps

    def _either(self, parts: Sequence[_Part]) -> _Part:
        before: list[int] = []
        for index, part in enumerate(parts):
            overlaps = any(self._overlap(one, other) for one in part.first for other in before)
            self.choices += bool(index) and (overlaps or part.nullable or parts[0].nullable)
            before += part.first
        return _Part(
            any(part.nullable for part in parts),
            tuple(position for part in parts for position in part.first),
            tuple(position for part in parts for position in part.last),
            sum(part.nullable for part in parts) > 1 or any(part.doubled for part in parts),
        )

    def _repeated(self, least: int, most: int, body: Any) -> _Part:
        """Few copies are written out; many are taken for a loop, which is no less ambiguous."""
        if most > _MAX_COPIES:
            part = self.sequence(body)
            self._connect(part.last, part.first)
            self.loops_twice |= part.doubled
            return part._replace(nullable=part.nullable or least == 0)
        whole = _NOTHING
        self.choices += most - least
        for _ in range(most - least):
            whole = self._joined(self.sequence(body), whole)._replace(nullable=True)
        for _ in range(least):
            whole = self._joined(self.sequence(body), whole)
        return whole

    def _position(self, ranges: Ranges) -> int:
        if len(self._characters) >= _MAX_POSITIONS:
            raise TooComplexError
        self._characters.append(ranges)
        return len(self._characters) - 1

    def _ranges(self, name: str, value: Any) -> Ranges:
        if name == "IN":
            negated = str(value[0][0]) == "NEGATE"
            ranges = [pair for item in value[negated:] for pair in self._ranges(str(item[0]), item[1])]
            return _complement(ranges) if negated else ranges
        if name == "CATEGORY":
            *_, negated_name, kind = ("", *str(value).removeprefix("CATEGORY_").split("_"))
            ranges = _CATEGORIES.get(kind, _ALL)
            return _complement(ranges) if negated_name == "NOT" else ranges
        if name in ("LITERAL", "NOT_LITERAL", "RANGE"):
            low, high = value if name == "RANGE" else (value, value)
            ranges = [(low, high), *self._other_case(low, high)]
            return _complement(ranges) if name == "NOT_LITERAL" else ranges
        return _ALL

    def _other_case(self, low: int, high: int) -> Ranges:
        if not self._ignores_case:
            return []
        letters = ((0x41, 0x5A, 32), (0x61, 0x7A, -32))
        return [
            (max(low, first) + shift, min(high, last) + shift)
            for first, last, shift in letters
            if low <= last and high >= first
        ]

    def power(self) -> int:
        """The power of a text's length that matching may cost.

        Raises:
            TooComplexError: one text leads from some position back to it in two ways, or no one can tell.
        """
        follow = {position: list(self._follow[position]) for position in range(len(self._characters))}
        loops = [set(circle) for circle in circles(follow) if self._is_loop(circle)]
        if any(self._turns_twice(loop) for loop in loops):
            raise TooComplexError
        return self._chain(loops) + self._asserted

    def _is_loop(self, circle: list[int]) -> bool:
        return len(circle) > 1 or circle[0] in self._follow[circle[0]]

    def _turns_twice(self, loop: set[int]) -> bool:
        return any(
            any(first == second for first, second in circle)
            and any(first != second for first, second in circle)
            for circle in circles(self._pairs(loop))
        )

    def _pairs(self, loop: set[int]) -> dict[_Pair, list[_Pair]]:
        """Pairs of a loop's positions that one text can reach from equal ones, and what follows each."""
        edges: dict[_Pair, list[_Pair]] = {}
        waiting = [(position, position) for position in loop]
        while waiting:
            pair = waiting.pop()
            if pair in edges:
                continue
            left, right = (self._follow[position] & loop for position in pair)
            self._count(len(left) * len(right))
            edges[pair] = [(a, b) for a in left for b in right if a == b or self._overlap(a, b)]
            waiting += edges[pair]
        return edges

    def _chain(self, loops: list[set[int]]) -> int:
        """How many loops one text may be shared out among: the power of its length that it can cost."""
        if len(loops) > _MAX_LOOPS:
            raise TooComplexError
        after = [self._reached(loop) for loop in loops]
        longest: dict[int, int] = {}

        def length(index: int) -> int:
            if index not in longest:
                others = [
                    i for i, loop in enumerate(loops) if i != index and not loop.isdisjoint(after[index])
                ]
                longest[index] = 1 + max(map(length, others), default=0)
            return longest[index]

        return max(map(length, range(len(loops))), default=0)

    def _reached(self, loop: set[int]) -> set[int]:
        """The positions behind a loop that a text of its own characters leads to."""
        reached: set[int] = set()
        waiting = [position for inside in loop for position in self._follow[inside] - loop]
        while waiting:
            position = waiting.pop()
            self._count(len(loop))
            if position not in reached and any(self._overlap(position, inside) for inside in loop):
                reached.add(position)
                waiting += self._follow[position]
        return reached

    def _overlap(self, left: int, right: int) -> bool:
        self._count(len(self._characters[left]) * len(self._characters[right]))
        return any(
            low <= last and first <= high
            for low, high in self._characters[left]
            for first, last in self._characters[right]
        )


def _complement(ranges: Ranges) -> Ranges:
    return complement(sorted(ranges))
