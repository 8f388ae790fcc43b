"""Takes fields that no one shall read out of what error events and reports show of an event."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .conformance import (
    ConformanceError,
    MessageKeyError,
    MessageTooLargeError,
    NotJSONError,
    ValidationError,
    Violation,
)
from .conformance.errors import bounded
from .conformance.secrets import REDACTED

Path = tuple[str, ...]

SCHEMA: Path = ("$schema",)
STREAM: Path = ("meta", "stream")

_TELL_OF_VALUES = (ValidationError, NotJSONError, MessageKeyError, MessageTooLargeError)
"""What is about other fields than `$schema` and `meta.stream`, and names these whole if at all."""


class Redaction:
    """The fields that `redact_fields` names.

    Args:
        paths: dotted paths; a list on the way stands for each of its items.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: tuple[Path, ...] = tuple(tuple(path.split(".")) for path in paths)
        self._hidden = tuple(path for path in (SCHEMA, STREAM) if self._covers(path))

    @property
    def names_any(self) -> bool:
        """Whether there is any such field."""
        return bool(self._paths)

    def _covers(self, path: Path) -> bool:
        """Whether a field, or an object that it is in, is one of these fields."""
        return any(path[: len(one)] == one for one in self._paths)

    def shown(self, path: Path, text: str) -> str:
        """What may be told of the text at `SCHEMA` or at `STREAM`."""
        return REDACTED if text and path in self._hidden else text

    def event(self, event: Any) -> Any:
        """Replaces these fields in plain JSON data, in place."""
        for path in self._paths:
            _replace(event, path)
        return event

    def hides(self, names: Path) -> bool:
        """Whether the value that these names lead to, lists left out, may be one of these fields.

        What is shown piece by piece may contain itself, so the last names are what counts.
        """
        return any(names[-len(path) :] == path for path in self._paths)

    def error(self, error: ConformanceError) -> ConformanceError:
        """The error without what it tells of these fields' values."""
        if not self._hidden and not any(self._names(violation.path) for violation in error.violations):
            return error
        told = tuple(map(self._violation, error.violations))
        says = str(error)
        if told:
            says = f"{says.partition(': ')[0]}: {'; '.join(map(str, told))}"
        redacted = copy.copy(error)
        redacted.args = (bounded(self._without_identity(says, error)),)
        redacted.violations = told
        redacted.schema_uri = self.shown(SCHEMA, error.schema_uri or "") or None
        redacted.stream = self.shown(STREAM, error.stream or "") or None
        redacted.__cause__ = redacted.__context__ = redacted.__traceback__ = None
        return redacted

    def _without_identity(self, text: str, error: ConformanceError) -> str:
        """What an error says, without the event's `$schema` and `meta.stream` if these are such fields."""
        if self._hidden and not isinstance(error, _TELL_OF_VALUES):
            return f"{REDACTED}, since redact_fields names {' and '.join(map('.'.join, self._hidden))}"
        for path, value in ((SCHEMA, error.schema_uri), (STREAM, error.stream)):
            if value and path in self._hidden:
                text = text.replace(value, REDACTED)
        return text

    def _violation(self, violation: Violation) -> Violation:
        return replace(violation, message=REDACTED) if self._names(violation.path) else violation

    def _names(self, pointer: str) -> bool:
        """Whether a place in the event is one of these fields, or inside one."""
        tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:]]
        return any(_leads_into(path, tokens) for path in self._paths)


def _leads_into(path: Path, tokens: list[str]) -> bool:
    names = iter(tokens)
    for name in path:
        token = next(names, None)
        while token is not None and token != name and token.isdecimal():
            token = next(names, None)  # the index of a list on the way
        if token != name:
            return False
    return True


def _replace(value: Any, path: Path) -> None:
    if isinstance(value, list):
        for item in value:
            _replace(item, path)
    elif isinstance(value, dict) and path[0] in value:
        if len(path) == 1:
            value[path[0]] = REDACTED
        else:
            _replace(value[path[0]], path[1:])


NO_REDACTION = Redaction(())
