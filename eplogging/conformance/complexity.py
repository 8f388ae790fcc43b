"""What a schema can cost, worked out before it meets an event: a kilobyte of `$ref`s can ask for years.

A `$ref` counts as what it leads to, each time. So the work at one place of an event is a sum over a
graph, and what may grow from level to level of an event is a circle in it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping

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

MAX_EACH = 1000
"""Schemas that may be asked of one value in a list, in a map, or in what leads back to itself: an event of a
megabyte has hundreds of thousands of such values, and real schemas ask a few of each."""

_EACH_NAME = ("additionalProperties", "patternProperties", "propertyNames")
_EACH_ITEM = ("items", "additionalItems", "contains")

_Step = tuple[str, str]
_Steps = Counter[tuple[_Step, int | None]]


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
    if costs.each() > MAX_EACH:
        raise _error(
            bundle,
            f"more than {MAX_EACH:,} schemas may be asked of each value in a list, in a map, or in what "
            "leads back to itself; ask less there",
        )
    if costs.multiplies():
        raise _error(
            bundle,
            "at one place a $ref leads back, and so does another, so that the work grows with each level of "
            "an event; let one lead back",
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
        self._asked: dict[int, Counter[str]] = {}
        self._graph = graph = {
            id(node): [id(bundle.target(node))] if "$ref" in node else list(map(id, children(node)))
            for node in self.everything()
            if isinstance(node, dict)
        }
        # a schema never holds itself, so that a circle has at least what has the $ref, and what it names
        self._circle_of = {
            node: number for number, circle in enumerate(circles(graph)) for node in circle if len(circle) > 1
        }
        self._endless = self._leading_to(self._circle_of)

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

    def each(self) -> int:
        """The most that may be asked of a value of which an event may have any number."""
        circling = (self.work(node) for node in self.everything() if id(node) in self._circle_of)
        inside = (work for node in self.everything() for work in self._asked_of_each(node).values())
        return max((*circling, *inside), default=0)

    def _asked_of_each(self, node: Node) -> Counter[str]:
        """What all schemas at this place ask of any value inside, by the kind of what holds it."""
        if not isinstance(node, dict):
            return Counter()
        if id(node) not in self._asked:
            asked = Counter[str]()
            for (kind, name), child, _ in _steps(node):
                if not name and child is not None:
                    asked[kind] += self.work(child)
            for inner in self._in_place(node):
                asked += self._asked_of_each(inner)
            self._asked[id(node)] = asked
        return self._asked[id(node)]

    def multiplies(self) -> bool:
        """Whether at one place one schema leads back to where it came from, and another to any circle.

        Where it is the same one, what is asked doubles with each level of an event; else it grows with the
        second power of their number, or where that leads to others in turn with the third or tenth.
        """
        return any(self._grows(node, self._circle_of[id(node)]) for node in self.everything()
                   if id(node) in self._circle_of)  # fmt: skip

    def _grows(self, node: Node, circle: int) -> bool:
        every, back = Counter[_Step](), Counter[_Step]()
        for (step, leads_to), count in self._steps_from(node).items():
            every[step] += count
            back[step] += count if leads_to == circle else 0

        def asked(steps: Counter[_Step], kind: str, name: str) -> int:
            return steps[kind, name] + (steps[kind, ""] if name else 0)

        return any(asked(back, *step) > 0 and asked(every, *step) > 1 for step in list(every))

    def _steps_from(self, node: Node) -> _Steps:
        """How many schemas at this place lead to circles by each step, and to which where they are in one."""
        if id(node) not in self._steps_of:
            steps: _Steps = Counter()
            for step, child, sign in _steps(node):
                if id(child) in self._endless:
                    steps[step, self._circle_of.get(id(child))] += sign
            for inner in self._in_place(node):
                if id(inner) in self._endless:
                    steps.update(self._steps_from(inner))  # unlike `+=`, it keeps what is below zero
            self._steps_of[id(node)] = steps
        return self._steps_of[id(node)]

    def _leading_to(self, targets: Iterable[int]) -> set[int]:
        """What leads to any of these, and they themselves."""
        backwards: dict[int, list[int]] = defaultdict(list)
        for node, followers in self._graph.items():
            for follower in followers:
                backwards[follower].append(node)
        found, waiting = set[int](), list(targets)
        while waiting:
            node = waiting.pop()
            if node not in found:
                found.add(node)
                waiting += backwards[node]
        return found

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


def _steps(node: Node) -> Iterator[tuple[_Step, Node, int]]:
    """What leads to a place below: its kind and name, empty where it is any; the schema; and 1.

    What judges only values that nothing else in the schema names comes again for each such name, with -1.
    """
    for name, child in node.get("properties", {}).items():
        yield ("object", name), child, 1
        yield ("object", name), node.get("additionalProperties"), -1
    for keyword in _EACH_NAME:
        value = node.get(keyword)
        inner = value.values() if keyword == "patternProperties" and value else [value]
        yield from ((("object", ""), child, 1) for child in inner)
    for keyword in _EACH_ITEM:
        value = node.get(keyword)
        if not isinstance(value, list):
            yield ("array", ""), value, 1
            continue
        for index, child in enumerate(value):
            yield ("array", str(index)), child, 1
            yield ("array", str(index)), node.get("additionalItems"), -1
