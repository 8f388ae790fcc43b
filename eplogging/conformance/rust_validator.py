"""The fast validator: `jsonschema-rs`, given a schema in whose terms it judges as AJV 6 does.

Formats become patterns, which its engine runs without a call back into Python; patterns become
what Rust's engine takes, in linear time unless they look around.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Hashable, Iterable
from typing import Any

import jsonschema_rs

from .backtracking import written_out
from .bundling import Bundle, with_children
from .equality import is_multiple
from .errors import SchemaError, Violation
from .forking import computed_once
from .formats import PATTERNS, is_regex
from .limits import as_double
from .messages import Finding, Path, bad_names, describe, foremost, unexpected, violations_of
from .patterns import BACKTRACK_LIMIT, MAX_WRITTEN_OUT, matcher, translate
from .python_validator import PythonValidator
from .vouching import plain_data_schema, vouching_schema
from .weighing import is_light

_LINEAR = jsonschema_rs.RegexOptions()
_BOUNDED = jsonschema_rs.FancyRegexOptions(backtrack_limit=BACKTRACK_LIMIT)

_FEW = 500
"""Errors of an event that the Python validator, which is slower, may be asked for."""

_WRAPPED = "without branches"
"""Marks the `not: {not: ...}` around an `anyOf` or `oneOf`: an error of such holds no errors of branches."""

_LOSSY_NAME = re.compile(r"\+?[0-9]*").fullmatch
_FOREIGN = "pattern:"  # starts the format that stands for a pattern beyond the linear engine
_MARK = "(?:)"  # starts the pattern that stands for a format; matches nothing and costs nothing
_FORMATS = {
    name: tuple(_MARK + translate(pattern, "rust") for pattern in patterns)
    for name, patterns in PATTERNS.items()
}
_FORMAT_OF = {pattern: name for name, patterns in _FORMATS.items() for pattern in patterns}


class RustValidator:
    """Judges events with `jsonschema-rs`.

    Attributes:
        is_valid: the extension's own bound method, so that a judgement costs one call.
        vouches: likewise; True only for a valid event that orjson writes as `JSON.stringify` does.
    """

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._schema, self._validator = _compiled(bundle)
        self._written = {translate(pattern, "rust"): pattern for pattern in bundle.patterns}
        self.is_valid: Callable[[Any], bool] = self._validator.is_valid
        self.vouches: Callable[[Any], bool] = _vouching(bundle) or self._vouches_in_two_steps

    def violations(self, event: Any) -> list[Violation]:
        """Name every place where an event breaks the schema, or one of them where that could take long."""
        if not is_light(self._bundle, event):
            return self._first_violation(event)
        if not _has_lossy_name(event):
            errors = foremost(self._validator.iter_errors(event), _place)
            return violations_of(self._finding(error, event) for error in errors)
        if is_light(self._bundle, event, _FEW):
            return self._slow.violations(event)
        return self._first_violation(event)

    def _first_violation(self, event: Any) -> list[Violation]:
        schema, validator = self._brief
        try:
            validator.validate(event)
        except jsonschema_rs.ValidationError as error:
            try:
                return violations_of([self._finding(error, event, schema)])
            except (LookupError, TypeError, ValueError):  # a name that its paths leave out
                return [Violation("", str(error.evaluation_path[-1]), "is broken somewhere in the event")]
        return []

    @computed_once
    def _brief(self) -> tuple[dict[str, Any], jsonschema_rs.Validator]:
        return _compiled(self._bundle, brief=True)

    def _vouches_in_two_steps(self, event: Any) -> bool:
        return _is_plain_data(event) and self.is_valid(event)

    @computed_once
    def _slow(self) -> PythonValidator:
        return PythonValidator(self._bundle)

    def _finding(
        self, error: jsonschema_rs.ValidationError, event: Any, schema: dict[str, Any] | None = None
    ) -> Finding:
        path = tuple(error.instance_path)
        instance = event
        for token in path:
            instance = instance[token]
        kind = error.kind
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.FalseSchema):
            return path, "false schema", describe("false schema", False, False, instance)
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.AdditionalProperties):
            return path, "additionalProperties", unexpected(kind.unexpected)
        if isinstance(kind, jsonschema_rs.ValidationErrorKind.PropertyNames):
            return path, "propertyNames", bad_names([str(kind.error.instance)])
        keyword = str(error.evaluation_path[-1])
        node = _node(schema or self._schema, error.evaluation_path[:-1])
        if node.get("$comment") == _WRAPPED:
            node = node["not"]["not"]
            keyword = next(iter(node))
        keyword, value = self._as_written(keyword, node[keyword])
        return path, keyword, describe(keyword, value, node, instance)

    def _as_written(self, keyword: str, value: Any) -> tuple[str, Any]:
        """Undo the rewriting of formats and patterns."""
        if keyword == "pattern":
            return ("format", _FORMAT_OF[value]) if value in _FORMAT_OF else (keyword, self._written[value])
        if keyword == "format" and value.startswith(_FOREIGN):
            return "pattern", value[len(_FOREIGN) :]
        return keyword, value


def _place(error: jsonschema_rs.ValidationError) -> tuple[Path, Hashable]:
    """Where an error is, and what tells it from others that say the same."""
    kind = error.kind
    named = kind.error.instance if isinstance(kind, jsonschema_rs.ValidationErrorKind.PropertyNames) else None
    return tuple(error.instance_path), (*error.evaluation_path, named)


def _node(schema: dict[str, Any], path: Iterable[str | int]) -> Any:
    """The schema at a path that goes through `$ref`s."""
    node: Any = schema
    for token in path:
        node = node[token]
        if token == "$ref" and isinstance(node, str):  # nosec B105
            node = schema["definitions"][node.rpartition("/")[2]]
    return node


def _has_lossy_name(value: Any) -> bool:
    """Whether a property name is one that jsonschema-rs leaves out of its paths, or takes for an index."""
    waiting = [value]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict):
            if any(_LOSSY_NAME(name) for name in current):
                return True
            waiting.extend(current.values())
        elif isinstance(current, list):
            waiting.extend(current)
    return False


class _MultipleOf:
    """Replaces the built-in, which divides decimals exactly where AJV divides doubles."""

    def __init__(self, _schema: Any, value: Any, _path: Any) -> None:
        self.divisor = as_double(value)

    def validate(self, instance: Any) -> None:
        """Raise for a number that is no multiple."""
        number = isinstance(instance, (int, float)) and not isinstance(instance, bool)
        if number and not is_multiple(as_double(instance), self.divisor):
            raise ValueError


def _compiled(bundle: Bundle, *, brief: bool = False) -> tuple[dict[str, Any], jsonschema_rs.Validator]:
    foreign = _too_large(bundle.patterns)
    schema = _rewritten(bundle.schema, foreign, brief)
    try:
        return schema, _validator(bundle, schema, _LINEAR, foreign)
    except ValueError:
        pass  # a pattern that looks around; or an error, which the next attempt shows
    foreign |= {pattern for pattern in bundle.patterns - foreign if not _is_linear(pattern)}
    schema = _rewritten(bundle.schema, foreign, brief)
    try:
        return schema, _validator(bundle, schema, _BOUNDED, foreign)
    except ValueError as error:
        raise SchemaError(
            f"schema {bundle.uri} can not be compiled ({str(error)[:200]}); correct it", schema_uri=bundle.uri
        ) from error


def _too_large(patterns: Iterable[str]) -> frozenset[str]:
    """Patterns that Rust's engine would take long to compile; Python's writes nothing out."""
    total, large = 0, set()
    for size, pattern in sorted((written_out(translate(pattern)), pattern) for pattern in patterns):
        total += size
        if total > MAX_WRITTEN_OUT:
            large.add(pattern)
    return frozenset(large)


def _vouching(bundle: Bundle) -> Callable[[Any], bool] | None:
    schema = vouching_schema(bundle)
    if schema is None or _too_large(bundle.patterns):
        return None
    try:
        return jsonschema_rs.Draft4Validator(
            _rewritten(schema, frozenset()),
            validate_formats=True,
            pattern_options=_LINEAR,
            offline=True,
            **_written_in_python(bundle),
        ).is_valid
    except ValueError:  # a pattern beyond the linear engine
        return None


_is_plain_data = jsonschema_rs.Draft4Validator(plain_data_schema()).is_valid


def _validator(
    bundle: Bundle,
    schema: dict[str, Any],
    options: jsonschema_rs.RegexOptions | jsonschema_rs.FancyRegexOptions,
    foreign: Iterable[str],
) -> jsonschema_rs.Validator:
    return jsonschema_rs.Draft7Validator(
        schema,
        validate_formats=True,
        pattern_options=options,
        offline=True,
        **_written_in_python(bundle, foreign),
    )


def _written_in_python(bundle: Bundle, foreign: Iterable[str] = ()) -> dict[str, Any]:
    """What jsonschema-rs must call back for; with any of it, each judgement is half as dear again."""
    used = [node for node in bundle.schemas() if isinstance(node, dict)]
    formats: dict[str, Callable[..., bool]] = {_FOREIGN + pattern: _search(pattern) for pattern in foreign}
    if any(node.get("format") == "regex" for node in used):
        formats["regex"] = is_regex
    options: dict[str, Any] = {"formats": formats} if formats else {}
    if any("multipleOf" in node for node in used):
        options["keywords"] = {"multipleOf": _MultipleOf}
    return options


def _search(pattern: str) -> Callable[[str], bool]:
    matches = matcher(pattern)
    return lambda text: bool(matches(text))


def _is_linear(pattern: str) -> bool:
    try:
        jsonschema_rs.Draft7Validator({"pattern": translate(pattern, "rust")}, pattern_options=_LINEAR)
    except ValueError:
        return False
    return True


def _rewritten(node: Any, foreign: frozenset[str], brief: bool = False) -> Any:
    """A schema in the terms of Rust's engine: formats and patterns are what differs."""
    if isinstance(node, bool):
        return node
    result = with_children(node, lambda child: _rewritten(child, foreign, brief))
    if "patternProperties" in result:
        _judge_names(result)
    if result.get("additionalProperties") is False:
        result.setdefault("properties", {})  # without any, jsonschema-rs names no property
    if result.get("propertyNames") is False:
        result["propertyNames"] = {"not": {}}
    if "pattern" in result or result.get("format") in _FORMATS:
        _judge_text(result, foreign)
    if brief:
        _wrap_branches(result)
    return result


