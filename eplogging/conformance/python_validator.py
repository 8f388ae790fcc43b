r"""The validator that is always there: `jsonschema`, taught to judge as AJV 6 does.

Its own rules differ from AJV's in formats, patterns (Python's `$` and `\d`), `multipleOf` and
equality; those keywords are replaced here.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from jsonschema import Draft7Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend
from referencing import Registry

from .bundling import Bundle, with_children
from .equality import are_equal, has_twins, identity, is_multiple
from .errors import Violation
from .fitting import Fitting, additional
from .formats import CHECKS
from .limits import as_double
from .messages import Finding, bad_names, describe, unexpected, violations_of
from .patterns import matcher

Errors = Iterator[ValidationError]
_FALSE = "false schema"
_MAY_BE_FALSE = ("additionalProperties", "additionalItems")
_LONG = 1000
_MOST_ERRORS = 200
"""Errors that are looked at: `violations_of` keeps the first 50 by their places."""

_TOO_DEEP = "depth"
_TOO_DEEP_TEXT = (
    "is nested deeper than can be judged by a schema that is nested too; make it or the schema flatter, or "
    "install eplogging[fast]"
)
_BROKEN = "broken"  # the text of an error is never shown; see `messages`


class PythonValidator:
    """Judges events with `jsonschema`."""

    def __init__(self, bundle: Bundle) -> None:
        # an empty registry: nothing can be fetched, whatever a reference says
        schema = _rewritten(bundle.schema)
        self._validator = _AjvValidator(schema, registry=Registry())
        self._fitting = Fitting(self._validator, schema)

    def is_valid(self, event: Any) -> bool:
        """Judge an event; one that is nested too deep to be judged is not valid."""
        try:
            return self._fitting.is_valid(event)
        except RecursionError:
            return False

    def violations(self, event: Any) -> list[Violation]:
        """Name every place where an event breaks the schema."""
        if self.is_valid(event):
            return []
        errors = itertools.islice(self._validator.iter_errors(event), _MOST_ERRORS)
        try:
            return violations_of(map(_finding, errors))
        except RecursionError:
            return [Violation("", _TOO_DEEP, _TOO_DEEP_TEXT)]


class _Options(list[Any]):
    """The values of an `enum`, with what they are compared by worked out once."""

    def __init__(self, values: list[Any]) -> None:
        super().__init__(values)
        self.identities = frozenset(map(identity, values))


def _rewritten(node: Any) -> Any:
    """Spell `false` as a keyword: `jsonschema` gives it no path."""
    if isinstance(node, bool):
        return node or {_FALSE: True}
    result = with_children(node, _rewritten)
    if "enum" in node:
        result["enum"] = _Options(node["enum"])
    result |= {name: node[name] for name in _MAY_BE_FALSE if node.get(name) is False}
    if not isinstance(node.get("items"), list):
        result.pop("additionalItems", None)  # it judges nothing then, and jsonschema fails at it
    return result


def _finding(error: ValidationError) -> Finding:
    path = tuple(error.absolute_path)
    keyword = str(error.validator)
    if keyword == "additionalProperties":
        return path, keyword, unexpected(additional(error.instance, error.schema))
    if keyword == "propertyNames":
        return path, keyword, bad_names([error.cause_name])  # type: ignore[attr-defined]
    return path, keyword, describe(keyword, error.validator_value, error.schema, error.instance)


def _additional_properties(validator: Any, value: Any, instance: Any, schema: dict[str, Any]) -> Errors:
    if not isinstance(instance, dict) or value is True:
        return
    names = additional(instance, schema)
    if value is False:
        if names:
            yield ValidationError(_BROKEN)
        return
    for name in names:
        yield from validator.descend(instance[name], value, path=name)


def _pattern_properties(validator: Any, value: dict[str, Any], instance: Any, _schema: Any) -> Errors:
    if isinstance(instance, dict):
        names_schema = _schema.get("propertyNames")
        limits = names_schema if isinstance(names_schema, dict) else {}
        for pattern, schema in value.items():
            search = matcher(pattern)
            for name, inner in instance.items():
                if not _far_too_long(name, limits) and search(name):
                    yield from validator.descend(inner, schema, path=name, schema_path=pattern)


def _property_names(validator: Any, value: Any, instance: Any, _schema: Any) -> Errors:
    if isinstance(instance, dict):
        for name in instance:
            if not validator.evolve(schema=value).is_valid(name):
                error = ValidationError(_BROKEN)
                error.cause_name = name  # type: ignore[attr-defined]
                yield error


def _required(_validator: Any, value: list[str], instance: Any, _schema: Any) -> Errors:
    """One error for all names that are missing; the built-in's each would be described again and again."""
    if isinstance(instance, dict) and any(name not in instance for name in value):
        yield ValidationError(_BROKEN)


