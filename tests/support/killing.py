"""Processes that log events and are killed in the midst of it, and what a consumer must find after the last.

A process tells through a pipe each event whose logging call has returned: what is in a pipe outlives it.
"""

from __future__ import annotations

import json
import os
import random
import select
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import Message

from tests.support.processes import start_python

TOPIC = "eqiad.sample.page"
KEYS = 7
_DEADLINE = 60.0

PROGRAM = """
import itertools, json, logging, logging.config, os, sys, threading
from tests.support.application import dict_config
from tests.support.killing import numbered
order = json.loads(sys.argv[1])
logging.config.dictConfig(dict_config(order["options"]))
log = logging.getLogger("app")
logging.getLogger("eplogging").setLevel("ERROR")  # which goes to stderr
logging.getLogger("eplogging.kafka").setLevel("CRITICAL")
def work(thread):
    for number in itertools.count():
        if 0 < order["events"] == number:
            return
        log.info("x", extra=numbered(order["generation"], thread, number, order["size"]))
        os.write(1, b"%d %d\\n" % (thread, number))
os.write(1, b"begins\\n")
threads = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(order["threads"])]
for thread in threads: thread.start()
for thread in threads: thread.join()
os.write(1, b"ends\\n")
sys.stdin.read()
"""

Name = tuple[int, int, int]
"""Generation, thread and number of an event."""


def numbered(generation: int, thread: int, number: int, size: int) -> dict[str, Any]:
    """An event that tells which one it is; each thread has a message key of its own."""
    return {
        "$schema": "/sample/page/1.0.0",
        "meta": {"stream": "sample.page"},
        "wiki": "enwiki",
        "page": {"id": thread % KEYS + 1},
        "comment": json.dumps([generation, thread, number]) + " " * size,
    }


@dataclass(frozen=True)
class Order:
    """What a process is to do; `events` 0 is without end."""

    options: Mapping[str, Any]
    generation: int
    threads: int = 4
    events: int = 0
    size: int = 0


@dataclass
class Killed:
    """What is known of the processes that were killed."""

    returned: set[Name] = field(default_factory=set)
    kills: int = 0

    def run(self, order: Order, after: int, pause: float, then: Callable[[], None] = lambda: None) -> None:
        """Starts a process and kills it.

        Args:
            order: what it is to do.
            after: how many logging calls must have returned before; all, if there are no more.
            pause: how much later than that it is killed, so that the moment is random.
            then: called between the two.
        """
        text = json.dumps({**vars(order), "options": dict(order.options)})
        deadline = time.monotonic() + _DEADLINE
        with start_python(PROGRAM, text) as child:
            assert child.stdout is not None
            told = b""
            while not told.endswith(b"ends\n") and told.count(b"\n") <= after:
                told += _read(child.stdout.fileno(), deadline)
            then()
            time.sleep(pause)
            os.killpg(child.pid, signal.SIGKILL)
            while more := _read(child.stdout.fileno(), deadline):
                told += more
            child.wait(timeout=_DEADLINE)
            assert child.stderr is not None
            stderr = child.stderr.read()
            assert (child.returncode, stderr) == (-signal.SIGKILL, ""), stderr
        self.kills += 1
        for line in told.splitlines():
            if line not in (b"begins", b"ends"):
                thread, number = line.split()
                self.returned.add((order.generation, int(thread), int(number)))


def _read(pipe: int, deadline: float) -> bytes:
    ready, _, _ = select.select([pipe], [], [], max(0.0, deadline - time.monotonic()))
    assert ready, "the process did not get that far"
    return os.read(pipe, 65536)


@dataclass
class Found:
    """What a consumer found of them."""

    lost: int
    duplicates: int
    surplus: int

    @classmethod
    def of(cls, messages: Iterable[Message], killed: Killed) -> Found:
        """Checks what arrived: order, `meta.id`, and that only what was in flight came twice."""
        ids: dict[Name, str] = {}
        partitions: dict[int, list[Name]] = {}
        for message in messages:
            event = json.loads(message.value() or b"")
            generation, thread, number = json.loads(event["comment"])
            name = (generation, thread, number)
            partitions.setdefault(message.partition() or 0, []).append(name)
            assert ids.setdefault(name, event["meta"]["id"]) == event["meta"]["id"], f"{name} changed its id"
        for names in partitions.values():
            _check_order(names)
            assert _steps_back(names) <= killed.kills, "something came again that was not in flight"
        assert len(set(ids.values())) == len(ids)
        total = sum(map(len, partitions.values()))
        missing = killed.returned - ids.keys()
        assert not missing, f"lost: {sorted(missing)[:20]}"
        return cls(len(missing), total - len(ids), len(ids) - len(killed.returned))


def _check_order(names: list[Name]) -> None:
    """For each thread, which has one message key, what comes for the first time comes in order."""
    latest: dict[int, Name] = {}
    for name in dict.fromkeys(names):
        assert name > latest.get(name[1], (-1, 0, 0)), f"{name} came after {latest[name[1]]}"
        latest[name[1]] = name


def _steps_back(names: list[Name]) -> int:
    """How often a partition goes on at an earlier place: once for each process that was killed, at most."""
    place: dict[Name, int] = {}
    order: list[Name] = []
    last, steps = -1, 0
    for name in names:
        if name not in place:
            place[name] = len(order)
            order.append(name)
        elif place[name] != last + 1:
            steps += 1
        last = place[name]
    return steps


def some(randomness: random.Random, most: int) -> int:
    """A number that is small as often as large."""
    return int(most ** randomness.random())
