"""What a schema can cost, worked out before it meets an event: a kilobyte of `$ref`s can ask for years.

A `$ref` counts as what it leads to, each time. So the work at one place of an event is a sum over a
graph, and what may grow from level to level of an event is a circle in it.
"""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator

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

MAX_EACH = 2000
"""Schemas that may be asked of one value in a list, in a map, or in what leads back to itself: an event of a
megabyte has hundreds of thousands of such values, and real schemas ask a few of each."""

MAX_POWER = 2
"""By which power of an event's levels what is asked of one value may grow: 60 levels make 2,000 of one."""

_UNBOUNDED = 1000

_Step = tuple[str, str]
_Leading = dict[tuple[int | None, int], Counter[_Step]]


def refuse_costly(bundle: Bundle) -> None:
    """Refuses schemas whose cost could explode.

    Raises:
        InsecureSchemaError: one that does; the message says how.
    """
    costs = _Costs(bundle)
    if max(map(costs.depth, bundle.schemas())) > MAX_DEPTH:
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
    if costs.power() > MAX_POWER:
        raise _error(
            bundle,
            "at one place a $ref leads back, and so does another one, or it leads to what leads back in "
            "turn, so that the work multiplies with each level of an event; let one lead back",
        )


def _error(bundle: Bundle, text: str) -> InsecureSchemaError:
    return InsecureSchemaError(f"schema {bundle.uri} is insecure: {text}", schema_uri=bundle.uri)


class _Costs:
    """Each sum is worked out once for each schema; what leads to itself counts once."""

    def __init__(self, bundle: Bundle) -> None:
        self._bundle = bundle
        self._known: dict[tuple[str, int], int] = {}
        self._leading: dict[int, _Leading] = {}
        self._powers: dict[int, int] = {}
        self._judged: set[tuple[int, int | None]] = set()
        self._asked: dict[int, Counter[str]] = {}
        self._nodes = {id(node): node for node in bundle.schemas() if isinstance(node, dict)}
        self._graph = {
            key: [id(bundle.target(node))] if "$ref" in node else list(map(id, children(node)))
            for key, node in self._nodes.items()
        }
        self._circles = list(circles(self._graph))
        # a schema never holds itself, so that a circle has at least what has the $ref, and what it names
        self._circle_of = {
            node: number for number, circle in enumerate(self._circles) for node in circle if len(circle) > 1
        }
        self._endless = self._leading_to(self._circle_of)

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
        circling = (self.work(self._nodes[key]) for key in self._circle_of)
        inside = (work for node in self._nodes.values() for work in self._asked_of_each(node).values())
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

    def power(self) -> int:
        """By which power of an event's levels what is asked of one value grows at most.

        It is the first where a schema leads back to itself. Where one schema at a place leads back, and
        another to a circle of its own, it is one more than of that circle; and there is no bound where both
        lead back, since the work doubles with each level then.
        """
        powers = self._powers
        for circle in reversed(self._circles):  # each after what it leads to
            number = self._circle_of.get(circle[0])
            power = max(
                (powers.get(one, 0) for node in circle for one in self._graph.get(node, ())), default=0
            )
            if number is not None:
                power = max(power, *(self._power_at(self._nodes[node], number) for node in circle))
            powers.update(dict.fromkeys(circle, min(power, _UNBOUNDED)))
        return max(powers.values(), default=0)

    def _power_at(self, node: Node, circle: int) -> int:
        """The power of a circle, as far as it shows at one of its places."""
        leading = self._leading_from(node)
        if (id(leading), circle) in self._judged:
            return 1
        self._judged.add((id(leading), circle))
        back = leading.get((circle, 0), Counter())
        power = 1
        for step in {step for steps in leading.values() for step in steps}:
            times = _asked(back, step)
            if times > 1:
                return _UNBOUNDED
            if times == 1:
                beside = (
                    key for key, steps in leading.items() if key[0] != circle and _asked(steps, step) > 0
                )
                power = max([power, *(1 + self._power_of(*key) for key in beside)])
        return power

    def _power_of(self, circle: int | None, power: int) -> int:
        return power if circle is None else self._powers[self._circles[circle][0]]

    def _leading_from(self, node: Node) -> _Leading:
        """What leads to circles from this place: how many schemas by each step.

        They are apart by the circle that they are in, and where they are in none, by the power of those that
        they lead to.
        """
        if id(node) in self._leading:
            return self._leading[id(node)]
        inner = [self._leading_from(one) for one in self._in_place(node) if isinstance(one, dict)]
        inner = [one for one in inner if one]
        found: _Leading = defaultdict(Counter)
        for step, child, sign in _steps(node, self._is_endless):
            circle = self._circle_of.get(id(child))
            found[circle, self._powers.get(id(child), 0) if circle is None else 0][step] += sign
        if not found and len(inner) == 1:
            found = inner[0]  # the same one, so that a chain of schemas takes no more than the last
        else:
            for one in inner:
                for key, steps in one.items():
                    found[key].update(steps)  # unlike `+=`, it keeps what is below zero
        self._leading[id(node)] = found
        return found

    def _is_endless(self, node: Node) -> bool:
        return isinstance(node, dict) and id(node) in self._endless

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


def _asked(steps: Counter[_Step], step: _Step) -> int:
    kind, name = step
    return steps[step] + (steps[kind, ""] if name else 0)


def _steps(node: Node, wanted: Callable[[Node], bool] = bool) -> Iterator[tuple[_Step, Node, int]]:
    """What leads to a place below: its kind and name, empty where it is any; the schema; and 1.

    What does not judge a value that something else in the schema names comes again for its name, with -1.

    Args:
        node: a schema.
        wanted: which schemas below are looked at.
    """
    names, patterns = node.get("properties", {}), node.get("patternProperties", {})
    for name, child in names.items():
        if wanted(child):
            yield ("object", name), child, 1
    for child in patterns.values():  # any may match any name: to try could take long
        if wanted(child):
            yield ("object", ""), child, 1
    more = node.get("additionalProperties")
    if wanted(more) and not _is_one_of(more, patterns.values()):
        yield ("object", ""), more, 1
        yield from ((("object", name), more, -1) for name in names)
    if wanted(node.get("propertyNames")):
        yield ("object", ""), node["propertyNames"], 1
    items, more = node.get("items"), node.get("additionalItems")
    if not isinstance(items, list):
        items, more = [], items
    for index, child in enumerate(items):
        if wanted(child):
            yield ("array", str(index)), child, 1
    if wanted(more):
        yield ("array", ""), more, 1
        yield from ((("array", str(index)), more, -1) for index in range(len(items)))
    if wanted(node.get("contains")):
        yield ("array", ""), node["contains"], 1


def _is_one_of(node: Node, others: Iterable[Node]) -> bool:
    """Whether it refers to what one of the others refers to; as only one of them is asked, that is once."""
    reference = node.get("$ref") if isinstance(node, dict) else None
    return reference is not None and any(
        isinstance(one, dict) and one.get("$ref") == reference for one in others
    )
