"""One event in a hundred is bad, in every way there is: the other 99 are delivered, in order."""

from __future__ import annotations

import itertools
import json
import logging
from importlib.util import find_spec
from typing import Any

import pytest

from eplogging.conformance import Message
from eplogging.sinks import MemorySink
from tests.support.application import application, basic, keywords
from tests.support.rejections import BAD

FAST = all(find_spec(name) is not None for name in ("jsonschema_rs", "orjson"))
STREAMS = ("sample.basic", "sample.bare")
TOO_LARGE = {"too large"}  # a hundred megabytes of it say no more than the others


class Numbers(MemorySink):
    """Keeps the numbers of the events only, by stream."""

    def __init__(self) -> None:
        super().__init__()
        self.numbers: dict[str, list[int]] = {stream: [] for stream in STREAMS}

    def send(self, message: Message, mark: Any = None) -> None:
        self.numbers[message.stream].append(json.loads(message.value)["number"])
        super().send(message, mark)
        self.messages.clear()


@pytest.mark.parametrize("events", [100_000 if FAST else 10_000])
def test_poison(events: int) -> None:
    sink = Numbers()
    poison = itertools.cycle(bad for name, bad in BAD.items() if name not in TOO_LARGE)
    expected: dict[str, list[int]] = {stream: [] for stream in STREAMS}
    with application(sink=sink, queue_size=events, on_full="block", block_timeout=60, **keywords()) as app:
        logging.getLogger("eplogging").setLevel(logging.CRITICAL)
        for number in range(events):
            if number % 100 == 50:
                app.logger.info("poison", extra={"event": next(poison).event})
            else:
                stream = STREAMS[number % len(STREAMS)]
                app.logger.info("good", extra=basic(number, stream=stream))
                expected[stream].append(number)
        assert app.handler.flush(100)
        assert app.stats.delivered == events - events // 100
        assert sum(app.stats.rejected.values()) == events // 100
        assert app.stats.dropped == {}
    assert sink.numbers == expected