def _wrap_branches(node: dict[str, Any]) -> None:
    wrapped = [
        {"not": {"not": {keyword: node.pop(keyword)}}, "$comment": _WRAPPED}
        for keyword in ("anyOf", "oneOf")
        if keyword in node
    ]
    if wrapped:
        node["allOf"] = [*node.get("allOf", ()), *wrapped]


def _judge_names(node: dict[str, Any]) -> None:
    schemas: dict[str, Any] = {}
    for pattern, schema in node["patternProperties"].items():
        # marked, since in paths an empty one would be missing, and digits taken for an index
        translated = _MARK + translate(pattern, "rust")
        # two may become one, such as [0-9] and [\d]
        schemas[translated] = {"allOf": [schemas[translated], schema]} if translated in schemas else schema
    node["patternProperties"] = schemas


def _judge_text(node: dict[str, Any], foreign: frozenset[str]) -> None:
    tests: list[dict[str, Any]] = []
    pattern = node.pop("pattern", None)
    if pattern is not None:
        rust = {"pattern": translate(pattern, "rust")}
        tests.append({"format": _FOREIGN + pattern} if pattern in foreign else rust)
    if node.get("format") in _FORMATS:
        tests += [{"pattern": text} for text in _FORMATS[node.pop("format")]]
    for test in tests:
        if node.keys().isdisjoint(test):
            node.update(test)
        else:
            node["allOf"] = [*node.get("allOf", []), test]
