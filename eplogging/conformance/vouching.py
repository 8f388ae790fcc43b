"""A schema made stricter, so that one judgement also vouches for how an event is written.

Most events are plain JSON data: texts, booleans, null, integers of 64 bits, at most 64 levels deep.
orjson writes exactly these as `JSON.stringify` does. To look for anything else in a second walk
through the event would cost as much as to validate it; the validator visits every value anyway.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .bundling import Bundle, Node, children
from .jsondata import MAX_DEPTH, MAX_INTEGER, MIN_INTEGER

_MAX_NODES = 5000
_FREE_LEVELS = 8
_MAX_TYPED_LEVELS = MAX_DEPTH - _FREE_LEVELS
"""Each definition costs every schema memory and the processor's caches room: what a schema does not
describe may be so many levels deep here; what is deeper takes the careful way."""

_NOT_IN_DRAFT_4 = frozenset(
    ("const", "contains", "propertyNames", "if", "then", "else", "exclusiveMaximum", "exclusiveMinimum")
)
_SCALARS = ("string", "boolean", "integer", "null")
_BOUNDS = {"minimum": MIN_INTEGER, "maximum": MAX_INTEGER}
_NOTHING: dict[str, Any] = {"not": {}}


def plain_data_schema() -> dict[str, Any]:
    """A draft-04 schema of all plain JSON data that orjson and `JSON.stringify` write alike."""
    return {**_anything(), "definitions": _levels()}


def vouching_schema(bundle: Bundle) -> dict[str, Any] | None:
    """A draft-04 schema that is valid for those events of a schema's that are plain JSON data.

    In draft-04, `integer` refuses every float, `1.0` too. Whatever is valid here is valid under the
    schema itself; what is not may be valid all the same.

    Args:
        bundle: the schema.

    Returns:
        The schema, or None where it can not be put into draft-04's words.
    """
    try:
        node = _Voucher(bundle).vouched(bundle.schema, 0)
    except _CanNotVouchError:
        return None
    if any(map(_beyond_draft_4, bundle.schemas())):
        return None
    node.pop("definitions", None)
    return {**node, "definitions": {**bundle.schema.get("definitions", {}), **_levels()}}


def _anything(levels: int = _FREE_LEVELS) -> dict[str, str]:
    """Any plain JSON data, at most so many levels deep: one definition per level bounds the depth."""
    return {"$ref": f"#/definitions/{levels}"}


def _levels() -> dict[str, Any]:
    levels: dict[str, Any] = {"0": {"type": list(_SCALARS), **_BOUNDS}}
    for level in range(1, _FREE_LEVELS + 1):
        deeper = _anything(level - 1)
        levels[str(level)] = {
            "type": ["object", "array", *_SCALARS],
            **_BOUNDS,
            "additionalProperties": deeper,
            "items": deeper,
        }
    return levels


class _CanNotVouchError(Exception):
    """The schema is recursive, too deep or too large to be spelled out."""


class _Voucher:
    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._nodes = 0
        self._references: list[str] = []

    def vouched(self, node: Node, level: int) -> dict[str, Any]:
        """A schema that holds only for plain data, at that depth of the event."""
        self._nodes += 1
        if self._nodes > _MAX_NODES:
            raise _CanNotVouchError
        if isinstance(node, bool):
            return _anything() if node else dict(_NOTHING)
        if "$ref" in node:
            return self._followed(node, level)
        if "type" not in node:
            return {**node, "allOf": [*node.get("allOf", ()), _anything()]}
        return self._typed(node, level)

    def _followed(self, node: Mapping[str, Any], level: int) -> dict[str, Any]:
        reference = node["$ref"]
        if reference in self._references:
            raise _CanNotVouchError
        self._references.append(reference)
        target = self.vouched(self._bundle.target(node), level)
        self._references.pop()
        return target

    def _typed(self, node: Mapping[str, Any], level: int) -> dict[str, Any]:
        given = [node["type"]] if isinstance(node["type"], str) else node["type"]
        types = {"integer" if name == "number" else name for name in given}
        result = {**node, "type": sorted(types)}
        if level >= _MAX_TYPED_LEVELS and types & {"object", "array"}:
            raise _CanNotVouchError
        if "integer" in types:
            result["minimum"] = max(node.get("minimum", MIN_INTEGER), MIN_INTEGER)
            result["maximum"] = min(node.get("maximum", MAX_INTEGER), MAX_INTEGER)
        if "object" in types:
            self._object(result, level + 1)
        if "array" in types:
            self._array(result, level + 1)
        return result

    def _object(self, node: dict[str, Any], level: int) -> None:
        for keyword in ("properties", "patternProperties"):
            if keyword in node:
                node[keyword] = {name: self.vouched(part, level) for name, part in node[keyword].items()}
        if node.get("additionalProperties") is not False:
            node["additionalProperties"] = self.vouched(node.get("additionalProperties", True), level)

    def _array(self, node: dict[str, Any], level: int) -> None:
        items = node.get("items", True)
        if not isinstance(items, list):
            node["items"] = self.vouched(items, level)
            return
        node["items"] = [self.vouched(item, level) for item in items]
        if node.get("additionalItems") is not False:
            node["additionalItems"] = self.vouched(node.get("additionalItems", True), level)


def _beyond_draft_4(node: Node) -> bool:
    """Whether a schema itself says anything that draft-04 understands otherwise, or not at all."""
    return isinstance(node, dict) and bool(_NOT_IN_DRAFT_4 & node.keys() or _has_boolean_schemas(node))


def _has_boolean_schemas(node: dict[str, Any]) -> bool:
    allowed = {"additionalProperties", "additionalItems"}
    return any(isinstance(part, bool) for part in children(node, frozenset(node) - allowed))
