"""Whether an event fits a schema at all, told by jsonschema's keywords without what is done around them.

To tell where an event breaks its schema, jsonschema makes a validator for each value in it, and most
events break none: this asks first.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import repeat
from typing import Any

from .patterns import matcher

Keywords = Mapping[str, Callable[[Any, Any, Any, Any], Any]]
"""What jsonschema calls a validator's `VALIDATORS`: a function for each keyword, which yields errors."""

_TYPES = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}
_NUMBERS = (int, float)


class Fitting:
    """Judges plain JSON data by a schema that `PythonValidator` has rewritten.

    Args:
        validator: jsonschema's, for the keywords that are not judged here.
        schema: with every schema that a `$ref` leads to in its `definitions`.
    """

    def __init__(self, validator: Any, schema: Any) -> None:
        self._validator = validator
        self._keywords: Keywords = validator.VALIDATORS
        self._schema = schema
        self._definitions = schema.get("definitions", {}) if isinstance(schema, dict) else {}

    def is_valid(self, event: Any) -> bool:
        """Judges an event; one that is nested too deep for this is left to jsonschema.

        Raises:
            RecursionError: it is nested too deep for that, too.
        """
        try:
            return self._fits(event, self._schema)
        except RecursionError:
            return bool(self._validator.is_valid(event))

    def _fits(self, value: Any, schema: Any) -> bool:
        if schema is True:
            return True
        if "$ref" in schema:
            return self._fits(value, self._definitions[schema["$ref"].rpartition("/")[2]])
        for keyword, wanted in schema.items():
            judge = _JUDGES.get(keyword)
            if judge is not None:
                if not judge(self, wanted, value, schema):
                    return False
            elif keyword in self._keywords:
                errors = self._keywords[keyword](self._validator, wanted, value, schema)
                for _ in errors or ():
                    return False
        return True

    def _type(self, wanted: Any, value: Any, _schema: Any) -> bool:
        name = _TYPES.get(type(value))
        if name == wanted:
            return True
        names = wanted if isinstance(wanted, list) else [wanted]
        return name in names or any(self._validator.is_type(value, one) for one in names)

    def _properties(self, wanted: Mapping[str, Any], value: Any, _schema: Any) -> bool:
        if isinstance(value, dict):
            for name, schema in wanted.items():
                if name in value and not self._fits(value[name], schema):
                    return False
        return True

    def _additional_properties(self, wanted: Any, value: Any, schema: Mapping[str, Any]) -> bool:
        if not isinstance(value, dict) or wanted is True:
            return True
        for name in additional(value, schema):
            if wanted is False or not self._fits(value[name], wanted):
                return False
        return True

    def _items(self, wanted: Any, value: Any, _schema: Any) -> bool:
        if not isinstance(value, list):
            return True
        if isinstance(wanted, list):
            return all(map(self._fits, value, wanted))
        return all(map(self._fits, value, repeat(wanted)))  # a generator would take more stack

    def _required(self, wanted: list[str], value: Any, _schema: Any) -> bool:
        return not isinstance(value, dict) or all(map(value.__contains__, wanted))

    def _min_length(self, wanted: int, value: Any, _schema: Any) -> bool:
        return not isinstance(value, str) or len(value) >= wanted

    def _max_length(self, wanted: int, value: Any, _schema: Any) -> bool:
        return not isinstance(value, str) or len(value) <= wanted

    def _minimum(self, wanted: float, value: Any, _schema: Any) -> bool:
        return type(value) not in _NUMBERS or bool(value >= wanted)

    def _maximum(self, wanted: float, value: Any, _schema: Any) -> bool:
        return type(value) not in _NUMBERS or bool(value <= wanted)

    def _all_of(self, wanted: list[Any], value: Any, _schema: Any) -> bool:
        return all(map(self._fits, repeat(value), wanted))

    def _any_of(self, wanted: list[Any], value: Any, _schema: Any) -> bool:
        return any(map(self._fits, repeat(value), wanted))


_JUDGES: Mapping[str, Callable[[Fitting, Any, Any, Any], bool]] = {
    "type": Fitting._type,
    "properties": Fitting._properties,
    "additionalProperties": Fitting._additional_properties,
    "items": Fitting._items,
    "required": Fitting._required,
    "minLength": Fitting._min_length,
    "maxLength": Fitting._max_length,
    "minimum": Fitting._minimum,
    "maximum": Fitting._maximum,
    "allOf": Fitting._all_of,
    "anyOf": Fitting._any_of,
}


def additional(instance: Any, schema: Any) -> list[str]:
    """The properties that `additionalProperties` judges: those that nothing beside it names."""
    known = schema.get("properties", {})
    names = [name for name in instance if name not in known]
    searches = [matcher(pattern) for pattern in schema.get("patternProperties", {})]
    return [name for name in names if not any(s(name) for s in searches)] if searches else names
