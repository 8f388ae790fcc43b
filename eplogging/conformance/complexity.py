"""What a schema can cost, worked out before it meets an event: a kilobyte of `$ref`s can ask for years.

A `$ref` counts as what it leads to, each time. So the work at one place of an event is a sum over a
graph, and what may grow from level to level of an event is a circle in it.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from .bundling import Bundle, Node, children
from .errors import InsecureSchemaError
from .graphs import circles
from .scopes import IN_PLACE

MAX_DEPTH = 30
"""Schemas that judge one place one inside the other, `$ref`s included: each costs the validators stack."""

MAX_WORK = 10_000
"""Schemas that may be asked of one event, but for its lists and its circles."""

MAX_FILLED = 10_000
"""Values that defaults may put where nothing was."""

_EACH_NAME = ("additionalProperties", "patternProperties", "propertyNames")
_EACH_ITEM = ("items", "additionalItems", "contains")

_Steps = Counter[tuple[str, str]]


def refuse_costly(bundle: Bundle) -> None:
    """Refuses schemas whose cost could explode.

    Raises:
        InsecureSchemaError: one that does; the message says how.
    """
    costs = _Costs(bundle)
    if max(map(costs.depth, costs.everything())) > MAX_DEPTH:
        raise _error(
            bundle, f"more than {MAX_DEPTH} schemas judge one place, each inside another; make it flatter"
        )
    if costs.work(bundle.schema) > MAX_WORK:
        raise _error(
            bundle,
            f"more than {MAX_WORK:,} schemas may be asked of one event, as $refs multiply; refer less often",
        )
    if costs.filled(bundle.schema) > MAX_FILLED:
        raise _error(
            bundle,
            f"its defaults may put more than {MAX_FILLED:,} values into an empty event; give fewer, or let "
            "none lead to itself",
        )
    if costs.multiplies():
        raise _error(
            bundle,
            "a $ref leads back in two ways at one place, so that the work doubles with each level of an "
            "event; let one lead back",
        )


def _error(bundle: Bundle, text: str) -> InsecureSchemaError:
    return InsecureSchemaError(f"schema {bundle.uri} is insecure: {text}", schema_uri=bundle.uri)


class _Costs:
    """Each sum is worked out once for each schema; what leads to itself counts once."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._known: dict[tuple[str, int], int] = {}
        self._definitions: Mapping[str, Node] = bundle.schema.get("definitions", {})
        self._steps_of: dict[int, _Steps] = {}
        graph = {
            id(node): [id(bundle.target(node))] if "$ref" in node else list(map(id, children(node)))
            for node in self.everything()
            if isinstance(node, dict)
        }
        # a schema never holds itself, so that a circle has at least what has the $ref, and what it names
        self._circle_of = {
            node: number for number, circle in enumerate(circles(graph)) for node in circle if len(circle) > 1
        }

    def everything(self) -> Iterator[Node]:
        """Every schema in the bundle."""
        waiting = [self._bundle.schema, *self._definitions.values()]
        while waiting:
            node = waiting.pop()
            yield node
            waiting.extend(children(node))

    def depth(self, node: Node) -> int:
        """The longest way in place."""
        return self._sum("depth", node, lambda one: 1 + max(map(self.depth, self._in_place(one)), default=0))

    def work(self, node: Node) -> int:
        """Everything that may be asked, each `$ref` written out."""

        def total(one: Node) -> int:
            inner = [self._bundle.target(one)] if "$ref" in one else children(one)
            return 1 + sum(map(self.work, inner))

        return self._sum("work", node, total)

    def filled(self, node: Node) -> int:
        """The values that defaults put into an empty object at this place."""

        def total(one: Node) -> int:
            if "$ref" in one:
                return self.filled(self._bundle.target(one))
            parts = [one.get("then"), one.get("else"), *one.get("allOf", ())]
            parts += [part for part in one.get("dependencies", {}).values() if isinstance(part, dict)]
            absent = [part for part in one.get("properties", {}).values() if _has_default(part)]
            size = sum(1 + len(json.dumps(part["default"])) // 8 for part in absent)
            return size + sum(self.filled(part) for part in (*parts, *absent) if isinstance(part, dict))

        return self._sum("filled", node, total, endless=MAX_FILLED + 1)

    def multiplies(self) -> bool:
        """Whether two schemas at one place lead back from one place below it."""
        return any(self._twice(self._back(node)) for node in self.everything() if id(node) in self._circle_of)

    @staticmethod
    def _twice(steps: _Steps) -> bool:
        return any(count > 1 for count in steps.values()) or any(
            kind == wanted and not name and sum(1 for one, _ in steps if one == wanted) > 1
            for wanted in ("object", "array")
            for kind, name in steps
        )

    def _back(self, node: Node) -> _Steps:
        """How many schemas at this place, in the circle of this one, lead back by each step below."""
        key, circle = id(node), self._circle_of[id(node)]
        if key not in self._steps_of:
            steps = Counter(step for step, child in _steps(node) if self._circle_of.get(id(child)) == circle)
            for inner in self._in_place(node):
                if self._circle_of.get(id(inner)) == circle and not self._twice(steps):
                    steps += self._back(inner)
            self._steps_of[key] = steps
        return self._steps_of[key]

    def _in_place(self, node: Node) -> list[Node]:
        if not isinstance(node, dict):
            return []
        return [self._bundle.target(node)] if "$ref" in node else list(children(node, IN_PLACE))

    def _sum(self, what: str, node: Node, total: Callable[[Node], int], endless: int = 1) -> int:
        if not isinstance(node, dict):
            return 1
        key = (what, id(node))
        if key not in self._known:
            self._known[key] = endless  # for what leads back here
            self._known[key] = min(total(node), 10**9)
        return self._known[key]


def _has_default(node: Node) -> bool:
    return isinstance(node, dict) and "default" in node


def _steps(node: Mapping[str, Any]) -> Iterator[tuple[tuple[str, str], Node]]:
    """What leads to a place below: its kind and name, empty where it is any."""
    for name, child in node.get("properties", {}).items():
        yield ("object", name), child
    for keyword in _EACH_NAME:
        value = node.get(keyword)
        inner = value.values() if keyword == "patternProperties" and value else [value]
        yield from ((("object", ""), child) for child in inner)
    for keyword in _EACH_ITEM:
        value = node.get(keyword)
        if isinstance(value, list):
            yield from ((("array", str(index)), child) for index, child in enumerate(value))
        else:
            yield ("array", ""), value
