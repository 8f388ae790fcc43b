"""What became of the events of several processes: each writes its counters down, a test adds them up.

The processes end in ways that leave no other word of them, and what they counted is worth nothing
unless it is what a consumer finds, by `meta.id`.
"""

from __future__ import annotations

import atexit
import json
import logging
import os
from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from eplogging.metrics import Stats
from eplogging.testing import MockKafka

TOPIC = "eqiad.sample.basic"
FATES = ("delivered", "rejected", "dropped", "spooled", "pending")


def fates(stats: Stats) -> dict[str, int]:
    """The counters of one handler, each a sum."""
    return {
        "accepted": stats.accepted,
        "delivered": stats.delivered,
        "rejected": sum(stats.rejected.values()),
        "dropped": sum(stats.dropped.values()),
        "spooled": getattr(stats, "spooled", 0),
        "pending": stats.pending,
    }


def write_down(path: str | Path, /, **account: Any) -> None:
    """Append a line to a file that many processes write to, at the latest moment that they have."""
    line = json.dumps({"pid": os.getpid(), **account}) + "\n"
    file = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
    try:
        os.write(file, line.encode())
    finally:
        os.close(file)


def after_logging(account: Callable[[], None]) -> None:
    """Call something at exit after `logging.shutdown`, in this process and in its forks."""
    atexit.unregister(logging.shutdown)
    atexit.register(account)
    atexit.register(logging.shutdown)


def read_back(path: Path) -> list[dict[str, Any]]:
    """What was written down so far, in order."""
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def consumed(kafka: MockKafka, topic: str = TOPIC) -> list[dict[str, Any]]:
    """Every event of a topic, as a consumer finds it."""
    return [json.loads(message.value() or b"") for message in kafka.consume(topic)]


def ids_of(events: Iterable[dict[str, Any]]) -> Counter[str]:
    """How often each `meta.id` is there."""
    return Counter(event["meta"]["id"] for event in events)


def assert_settled(what: str, accounts: Iterable[dict[str, Any]], ids: Counter[str]) -> dict[str, int]:
    """Print the invariant, and check it, for each process and against the consumer's side.

    Args:
        what: the title of the line that is printed.
        accounts: one for each process.
        ids: how often each `meta.id` of theirs was consumed.

    Returns:
        The sums over all processes.
    """
    accounts = list(accounts)
    sums = {name: sum(one[name] for one in accounts) for name in ("accepted", *FATES)}
    parts = " + ".join(f"{sums[name]} {name}" for name in FATES)
    print(f"{what}: {sums['accepted']} accepted = {parts}; consumed {ids.total()}, distinct ids {len(ids)}")
    for one in accounts:
        assert one["accepted"] == sum(one[name] for name in FATES), one
    assert len(ids) == ids.total(), [name for name, number in ids.items() if number > 1][:20]
    assert len(ids) == sums["delivered"], sums
    return sums
