r"""ECMA-262 regular expressions in words that Python's `re` and Rust's engine both read.

Schemas hold patterns as JavaScript means them: `$` matches at the very end only, `\d` and `\w`
are ASCII, `\s` is JavaScript's white space. Every class is therefore written out as ranges.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Literal

from .backtracking import cost_of, written_out
from .characters import (
    DIGITS,
    LINE_ENDS,
    SPACE,
    WORD,
    PatternError,
    Ranges,
    complement,
    one_of,
    single,
    span,
)

Flavour = Literal["python", "rust"]

_REPEAT_LIMIT = 0x7FFFFFFF  # what both engines can count to; no string is longer
_CONTROLS = {"f": 0x0C, "n": 0x0A, "r": 0x0D, "t": 0x09, "v": 0x0B}

_BOUNDARY = "(?:(?<=[0-9A-Z_a-z])(?![0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?=[0-9A-Z_a-z]))"
_NO_BOUNDARY = "(?:(?<=[0-9A-Z_a-z])(?=[0-9A-Z_a-z])|(?<![0-9A-Z_a-z])(?![0-9A-Z_a-z]))"

_CLASSES = {
    letter: one_of(ranges if letter.islower() else complement(ranges))
    for letter, ranges in zip("dwsDWS", (DIGITS, WORD, SPACE) * 2, strict=True)
}
_NO_LINE_END = one_of(LINE_ENDS, negated=True)

_COUNTED = re.compile(r"\{(?:[0-9]*,)?([0-9]+)\}")
_BRACES = re.compile(r"\{([0-9]+)(,([0-9]*))?\}")
_GROUP_NAME = re.compile(r"\(\?<([^>=!][^>]{0,200})>")
_OPENERS = ("(?:", "(?=", "(?!", "(?<=", "(?<!")
_SKIPPED = re.compile(r"\\.|\[(?:\\.|[^\]\\])*\]?", re.DOTALL)  # escapes and classes


MAX_LENGTH = 2000
"""Characters of a pattern; the longest of Wikimedia's has 77."""

BACKTRACK_LIMIT = 1_000_000
"""Steps after which Rust's engine gives up a pattern that looks around or refers back."""

MAX_COUNTED = 70_000
"""Sum of the numbers in `{...}`, of one pattern or all of a schema: engines write such parts out."""


MAX_TRANSLATED = 20_000
"""Characters of all of a schema's patterns, each class written out as ranges: engines read 1 in 1.5 µs."""

MAX_WRITTEN_OUT = 2000
"""Positions of patterns with their `{...}` written out that Rust's engine compiles: some 5 µs each."""


@lru_cache(maxsize=4096)
def translate(source: str, flavour: Flavour = "python") -> str:
    """Rewrite an ECMA-262 pattern (without flags) for the regex engine of Python or Rust.

    Raises:
        PatternError: `new RegExp(source)` would throw.
    """
    return check(source, flavour)


def check(source: str, flavour: Flavour = "python") -> str:
    """As `translate`, for texts of events, which are not worth remembering.

    Raises:
        PatternError: as `translate`.
    """
    if len(source) > MAX_LENGTH:
        raise PatternError(f"it has {len(source):,} characters, and {MAX_LENGTH:,} are allowed")
    if counted(source) > MAX_COUNTED:
        raise PatternError(f"its {{...}} count to more than {MAX_COUNTED:,} together")
    return _Translator(source, flavour).run()


def counted(source: str) -> int:
    """The numbers in a pattern's `{...}` together."""
    return sum(int(number[:12]) for number in _COUNTED.findall(source))


@lru_cache(maxsize=4096)
def matcher(source: str) -> Callable[[str], object]:
    """As `searcher`, by the engine of the extra `fast` where that is installed and takes the pattern.

    Where no linear engine judges, no text matches that could take it seconds.

    Raises:
        PatternError: as `searcher`.
    """
    search = bounded_searcher(source)
    try:
        rust = importlib.import_module("jsonschema_rs")
    except ImportError:
        return search
    translated = translate(source)
    if written_out(translated) > MAX_WRITTEN_OUT:
        return search
    matches = _rust_matcher(rust, source, rust.RegexOptions())
    if matches is not None:
        return matches
    # the other engine's references to groups that took no part are not JavaScript's, but it gives up
    if "(?(" in translated and cost_of(translated) is not None:
        return search
    matches = _rust_matcher(rust, source, rust.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT))
    return search if matches is None else _bounded(source, matches)


def _rust_matcher(rust: Any, source: str, options: Any) -> Callable[[str], bool] | None:
    try:
        schema = {"pattern": translate(source, "rust")}
        return rust.Draft7Validator(schema, pattern_options=options).is_valid  # type: ignore[no-any-return]
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def bounded_searcher(source: str) -> Callable[[str], object]:
    """As `searcher`, but where a match could take seconds for longer texts, these do not match.

    Raises:
        PatternError: as `searcher`.
    """
    return _bounded(source, searcher(source))


