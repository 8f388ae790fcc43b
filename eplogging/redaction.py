"""Takes fields that no one shall read out of what error events and reports show of an event."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from .conformance import ConformanceError, Violation
from .conformance.errors import bounded
from .conformance.secrets import REDACTED

Path = tuple[str, ...]


class Redaction:
    """The fields that `redact_fields` names.

    Args:
        paths: dotted paths; a list on the way stands for each of its items.
    """

    def __init__(self, paths: Iterable[str]) -> None:
        self._paths: tuple[Path, ...] = tuple(tuple(path.split(".")) for path in paths)

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
        """The error without what its violations tell of these fields' values."""
        if not any(self._names(violation.path) for violation in error.violations):
            return error
        told = tuple(map(self._violation, error.violations))
        says = str(error).partition(": ")[0]
        redacted = copy.copy(error)
        redacted.args = (bounded(f"{says}: {'; '.join(map(str, told))}"),)
        redacted.violations = told
        redacted.__cause__ = redacted.__context__ = redacted.__traceback__ = None
        return redacted

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
