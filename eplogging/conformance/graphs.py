"""What leads to what, without recursion: the graphs of hostile patterns may be deep."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import TypeVar

Node = TypeVar("Node")


def circles(edges: dict[Node, list[Node]]) -> Iterator[list[Node]]:
    """What leads to each other: strongly connected components, after Kosaraju."""
    backwards: dict[Node, list[Node]] = defaultdict(list)
    for pair, followers in edges.items():
        for follower in followers:
            backwards[follower].append(pair)
    seen: set[Node] = set()
    finished = [pair for start in edges for pair in _finished(start, edges, seen)]
    seen.clear()
    for start in reversed(finished):
        if start not in seen:
            yield list(_finished(start, backwards, seen))


def _finished(start: Node, edges: dict[Node, list[Node]], seen: set[Node]) -> Iterator[Node]:
    """What can be reached and was not seen yet, each after all that it leads to."""
    waiting = [] if start in seen else [(start, iter(edges.get(start, ())))]
    seen.add(start)
    while waiting:
        pair, followers = waiting[-1]
        follower = next((one for one in followers if one not in seen), None)
        if follower is None:
            waiting.pop()
            yield pair
        else:
            seen.add(follower)
            waiting.append((follower, iter(edges.get(follower, ()))))