def _bounded(source: str, matches: Callable[[str], object]) -> Callable[[str], object]:
    cost = cost_of(translate(source))
    longest = cost.longest_text if cost else None  # without a cost: allow_insecure_schemas
    if longest is None:
        return matches
    return lambda text: len(text) <= longest and matches(text)


def looks_around(source: str) -> bool:
    """Whether a pattern has an assertion or refers back, which no linear engine can."""
    translated = translate(source)  # where what is no such thing is escaped
    return any(opener in translated for opener in ("(?=", "(?!", "(?<=", "(?<!", "(?("))


@lru_cache(maxsize=4096)
def searcher(source: str) -> Callable[[str], object | None]:
    """Compile an ECMA-262 pattern to a function that is truthy where it matches somewhere.

    Raises:
        PatternError: the pattern is not valid, or beyond Python's engine (a look-behind of
            varying width).
    """
    try:
        return re.compile(translate(source)).search
    except (re.error, OverflowError, RecursionError) as error:
        raise PatternError(f"{error}") from error


class _Translator:
    """One pass over a pattern; the group stack is explicit, so nesting can not exhaust ours."""

    def __init__(self, source: str, flavour: Flavour) -> None:
        self.source = source
        self.flavour = flavour
        self.at = 0
        self.out: list[str] = []
        self.repeatable = False  # may a quantifier follow?
        self.stack: list[tuple[str, int, int]] = []  # opener, where its text starts, group number
        bare = _SKIPPED.sub("", source)
        self.names = _GROUP_NAME.findall(bare)
        self.groups = len(re.findall(r"\((?!\?)", bare)) + len(self.names)
        self.opened = 0
        self.named: dict[str, int] = {}
        self.closed: set[int] = set()

    def run(self) -> str:
        if len(set(self.names)) != len(self.names):
            raise PatternError("two groups have one name")
        while self.at < len(self.source):
            self.term()
        if self.stack:
            raise PatternError("a group is not closed")
        return "".join(self.out)

    def emit(self, text: str, *, repeatable: bool = True) -> None:
        self.out.append(text)
        self.repeatable = repeatable

    def term(self) -> None:
        character = self.source[self.at]
        if character == "(":
            self.open_group()
        elif character in "*+?{":
            self.quantifier()
        elif character == "\\":
            self.escape()
        elif character == "[":
            self.emit(self.character_class())
        else:
            self.at += 1
            self.plain(character)

    def plain(self, character: str) -> None:
        if character == ")":
            self.close_group()
        elif character == "$":
            # Python's `$` would also match before a trailing newline.
            self.emit("\\Z" if self.flavour == "python" else "$", repeatable=False)
        elif character in "^|":
            self.emit(character, repeatable=False)
        elif character == ".":
            self.emit(_NO_LINE_END)
        else:
            self.emit(single(ord(character)))

    def open_group(self) -> None:
        rest = self.source[self.at : self.at + 4]
        name = _GROUP_NAME.match(self.source, self.at)
        opener = next((start for start in _OPENERS if rest.startswith(start)), "(")
        number = 0
        if name:
            if not name[1].replace("$", "_").isidentifier():
                raise PatternError(f"{name[1]!r} is no name for a group")
            self.at = name.end()
        else:
            self.at += len(opener)
            if opener == "(" and rest.startswith("(?"):
                raise PatternError("(? starts no group that is known")
        if opener == "(":
            self.opened += 1
            number = self.opened
            if name:
                self.named[name[1]] = number
        self.stack.append((opener, len(self.out), number))
        self.emit(opener, repeatable=False)

    def close_group(self) -> None:
        if not self.stack:
            raise PatternError("a ) closes no group")
        opener, start, number = self.stack.pop()
        self.closed.add(number)
        if opener in ("(?=", "(?!"):
            # JavaScript lets a quantifier follow a look-ahead; as a group, the others do too.
            self.out[start] = "(?:" + opener
            self.emit("))")
        else:
            self.emit(")", repeatable=opener in ("(", "(?:"))

    def quantifier(self) -> None:
        text = self.source[self.at]
        if text == "{":
            braces = _BRACES.match(self.source, self.at)
            if braces is None:
                self.at += 1
                self.emit("\\{")
                return
            self.at = braces.end()
            text = _repetition(*braces.groups())
        else:
            self.at += 1
        if not self.repeatable:
            raise PatternError(f"{text} has nothing to repeat")
        if self.source.startswith("?", self.at):
            self.at += 1
            text += "?"
        self.emit(text, repeatable=False)

    def escape(self) -> None:
        following = self.source[self.at + 1 : self.at + 2]
        if following and following in _CLASSES:
            self.at += 2
            self.emit(_CLASSES[following])
        elif following in ("b", "B"):
            self.at += 2
            self.emit(_BOUNDARY if following == "b" else _NO_BOUNDARY, repeatable=False)
        elif following == "k" and self.names:
            name = re.compile(r"\\k<([^>]*)>").match(self.source, self.at)
            if name is None or name[1] not in self.names:
                raise PatternError("\\k names no group")
            self.at = name.end()
            self.reference(self.named.get(name[1], 0))
        elif (number := re.compile(r"\\([1-9][0-9]*)").match(self.source, self.at)) and int(
            number[1][:9]
        ) <= self.groups:
            self.at = number.end()
            self.reference(int(number[1]))
        else:
            ranges = self.class_escape()
            alone = len(ranges) == 1 and ranges[0][0] == ranges[0][1]
            self.emit(single(ranges[0][0]) if alone else one_of(ranges))

    def reference(self, number: int) -> None:
        if number not in self.closed:
            self.emit("(?:)")  # JavaScript: a group that did not take part matches the empty string
        elif self.flavour == "python":
            self.emit(f"(?:(?({number})\\{number}|))")
        else:
            self.emit(f"(?:\\{number})")

    def class_escape(self, *, inside: bool = False) -> Ranges:
        r"""Read one escape that stands for characters, inside or outside `[...]`."""
        letter = self.source[self.at + 1 : self.at + 2]
        if not letter:
            raise PatternError("\\ at the end escapes nothing")
        self.at += 2
        if letter in "dDwWsS":
            ranges = {"d": DIGITS, "w": WORD, "s": SPACE}[letter.lower()]
            return ranges if letter.islower() else complement(ranges)
        if letter in _CONTROLS:
            code = _CONTROLS[letter]
        elif letter in "01234567":
            code = self.octal()
        elif letter in "xu":
            code = self.hexadecimal(letter)
        elif letter == "c":
            code = self.control(inside)
        else:
            code = ord(letter)
        return [(code, code)]

    def octal(self) -> int:
        self.at -= 1
        digits = re.compile(r"[0-3][0-7]{0,2}|[4-7][0-7]?").match(self.source, self.at)
        assert digits is not None
        self.at = digits.end()
        return int(digits[0], 8)

    def hexadecimal(self, letter: str) -> int:
        width = 2 if letter == "x" else 4
        code = self.hex_at(self.at, width)
        if code is None:
            return ord(letter)  # without the digits it is an escaped letter
        self.at += width
        if 0xD800 <= code <= 0xDBFF and self.source.startswith("\\u", self.at):
            low = self.hex_at(self.at + 2, 4)
            if low is not None and 0xDC00 <= low <= 0xDFFF:
                self.at += 6
                return 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
        return code

    def hex_at(self, start: int, width: int) -> int | None:
        digits = self.source[start : start + width]
        return int(digits, 16) if re.fullmatch(f"[0-9a-fA-F]{{{width}}}", digits) else None

    def control(self, inside: bool) -> int:
        letter = self.source[self.at : self.at + 1]
        if letter.isascii() and (letter.isalpha() or (inside and (letter.isdecimal() or letter == "_"))):
            self.at += 1
            return ord(letter) % 32
        self.at -= 1  # a lone \c is a backslash, and the c comes next
        return ord("\\")

    def character_class(self) -> str:
        negated = self.source.startswith("[^", self.at)
        self.at += 2 if negated else 1
        ranges: Ranges = []
        while not self.source.startswith("]", self.at):
            low = self.class_atom()
            if self.source.startswith("-", self.at) and not self.source.startswith("-]", self.at):
                self.at += 1
                ranges += span(low, self.class_atom())
            else:
                ranges += low
        self.at += 1
        return one_of(ranges, negated=negated)

    def class_atom(self) -> Ranges:
        if self.at >= len(self.source):
            raise PatternError("a [ is not closed")
        if self.source.startswith("\\b", self.at):
            self.at += 2
            return [(0x08, 0x08)]
        if self.source[self.at] == "\\":
            return self.class_escape(inside=True)
        code = ord(self.source[self.at])
        self.at += 1
        return [(code, code)]


def _repetition(low: str, comma: str | None, high: str | None) -> str:
    least = min(int(low[:12]), _REPEAT_LIMIT)
    if comma is None:
        return f"{{{least}}}"
    if not high:
        return f"{{{least},}}"
    if int(high[:4000]) < int(low[:4000]):
        raise PatternError(f"{{{low},{high}}} counts downwards")
    return f"{{{least},{min(int(high[:12]), _REPEAT_LIMIT)}}}"
