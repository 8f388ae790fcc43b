"""One schema document with everything it refers to, as one self-contained, plain schema.

A validator that gets only `#/definitions/...` references, and none of `$id`, `id` or `$schema`,
can never open a file or a socket, and never confuses two fragments that claim one `$id`.
"""

from __future__ import annotations

import graphlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .errors import SchemaError
from .formats import CHECKS
from .limits import with_plain_limits
from .scopes import IN_PLACE, LISTS, MAPS, SINGLES, Document, Scope, TargetError, resolve

Node = Any
"""A schema: a dict or a boolean."""

Load = Callable[[str], Mapping[str, Any]]
Check = Callable[[str, Node, Mapping[str, Any]], None]

_DATA = frozenset(
    (
        *("type", "enum", "const", "required", "default", "pattern", "uniqueItems", "multipleOf"),
        *("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"),
        *("minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties"),
    )
)
_PREFIX = "#/definitions/"

MAX_HOPS = 30
"""`$ref`s that may lead one to another at one place in the event; each costs the validators stack."""


MAX_DOCUMENTS = 50
"""Documents that one schema may be made of: a server could let each refer to the next, for ever."""

MAX_SCHEMAS = 100_000
"""Schemas within one bundle; what a `$ref` names is written down anew, in all that it is a part of too."""


@dataclass(frozen=True)
class Bundle:
    """A self-contained schema in the terms of draft-07, whatever it was written in.

    Attributes:
        uri: the schema URI it was loaded from.
        schema: keywords that judge or fill events, and nothing else.
        sources: every schema as it was written, with its place, that went into it.
        patterns: the ECMA-262 patterns in it.
        unknown_formats: formats that nothing here knows; they judge nothing.
    """

    uri: str
    schema: dict[str, Any]
    sources: tuple[tuple[str, Node], ...] = ()
    patterns: frozenset[str] = frozenset()
    unknown_formats: frozenset[str] = frozenset()

    def target(self, node: Mapping[str, Any]) -> Node:
        """The schema that a node's `$ref` names."""
        return self.schema["definitions"][node["$ref"][len(_PREFIX) :]]

    def schemas(self) -> Iterator[Node]:
        """Every schema in it, each where it stands; booleans, too."""
        waiting: list[Node] = [self.schema, *self.schema.get("definitions", {}).values()]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(children(node))

    def rooted_at(self, node: Node) -> Bundle:
        """The same definitions under another root: a part of this schema, to judge by itself."""
        definitions = self.schema.get("definitions", {})
        return Bundle(self.uri, {"allOf": [node], "definitions": definitions}, patterns=self.patterns)


def bundle_schema(
    uri: str, document: Mapping[str, Any], load: Load, check: Check = lambda *_: None
) -> Bundle:
    """Gather a schema document and all that its `$ref`s reach into one.

    Args:
        uri: where the document comes from; relative `$ref`s start there, or at its `$id`.
        document: the schema.
        load: gives the document at another URI; it decides which URIs may be looked up at all.
        check: raises where a document or a `$ref`'s target is no schema (URI, node, document).

    Raises:
        SchemaError: a `$ref` leads nowhere or only to itself, or the schema has a number that
            no double can hold.
    """
    return _Bundler(uri, document, load, check).run()