def _dependencies(validator: Any, value: dict[str, Any], instance: Any, _schema: Any) -> Errors:
    if not isinstance(instance, dict):
        return
    present = {owner: needed for owner, needed in value.items() if owner in instance}
    lists = [needed for needed in present.values() if isinstance(needed, list)]
    if any(name not in instance for names in lists for name in names):
        yield ValidationError(_BROKEN)
    for owner, needed in present.items():
        if not isinstance(needed, list):
            yield from validator.descend(instance, needed, schema_path=owner)


def _any_of(validator: Any, value: list[Any], instance: Any, _schema: Any) -> Errors:
    """Unlike the built-in, this looks for no more than one error of each branch."""
    if not any(validator.evolve(schema=branch).is_valid(instance) for branch in value):
        yield ValidationError(_BROKEN)


def _one_of(validator: Any, value: list[Any], instance: Any, _schema: Any) -> Errors:
    fitting = (branch for branch in value if validator.evolve(schema=branch).is_valid(instance))
    if len(list(itertools.islice(fitting, 2))) != 1:
        yield ValidationError(_BROKEN)


def _false_schema(_validator: Any, _value: bool, _instance: Any, _schema: Any) -> Errors:
    yield ValidationError(_BROKEN)


def _pattern(_validator: Any, value: str, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and not _far_too_long(instance, schema) and not matcher(value)(instance):
        yield ValidationError(_BROKEN)


def _format(_validator: Any, value: str, instance: Any, schema: Any) -> Errors:
    if isinstance(instance, str) and not _far_too_long(instance, schema) and not CHECKS[value](instance):
        yield ValidationError(_BROKEN)


def _far_too_long(text: str, schema: Any) -> bool:
    """Whether `maxLength` refuses a text that is long enough for patterns to cost time."""
    return len(text) > _LONG and len(text) > schema.get("maxLength", len(text))


def _multiple_of(_validator: Any, value: float, instance: Any, _schema: Any) -> Errors:
    number = isinstance(instance, (int, float)) and not isinstance(instance, bool)
    if number and not is_multiple(as_double(instance), as_double(value)):
        yield ValidationError(_BROKEN)


def _enum(_validator: Any, value: list[Any], instance: Any, _schema: Any) -> Errors:
    options = value.identities if isinstance(value, _Options) else frozenset(map(identity, value))
    if identity(instance) not in options:
        yield ValidationError(_BROKEN)


def _const(_validator: Any, value: Any, instance: Any, _schema: Any) -> Errors:
    if not are_equal(instance, value):
        yield ValidationError(_BROKEN)


def _unique_items(_validator: Any, value: bool, instance: Any, _schema: Any) -> Errors:
    if value and isinstance(instance, list) and has_twins(instance):
        yield ValidationError(_BROKEN)


_AjvValidator = extend(  # type: ignore[no-untyped-call]
    Draft7Validator,
    validators={
        _FALSE: _false_schema,
        "additionalProperties": _additional_properties,
        "patternProperties": _pattern_properties,
        "propertyNames": _property_names,
        "required": _required,
        "dependencies": _dependencies,
        "anyOf": _any_of,
        "oneOf": _one_of,
        "pattern": _pattern,
        "format": _format,
        "multipleOf": _multiple_of,
        "enum": _enum,
        "const": _const,
        "uniqueItems": _unique_items,
    },
)
