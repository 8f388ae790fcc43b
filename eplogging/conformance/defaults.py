"""Schema defaults, filled in as AJV 6 does with `useDefaults`: EventGate sends events that way.

A default fills a property or a tuple item that is absent, as the schema right at that place
says; nothing is filled inside `anyOf`, `oneOf`, `not`, `if`, `contains` and `propertyNames`.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from operator import contains
from typing import Any

from .bundling import Bundle, Node
from .errors import InsecureSchemaError, MessageTooLargeError, NotJSONError, SchemaError
from .graphs import circles
from .jsondata import plain
from .patterns import matcher
from .validation import Implementation, compile_validator

_MAX_BYTES = 1_000_000
"""Bytes that defaults may add to one event: as many as Kafka takes of a message, unless told otherwise."""

_MAX_TRIED = 10 * _MAX_BYTES
"""Bytes that all trials of a schema's defaults may fill in, while it is loaded."""

_Budget = list[int]
Fill = Callable[[Any, _Budget], Any]

_SINGLES = ("additionalItems", "additionalProperties", "then", "else")
_MAPS = ("properties", "patternProperties", "dependencies")


def compile_defaults(
    bundle: Bundle, implementation: Implementation | None = None
) -> Callable[[dict[str, Any]], dict[str, Any]] | None:
    """Make a function that fills a schema's defaults into an event; None where it has none.

    The function never changes the event: it returns the same object where nothing was absent,
    else a copy along the changed paths. Defaults go in before the whole event is judged, where
    AJV judges as it goes: so a default that an `allOf` gives satisfies a `required` beside it.

    Args:
        bundle: the schema.
        implementation: the validator that judges an `if`, whose `then` or `else` has defaults.

    The function raises `MessageTooLargeError` where defaults would add more than a megabyte.

    Raises:
        InsecureSchemaError: a default holds, or is given, what is filled by the same default again.
    """
    compiler = _Compiler(bundle, implementation)
    fill = compiler.filler(bundle.schema)
    if fill is None:
        return None
    compiler.refuse_endless()
    return lambda event: fill(event, [_MAX_BYTES])


def refuse_unsendable(bundle: Bundle) -> None:
    """Refuses defaults that could not be sent.

    Raises:
        SchemaError: a default is no JSON that can be sent.
    """
    for node in bundle.schemas():
        if isinstance(node, dict) and "default" in node:
            try:
                plain({"default": node["default"]})
            except (NotJSONError, MessageTooLargeError) as error:
                raise SchemaError(
                    f"schema {bundle.uri}: a default can not be sent: {error}", schema_uri=bundle.uri
                ) from None


class _Compiler:
    def __init__(self, bundle: Bundle, implementation: Implementation | None) -> None:
        self.bundle = bundle
        self.implementation = implementation
        self.useful, self.circling = _with_defaults(bundle)
        self.fillers: dict[int, Fill] = {}

    def refuse_endless(self) -> None:
        """Tries what leads to itself on nothing: a default that fills itself again goes on for ever then."""
        budget = [_MAX_TRIED]
        try:
            for key in self.circling & self.fillers.keys():
                self.fillers[key]({}, budget)
                self.fillers[key]([], budget)
        except (RecursionError, MessageTooLargeError):
            raise InsecureSchemaError(
                f"schema {self.bundle.uri} is insecure: its defaults lead to themselves, and so to an event "
                "without end; let none hold what it is the default of",
                schema_uri=self.bundle.uri,
            ) from None

    def filler(self, node: Node) -> Fill | None:
        """The function for one schema; a recursive schema finds its own again."""
        if id(node) not in self.useful:
            return None
        if "$ref" in node:
            return self.filler(self.bundle.target(node))
        key = id(node)
        if key not in self.fillers:
            steps: list[Fill] = []
            self.fillers[key] = lambda value, budget: _through(steps, value, budget)
            steps.extend(self.steps(node))
        return self.fillers[key]

    def steps(self, node: Mapping[str, Any]) -> Iterator[Fill]:
        """What to do with a value, in AJV's order."""
        items = node.get("items")
        if isinstance(items, list):
            yield from self.tuple_steps(items, node.get("additionalItems"))
        elif fill := self.filler(items):
            yield _each_item(fill, 0)
        if own := _defaults_of(_properties(node)):
            yield _absent_properties(own)
        for name, schema in node.get("dependencies", {}).items():
            if fill := self.filler(schema):
                yield _where_present(name, fill)
        yield from self.property_steps(node)
        for schema in node.get("allOf", ()):
            if fill := self.filler(schema):
                yield fill
        yield from self.condition(node)

    def tuple_steps(self, items: list[Node], additional: Node) -> Iterator[Fill]:
        if own := _defaults_of(enumerate(items)):
            yield _absent_items(own)
        if inner := self.fillers_of(enumerate(items)):
            yield _own_places(list, lambda value, index: index < len(value), inner)
        if fill := self.filler(additional):
            yield _each_item(fill, len(items))

    def fillers_of(self, children: Iterable[tuple[Any, Node]]) -> list[tuple[Any, Fill]]:
        """The keys of the schemas that fill something in, with their functions."""
        return [(key, fill) for key, schema in children if (fill := self.filler(schema))]

    def property_steps(self, node: Mapping[str, Any]) -> Iterator[Fill]:
        properties: Mapping[str, Node] = node.get("properties", {})
        patterns = {matcher(p): schema for p, schema in node.get("patternProperties", {}).items()}
        if fill := self.filler(node.get("additionalProperties")):
            yield _each_property(
                fill, lambda name: name not in properties and not any(search(name) for search in patterns)
            )
        if own := self.fillers_of(properties.items()):
            yield _own_places(dict, contains, own)
        for search, schema in patterns.items():
            if fill := self.filler(schema):
                yield _each_property(fill, search)

    def condition(self, node: Mapping[str, Any]) -> Iterator[Fill]:
        then, otherwise = self.filler(node.get("then")), self.filler(node.get("else"))
        if "if" in node and (then or otherwise):
            test = compile_validator(self.bundle.rooted_at(node["if"]), self.implementation).is_valid
            unchanged: Fill = lambda value, _: value  # noqa: E731
            yield _either(test, then or unchanged, otherwise or unchanged)


