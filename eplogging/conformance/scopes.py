"""Where a `$ref` leads, as AJV 6 with `schemaId: auto` sees it: `$id` and `id`, pointers, anchors.

The scope of a reference is the nearest enclosing schema with an id, not the id itself, so that
embedded fragments with one `$id` and different contents each see their own definitions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote, urldefrag, urljoin

from .forking import computed_once

SINGLES = frozenset(
    ("additionalItems", "additionalProperties", "contains", "propertyNames", "not", "if", "then", "else")
)
LISTS = frozenset(("allOf", "anyOf", "oneOf"))
MAPS = frozenset(("properties", "patternProperties"))
IN_PLACE = LISTS | {"not", "if", "then", "else", "dependencies"}
"""Keywords whose schemas judge the same place in the event as the schema they are in."""


class TargetError(LookupError):
    """A reference names nothing."""


@dataclass(frozen=True)
class Scope:
    """What references are relative to at some place in a document."""

    document: Document
    resource: Any  # the nearest enclosing schema that has an id, or the document
    base: str

    def entered(self, node: Any) -> Scope:
        """The scope inside a schema, which changes where it has an id."""
        identifier = schema_id(node)
        if not identifier or identifier.startswith("#") or node is self.resource:
            return self
        return Scope(self.document, node, _joined(self.base, identifier.rstrip("#")))


class Document:
    """A schema document as it was loaded, and the ids inside it."""

    def __init__(self, uri: str, contents: Mapping[str, Any]) -> None:
        self.contents = contents
        identifier = schema_id(contents) or ""
        base = uri if identifier.startswith("#") else _joined(uri, identifier.rstrip("#"))
        self.scope = Scope(self, contents, base)

    @computed_once
    def ids(self) -> dict[str, tuple[Any, Scope]]:
        """Absolute URI of every schema with an id in the document, `#anchor`s included."""
        found: dict[str, tuple[Any, Scope]] = {}
        for node, scope in _walk(self.contents, self.scope):
            identifier = schema_id(node)
            if identifier and identifier.startswith("#"):
                found.setdefault(scope.base + identifier, (node, scope))
            elif identifier or node is self.contents:
                found.setdefault(scope.base, (node, scope))
        return found


def _joined(base: str, reference: str) -> str:
    """As `urljoin`, but for what is no URI: that is taken as it stands, and leads nowhere."""
    try:
        return urljoin(base, reference)
    except ValueError:
        return reference


def schema_id(node: Any) -> str | None:
    """The id of a schema: `$id`, else `id`, whatever its draft (EventGate: `schemaId: auto`)."""
    if isinstance(node, Mapping):
        for keyword in ("$id", "id"):
            if isinstance(node.get(keyword), str):
                return str(node[keyword])
    return None


def resolve(ref: str, scope: Scope, fetch: Callable[[str], Document]) -> tuple[str, Any, Scope]:
    """Follow a reference to its place (a URI), its schema and the scope there.

    Raises:
        TargetError: the document has no such part.
    """
    return _resolve(ref, scope, fetch, hops=0)


def _resolve(ref: str, scope: Scope, fetch: Callable[[str], Document], hops: int) -> tuple[str, Any, Scope]:
    if hops > 100:
        raise TargetError("it leads through more than 100 other $refs")
    # jsonschema-tools writes references into the same document as ./#/definitions/...
    local = ref.removeprefix("./") if ref.startswith("./#") else ref
    uri, fragment = urldefrag(_joined(scope.base, local))
    if not local or local.startswith("#") or uri == scope.base:
        fragment = local.partition("#")[2]
        node, found = scope.resource, scope
    elif uri in scope.document.ids:
        node, found = scope.document.ids[uri]
    else:
        document = fetch(uri)
        node, found = document.contents, document.scope
    place = f"{found.base}#{fragment}" if fragment else found.base
    if fragment and not fragment.startswith("/"):
        if place not in found.document.ids:
            raise TargetError(f"there is no anchor #{fragment}")
        return place, *found.document.ids[place]
    return place, *_pointed(node, unquote(fragment), found, fetch, hops)


def _pointed(
    node: Any, pointer: str, scope: Scope, fetch: Callable[[str], Document], hops: int
) -> tuple[Any, Scope]:
    tokens = [token.replace("~1", "/").replace("~0", "~") for token in pointer.split("/")[1:] if token]
    for position, token in enumerate(tokens):
        if position and isinstance(node, Mapping) and isinstance(node.get("$ref"), str):
            _, node, scope = _resolve(node["$ref"], scope, fetch, hops + 1)
        if isinstance(node, Mapping) and token in node:
            node = node[token]
        elif isinstance(node, list) and token.isdecimal() and len(token) < 10 and int(token) < len(node):
            node = node[int(token)]
        else:
            raise TargetError(f"there is no {token!r} on the way of {pointer!r}")
        scope = scope.entered(node) if position < len(tokens) - 1 else scope
    return node, scope


def _walk(node: Any, scope: Scope) -> Iterator[tuple[Any, Scope]]:
    waiting = [(node, scope)]
    while waiting:
        current, outer = waiting.pop()
        if not isinstance(current, Mapping):
            continue
        inner = outer.entered(current)
        yield current, inner
        waiting.extend((child, inner) for child in _inside(current))


def _inside(node: Mapping[str, Any]) -> Iterator[Any]:
    for keyword, value in node.items():
        if keyword in SINGLES:
            yield value
        elif keyword in LISTS or keyword == "items":
            yield from value if isinstance(value, list) else [value]
        elif (keyword in MAPS or keyword in ("definitions", "dependencies")) and isinstance(value, Mapping):
            yield from value.values()
