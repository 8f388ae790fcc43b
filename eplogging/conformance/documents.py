"""Schemas and stream configs as JSON data, whether they are written in JSON or in YAML.

YAML is read as the JSON it stands for, so that a text stays a text (dates too) and nothing in a
document can name a Python class, hide a value behind a repeated key, or grow without bound.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import yaml

MAX_DEPTH = 100
MAX_NODES = 200_000
MAX_REPEATED = 1_000_000
"""Characters that aliases may stand for: what reads a document copies them wherever they are used."""

_CONSTANTS = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_INTEGER = re.compile(r"[-+]?[0-9]{1,400}", re.ASCII)
_FLOAT = re.compile(r"[-+]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_TAGS: dict[str, tuple[str, re.Pattern[str] | None]] = {
    "tag:yaml.org,2002:str": ("str", None),
    "tag:yaml.org,2002:int": ("int", _INTEGER),
    "tag:yaml.org,2002:float": ("float", _FLOAT),
}
_NO_MARKS = bytes(set(range(256)) - set(b'",[{'))
_QUOTED_OR_NOT = re.compile(rb'"[^"]*"?|([^"]+)')
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class DocumentError(ValueError):
    """The text is no YAML or JSON document that may be used; the message says where and why."""


def parse(text: bytes) -> Any:
    """Reads a YAML or JSON document.

    Args:
        text: the document's bytes, UTF-8; the caller bounds their number.

    Returns:
        Plain JSON data.

    Raises:
        DocumentError: not YAML or JSON, more than one document, a repeated key, a tag, or more
            than 100 levels or 200,000 values (aliases counted as often as they are used).
    """
    if text.lstrip()[:1] in (b"{", b"["):
        _refuse_many(text)
        try:
            document = json.loads(
                text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_finite
            )
            return _encodable(_bounded(document))
        except DocumentError:
            raise
        except (ValueError, RecursionError):
            pass  # flow YAML looks like JSON; if it is neither, the YAML parser says where it breaks
    try:
        return _Builder(yaml.parse(text, Loader=_Loader)).document()
    except yaml.YAMLError as error:
        if "maximum nesting depth" in str(error):  # libyaml's own limit, which its scanner meets before we do
            raise DocumentError(f"it is nested more than {MAX_DEPTH} levels deep") from None
        raise DocumentError(f"it is neither YAML nor JSON: {' '.join(str(error).split())[:300]}") from None


def _refuse_many(text: bytes) -> None:
    """Counts the least number of values before they are built, which takes many times the text's memory.

    There is a comma or an opening bracket for each value, and a second bracket for each that is empty.
    """
    if sum(map(text.count, (b",", b"[", b"{"))) <= 2 * MAX_NODES:
        return
    marks = text.replace(b"\\\\", b"").replace(b'\\"', b"").translate(None, _NO_MARKS).replace(b'""', b"")
    count = 0
    for part in _QUOTED_OR_NOT.finditer(marks):
        count += len(part[1] or b"")
        if count > 2 * MAX_NODES:
            raise DocumentError(f"it holds more than {MAX_NODES:,} values")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    built = dict(pairs)
    if len(built) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise DocumentError(f"the key {name[:100]!r} stands twice in one object")
            seen.add(name)
    return built


def _bounded(document: Any) -> Any:
    """Level by level, so that no depth can exhaust the stack."""
    nodes, layer = 1, [document]
    for _ in range(MAX_DEPTH + 1):
        layer = [inner for outer in layer for inner in _inside(outer)]
        nodes += len(layer)
        if nodes > MAX_NODES:
            raise DocumentError(f"it holds more than {MAX_NODES:,} values")
        if not layer:
            return document
    raise DocumentError(f"it is nested more than {MAX_DEPTH} levels deep")


def _inside(value: Any) -> Iterable[Any]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _encodable(document: Any) -> Any:
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise DocumentError("a text holds a lone surrogate, which UTF-8 can not carry") from None
    return document


def _finite(text: str) -> float:
    number = float(text)
    if number in (float("inf"), float("-inf")):
        raise DocumentError(f"the number {text[:100]} is too large")
    return number


def _no_constant(name: str) -> Any:
    raise DocumentError(f"{name} is no JSON value")


class _Builder:
    """Builds JSON data from YAML's events, which come one by one: no limit is found too late."""

    def __init__(self, events: Iterator[yaml.Event]) -> None:
        self._events = iter(events)
        self._anchors: dict[str, tuple[Any, int, int, int]] = {}
        self._deepest = 0
        self._nodes = 0
        self._characters = 0
        self._repeated = 0

    def document(self) -> Any:
        found: list[Any] = []
        for event in self._events:
            if isinstance(event, yaml.NodeEvent):
                if found:
                    raise self._error(event, "there is more than one document")
                found.append(self._value(event, 0))
        return found[0] if found else None

    def _value(self, event: yaml.Event, depth: int) -> Any:
        before, written = self._nodes, self._characters
        self._count(event, 1)
        self._descend(event, depth)
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        outer, self._deepest = self._deepest, depth
        built: Any
        if isinstance(event, yaml.MappingStartEvent):
            built = self._mapping(event, depth)
        elif isinstance(event, yaml.SequenceStartEvent):
            built = self._sequence(event, depth)
        elif isinstance(event, yaml.ScalarEvent):
            built = self._scalar(event)
        else:
            raise self._error(event, "a value is missing")
        if event.anchor:
            counted = (self._nodes - before, self._characters - written, self._deepest - depth)
            self._anchors[event.anchor] = (built, *counted)
        self._deepest = max(outer, self._deepest)
        return built

    def _descend(self, event: yaml.Event, depth: int) -> None:
        if depth > MAX_DEPTH:
            raise self._error(event, f"it is nested more than {MAX_DEPTH} levels deep")
        self._deepest = max(self._deepest, depth)

    def _count(self, event: yaml.Event, nodes: int) -> None:
        self._nodes += nodes
        if self._nodes > MAX_NODES:
            raise self._error(
                event, f"it holds more than {MAX_NODES:,} values, aliases counted where they are used"
            )

    def _alias(self, event: yaml.AliasEvent, depth: int) -> Any:
        if event.anchor not in self._anchors:
            raise self._error(event, f"the alias *{event.anchor} stands in its own value, or before it")
        built, nodes, characters, levels = self._anchors[event.anchor]
        self._count(event, nodes)
        self._characters += characters
        self._repeated += characters
        if self._repeated > MAX_REPEATED:
            raise self._error(
                event, f"its aliases stand for more than {MAX_REPEATED:,} characters; write long texts once"
            )
        self._descend(event, depth + levels)
        return built

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> dict[str, Any]:
        self._check_tag(event, "tag:yaml.org,2002:map")
        built: dict[str, Any] = {}
        while not isinstance(key := next(self._events), yaml.MappingEndEvent):
            if not isinstance(key, yaml.ScalarEvent):
                raise self._error(key, "a key is no text")
            if key.value == "<<" and key.implicit[0]:
                raise self._error(key, "merge keys (<<) are no JSON; write the fields out")
            if key.value in built:
                raise self._error(key, f"the key {key.value!r} stands twice in one object")
            self._count(key, 1)
            self._characters += len(key.value)
            built[key.value] = self._value(next(self._events), depth + 1)
        return built

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> list[Any]:
        self._check_tag(event, "tag:yaml.org,2002:seq")
        built = []
        while not isinstance(item := next(self._events), yaml.SequenceEndEvent):
            built.append(self._value(item, depth + 1))
        return built

    def _scalar(self, event: yaml.ScalarEvent) -> Any:
        text = event.value
        self._characters += len(text)
        if event.tag == "!":
            return text
        if event.tag is not None:
            if event.tag not in _TAGS:
                raise self._error(event, f"the tag {event.tag} is not allowed")
            return self._tagged(event)
        if not event.implicit[0]:
            return text
        if text in _CONSTANTS:
            return _CONSTANTS[text]
        if _INTEGER.fullmatch(text):
            return int(text)
        return self._float(event) if _FLOAT.fullmatch(text) else text

    def _tagged(self, event: yaml.ScalarEvent) -> Any:
        name, form = _TAGS[event.tag or ""]
        if form is not None and not form.fullmatch(event.value):
            raise self._error(event, f"invalid literal for {name}: {event.value[:50]!r}")
        return event.value if form is None else int(event.value) if name == "int" else self._float(event)

    def _float(self, event: yaml.ScalarEvent) -> float:
        try:
            return _finite(event.value)
        except DocumentError as error:
            raise self._error(event, str(error)) from None

    def _check_tag(self, event: Any, allowed: str) -> None:
        if event.tag not in (None, "!", allowed):
            raise self._error(event, f"the tag {event.tag} is not allowed")

    @staticmethod
    def _error(event: yaml.Event, reason: str) -> DocumentError:
        line = event.start_mark.line + 1 if event.start_mark is not None else "?"
        return DocumentError(f"line {line}: {reason}")