def _properties(node: Mapping[str, Any]) -> Iterator[tuple[str, Node]]:
    """The names and schemas under `properties`."""
    yield from node.get("properties", {}).items()


def _defaults_of(children: Any) -> dict[Any, Any]:
    return {key: node["default"] for key, node in children if isinstance(node, dict) and "default" in node}


def _with_defaults(bundle: Bundle) -> tuple[set[int], set[int]]:
    """The ids of all schemas that fill something in, themselves or further down; those that circle."""
    parents: dict[int, list[int]] = {}
    found: list[int] = []
    seen: set[int] = set()
    waiting: list[Node] = [bundle.schema]
    while waiting:
        node = waiting.pop()
        if id(node) in seen or not isinstance(node, dict):
            continue
        seen.add(id(node))
        children = list(_filled(node, bundle))
        for child in children:
            parents.setdefault(id(child), []).append(id(node))
        waiting.extend(children)
        items = node.get("items")
        if _defaults_of(_properties(node)) or (isinstance(items, list) and _defaults_of(enumerate(items))):
            found.append(id(node))
    useful: set[int] = set()
    while found:
        key = found.pop()
        if key not in useful:
            useful.add(key)
            found.extend(parents.get(key, ()))
    above = {key: parents.get(key, []) for key in useful}
    return useful, {key for circle in circles(above) if len(circle) > 1 for key in circle}


def _filled(node: Mapping[str, Any], bundle: Bundle) -> Iterator[Node]:
    """The schemas whose defaults count when those of this schema do."""
    if "$ref" in node:
        yield bundle.target(node)
        return
    for keyword in _SINGLES:
        yield node.get(keyword)
    for keyword in _MAPS:
        yield from node.get(keyword, {}).values()
    items = node.get("items")
    yield from items if isinstance(items, list) else [items]
    yield from node.get("allOf", ())


def _through(steps: list[Fill], value: Any, budget: _Budget) -> Any:
    for step in steps:
        value = step(value, budget)
    return value


def _spend(budget: _Budget, size: int) -> None:
    budget[0] -= size
    if budget[0] < 0:
        raise MessageTooLargeError(
            f"the schema's defaults would add more than {_MAX_BYTES:,} bytes to the event; send fewer of the "
            "objects that they are filled into, or give the fields"
        )


def _sizes(defaults: dict[Any, Any]) -> dict[Any, int]:
    return {key: len(str(key)) + len(json.dumps(value)) for key, value in defaults.items()}


def _is(kind: type, value: Any) -> bool:
    """Whether a value is a dict, or a list.

    Raises:
        TypeError: it is of a subclass, whose methods are code of others; it is to be made plain before.
    """
    actual = type(value)
    if actual is not kind and issubclass(actual, kind):
        raise TypeError(f"a {kind.__name__} of a class of its own")
    return actual is kind


def _absent_properties(defaults: dict[str, Any]) -> Fill:
    sizes = _sizes(defaults)

    def fill(value: Any, budget: _Budget) -> Any:
        if not _is(dict, value):
            return value
        absent = [name for name in defaults if name not in value]
        if not absent:
            return value
        _spend(budget, sum(sizes[name] for name in absent))
        return {**value, **{name: copy.deepcopy(defaults[name]) for name in absent}}

    return fill


def _absent_items(defaults: dict[int, Any]) -> Fill:
    last = max(defaults)
    size = sum(_sizes(defaults).values()) + 5 * (last + 1)

    def fill(value: Any, budget: _Budget) -> Any:
        if not _is(list, value) or len(value) > last:
            return value
        _spend(budget, size)
        # JavaScript leaves holes where no default is, and writes them as null
        return value + [copy.deepcopy(defaults.get(index)) for index in range(len(value), last + 1)]

    return fill


def _own_places(kind: type, has: Callable[[Any, Any], bool], inner: Sequence[tuple[Any, Fill]]) -> Fill:
    def fill(value: Any, budget: _Budget) -> Any:
        if not _is(kind, value):
            return value
        filled = value
        for place, one in inner:
            if has(value, place) and (new := one(value[place], budget)) is not value[place]:
                if filled is value:  # copied once, however many change: the event may be large
                    filled = value.copy()
                filled[place] = new
        return filled

    return fill


def _each_property(inner: Fill, applies: Callable[[str], object]) -> Fill:
    def fill(value: Any, budget: _Budget) -> Any:
        if not _is(dict, value):
            return value
        filled = {name: inner(value[name], budget) for name in value if type(name) is str and applies(name)}
        if all(new is value[name] for name, new in filled.items()):
            return value
        return {**value, **filled}

    return fill


def _each_item(inner: Fill, start: int) -> Fill:
    def fill(value: Any, budget: _Budget) -> Any:
        if _is(list, value):
            filled = [item if index < start else inner(item, budget) for index, item in enumerate(value)]
            if any(new is not old for new, old in zip(filled, value, strict=True)):
                return filled
        return value

    return fill


def _where_present(name: str, inner: Fill) -> Fill:
    return lambda value, budget: inner(value, budget) if _is(dict, value) and name in value else value


def _either(test: Callable[[Any], bool], then: Fill, otherwise: Fill) -> Fill:
    return lambda value, budget: then(value, budget) if test(value) else otherwise(value, budget)