@dataclass
class _Bundler:
    uri: str
    root: Mapping[str, Any]
    load: Load
    check: Check
    documents: dict[str, Document] = field(default_factory=dict)
    names: dict[tuple[int, str, int], str] = field(default_factory=dict)
    waiting: list[tuple[str, Node, Scope]] = field(default_factory=list)
    definitions: dict[str, Any] = field(default_factory=dict)
    sources: list[tuple[str, Node]] = field(default_factory=list)
    patterns: set[str] = field(default_factory=set)
    unknown_formats: set[str] = field(default_factory=set)
    size: int = 0

    def run(self) -> Bundle:
        scope = self.document(self.uri, self.root).scope
        top = self.name_of(self.uri, self.root, scope)
        while self.waiting:
            name, node, scope = self.waiting.pop()
            self.definitions[name] = self.plain(node, scope)
        self.refuse_endless()
        schema = self.definitions[top]
        if any(ref == _PREFIX + top for node in self.definitions.values() for ref in _refs(node)):
            schema = {"$ref": _PREFIX + top, "definitions": self.definitions}
        elif len(self.definitions) > 1:
            schema = {**schema, "definitions": {k: v for k, v in self.definitions.items() if k != top}}
        return Bundle(
            self.uri, schema, tuple(self.sources), frozenset(self.patterns), frozenset(self.unknown_formats)
        )

    def document(self, uri: str, contents: Mapping[str, Any]) -> Document:
        self.check(uri, contents, contents)
        self.documents[uri] = document = Document(uri, contents)
        return document

    def fetch(self, uri: str) -> Document:
        """A document by its URI, loaded once."""
        if uri not in self.documents:
            if len(self.documents) >= MAX_DOCUMENTS:
                raise self.error(
                    f"its $refs lead to more than {MAX_DOCUMENTS} other documents; put it all into fewer"
                )
            return self.document(uri, self.load(uri))
        return self.documents[uri]

    def name_of(self, place: str, node: Node, scope: Scope) -> str:
        """The local name of a schema that a `$ref` leads to; new ones are checked, and wait."""
        key = (id(node), scope.base, id(scope.resource))
        if key not in self.names:
            if node is not scope.document.contents:  # which was checked as a document
                self.check(place, node, scope.document.contents)
            self.names[key] = f"s{len(self.names)}"
            self.sources.append((place, node))
            self.waiting.append((self.names[key], node, scope))
        return self.names[key]

    def plain(self, node: Node, scope: Scope) -> Node:
        self.size += 1
        if self.size > MAX_SCHEMAS:
            raise self.error(
                f"it is made of more than {MAX_SCHEMAS:,} schemas; refer to fewer parts of parts"
            )
        if isinstance(node, bool):
            return node
        scope = scope.entered(node)
        if isinstance(node.get("$ref"), str):
            # AJV ignores what stands beside a $ref, except a default, which the parent fills in
            default = {"default": node["default"]} if "default" in node else {}
            return {"$ref": self.reference(node["$ref"], scope), **default}
        result: dict[str, Any] = {}
        for keyword, value in node.items():
            if keyword in _DATA:
                result[keyword] = value
            elif (plain := self.keyword(keyword, value, scope)) is not None:
                result[keyword] = plain
        if "pattern" in node:
            self.patterns.add(node["pattern"])
        return with_plain_limits(result, self.uri)

    def keyword(self, keyword: str, value: Any, scope: Scope) -> Any:
        """One keyword, rewritten; None for those that neither judge nor fill an event."""
        if keyword in SINGLES or (keyword == "items" and not isinstance(value, list)):
            return self.plain(value, scope)
        if keyword in LISTS or keyword == "items":
            return [self.plain(item, scope) for item in value]
        if keyword in MAPS:
            if keyword == "patternProperties":
                self.patterns.update(value)
            return {name: self.plain(schema, scope) for name, schema in value.items()}
        if keyword == "dependencies":
            return {n: v if isinstance(v, list) else self.plain(v, scope) for n, v in value.items()}
        if keyword == "format":
            if value in CHECKS:
                return value
            self.unknown_formats.add(value)
        return None

    def reference(self, ref: str, scope: Scope) -> str:
        try:
            place, node, found = resolve(ref, scope, self.fetch)
        except TargetError as error:
            raise self.error(
                f"$ref {ref!r} leads nowhere ({error}); correct it, or add what it names"
            ) from error
        if not isinstance(node, (dict, bool)):
            raise self.error(f"$ref {ref!r} leads to something that is no schema; let it name one")
        return _PREFIX + self.name_of(place, node, found)

    def refuse_endless(self) -> None:
        """Refuse `$ref`s that lead to themselves, or ever on, without a step into the event."""
        graph = {name: {ref[len(_PREFIX) :] for ref in _refs(node, IN_PLACE)}
                 for name, node in self.definitions.items()}  # fmt: skip
        try:
            order = list(graphlib.TopologicalSorter(graph).static_order())
        except graphlib.CycleError as error:
            place = self.sources[list(self.names.values()).index(error.args[1][0])][0]
            raise self.error(
                f"the $ref to {place} leads back to itself without ever reaching a property or an item;"
                " break the circle"
            ) from error
        hops: dict[str, int] = {}
        for name in order:  # those that a $ref leads to come before those that have it
            hops[name] = 1 + max((hops[target] for target in graph[name]), default=0)
        if max(hops.values()) > MAX_HOPS:
            raise self.error(
                f"more than {MAX_HOPS} $refs lead one to another at one place; name the last one directly"
            )

    def error(self, text: str) -> SchemaError:
        return SchemaError(f"schema {self.uri}: {text}", schema_uri=self.uri)


def children(node: Node, keywords: frozenset[str] | None = None) -> Iterator[Node]:
    """The schemas right inside a schema, under the given keywords or all that hold schemas."""
    if isinstance(node, bool):
        return
    for keyword, value in node.items():
        if keywords is not None and keyword not in keywords:
            continue
        if keyword in SINGLES or (keyword == "items" and not isinstance(value, list)):
            yield value
        elif keyword in LISTS or keyword == "items":
            yield from value
        elif keyword in MAPS:
            yield from value.values()
        elif keyword == "dependencies":
            yield from (item for item in value.values() if not isinstance(item, list))


def with_children(node: dict[str, Any], change: Callable[[Node], Node]) -> dict[str, Any]:
    """A copy of a schema in which each schema right inside it is changed."""
    result = dict(node)
    for keyword, value in node.items():
        if keyword in SINGLES or (keyword == "items" and not isinstance(value, list)):
            result[keyword] = change(value)
        elif keyword in LISTS or keyword == "items":
            result[keyword] = [change(item) for item in value]
        elif keyword in MAPS or keyword == "definitions":
            result[keyword] = {name: change(schema) for name, schema in value.items()}
        elif keyword == "dependencies":
            result[keyword] = {n: v if isinstance(v, list) else change(v) for n, v in value.items()}
    return result


def _refs(node: Node, keywords: frozenset[str] | None = None) -> Iterator[str]:
    waiting = [node]
    while waiting:
        current = waiting.pop()
        if isinstance(current, dict) and "$ref" in current:
            yield current["$ref"]
        waiting.extend(children(current, keywords))
