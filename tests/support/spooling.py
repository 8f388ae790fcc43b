"""What tests of the spool ask again and again: what arrived, in which order, and what is left open."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from eplogging.testing import MockKafka
from tests.support.application import Application, page

TOPIC = "eqiad.sample.page"
KEYS = 5


def log(app: Application, numbers: Iterable[int], *, stream: str = "sample.page", pad: int = 0) -> None:
    """Logs numbered events of several message keys."""
    for number in numbers:
        own = {"page": {"id": number % KEYS + 1}, "comment": f"{number}" + " " * pad}
        app.logger.info("x", extra=page(stream, **own))


def arrived(kafka: MockKafka, topic: str = TOPIC) -> list[int]:
    """The numbers that a consumer finds, each key's in order; fails if one is out of order or there twice."""
    numbers: list[int] = []
    latest: dict[int, int] = {}
    for message in kafka.consume(topic):
        number = int(json.loads(message.value() or b"")["comment"])
        assert number > latest.get(number % KEYS, -1), f"{number} came after {latest[number % KEYS]}"
        latest[number % KEYS] = number
        numbers.append(number)
    assert set(Counter(numbers).values()) <= {1}
    return sorted(numbers)


def show(app: Application) -> None:
    """Prints the invariant."""
    stats = app.stats
    print(
        f"accepted {stats.accepted} + taken over {stats.taken_over} = delivered {stats.delivered} + rejected "
        f"{sum(stats.rejected.values())} + dropped {sum(stats.dropped.values())} + spooled {stats.spooled} "
        f"+ pending {stats.pending}"
    )


def spool_files(directory: Path) -> list[Path]:
    return sorted(directory.glob("*.spool"))


def open_files(under: Path | None = None) -> int:
    """How many files this process has open; only those in a directory, if one is given."""
    targets = []
    for entry in os.scandir("/proc/self/fd"):
        try:
            targets.append(os.readlink(entry.path))
        except OSError:  # the scan's own
            continue
    return len(targets) if under is None else sum(one.startswith(str(under)) for one in targets)
