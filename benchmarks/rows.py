"""What is asked of each figure: the rows of the table, each ours beside its yardstick."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from .harness import Measurement, Results

OURS = "eplogging"
FLOOR = "logger.info + NullHandler"
TUNED = "tuned bare loop"
QUEUE = "stdlib queue + JsonFormatter + produce"
QUEUE_HELD = "stdlib QueueHandler, no listener"
SYNCHRONOUS = "JsonFormatter + produce"
SLOW_LOOP = "plain bare loop, jsonschema"

FAST_EXTRA = ("jsonschema_rs", "orjson")
THREADS = (1, 2, 4, 8)
RATES = (1_000, 5_000, 20_000)

# Of those that take long, fewer events make as good a measurement.
COMPARED: dict[str, int] = {
    OURS: 50_000,
    FLOOR: 50_000,
    TUNED: 50_000,
    "plain bare loop": 50_000,
    "OrjsonFormatter + produce": 50_000,
    SYNCHRONOUS: 50_000,
    "stdlib queue + OrjsonFormatter + produce": 30_000,
    QUEUE: 30_000,
    "structlog + produce": 20_000,
    "OpenTelemetry SDK, no export": 20_000,
    "loguru, no Kafka": 8_000,
    "kafka-logging-handler": 5_000,
    SLOW_LOOP: 2_500,
}


class Value(NamedTuple):
    """One number of what a measurement gives."""

    measurement: Measurement
    field: str

    def of(self, results: Results) -> float | None:
        """The number; None where its package is missing."""
        found = results[self.measurement].get(self.field)
        return None if found is None else float(found)


class Row(NamedTuple):
    """One line of the table.

    Attributes:
        group: its name for `--only`.
        what: what is measured.
        unit: of both numbers.
        ours: our number.
        yardstick: what it is held against: the sum of these, or a fixed number.
        against: the yardstick in words.
        limit: what the ratio of both must not exceed (`at_most`) or fall below; None: it is only told.
        at_most: which of the two.
    """

    group: str
    what: str
    unit: str
    ours: Value
    yardstick: tuple[Value, ...] | float
    against: str
    limit: float | None = None
    at_most: bool = True

    def values(self) -> Iterator[Value]:
        yield self.ours
        if isinstance(self.yardstick, tuple):
            yield from self.yardstick


def measurement(name: str, **parameters: str | int) -> Measurement:
    return Measurement(name, tuple(sorted(parameters.items())))


def burst(contender: str, field: str = "cpu_us", **parameters: str | int) -> Value:
    parameters.setdefault("events", COMPARED.get(contender, 50_000))
    return Value(measurement("bursts.burst", contender=contender, **parameters), field)


def calls(contender: str, field: str = "median_us") -> Value:
    return Value(measurement("bursts.calls", contender=contender), field)


def paced(contender: str, field: str = "p99_us", **parameters: str | int) -> Value:
    return Value(measurement("latency.paced", contender=contender, **parameters), field)


def bystanders(contender: str, rate: int) -> Value:
    return Value(measurement("latency.bystanders", contender=contender, per_second=rate), "p99_us")


def rotation(name: str, schemas: int, size: str) -> Value:
    return Value(measurement(f"conforming.{name}", schemas=schemas, event=size), "cpu_us")


def timeline(contender: str) -> Value:
    return Value(measurement("memory.timeline", contender=contender), "seconds")


def _throughput() -> Iterator[Row]:
    yield Row(
        "throughput", "whole-process CPU per event", "µs", burst(OURS), (burst(FLOOR), burst(TUNED)),
        "floor + tuned bare loop", 1.3,
    )  # fmt: skip
    for other, limit in ((QUEUE, 3.0), (SYNCHRONOUS, 1.6)):
        yield Row(
            "throughput", "events/s, one thread", "/s", burst(OURS, "per_second"),
            (burst(other, "per_second"),), other, limit, at_most=False,
        )  # fmt: skip
    for other in COMPARED:
        if other != OURS:
            yield Row("throughput", "whole-process CPU per event", "µs", burst(OURS), (burst(other),), other)


def _calls() -> Iterator[Row]:
    yield Row("calls", "caller's time, median, warm", "µs", calls(OURS), (calls(QUEUE),), QUEUE, 1.3)
    yield Row(
        "calls", "caller's time, median, deferred (no listener running, either side)", "µs",
        calls("eplogging, deferred, listener held"), (calls(QUEUE_HELD),), QUEUE_HELD, 1.0,
    )  # fmt: skip
    yield Row(
        "calls", "caller's time, median, warm (no listener running, either side)", "µs",
        calls("eplogging, listener held"), (calls(QUEUE_HELD),), QUEUE_HELD,
    )  # fmt: skip
    for other in COMPARED:
        if other not in (OURS, QUEUE, SLOW_LOOP, "kafka-logging-handler"):
            yield Row("calls", "caller's time, median, warm", "µs", calls(OURS), (calls(other),), other)


def _latency() -> Iterator[Row]:
    for state in ("up", "down", "black hole", "slow"):
        what = f"caller's time, p99, 8 threads at 4,000/s together, broker {state}"
        ours = paced(OURS, state=state)
        yield Row("latency", what, "µs", ours, 1000.0, "1 ms", 1.0)
        yield Row("latency", what, "µs", ours, (paced(QUEUE, state=state),), QUEUE, 1.5)


def _plain() -> Iterator[Row]:
    ours = burst(OURS, "per_second", events=2_500)
    without_fast = ours._replace(measurement=ours.measurement._replace(without=FAST_EXTRA))
    yield Row(
        "plain", "events/s without the extra fast", "/s", without_fast,
        (burst(SLOW_LOOP, "per_second"),), SLOW_LOOP, 0.9, at_most=False,
    )  # fmt: skip


def _conform() -> Iterator[Row]:
    conform, steps = (
        Value(measurement("conforming.conform", what=what), "cpu_us") for what in ("conform", "steps")
    )
    against = "is_valid + orjson.dumps + id + two times"
    yield Row("conform", "Conformer.conform, warm", "µs", conform, (steps,), against, 1.5)


def _rotation() -> Iterator[Row]:
    for size in ("large", "small"):
        one, alone = (rotation(name, 1, size) for name in ("rotate", "validate"))
        for number in (10, 100, 1_000):
            what = f"CPU per event, {number:,} schemas and streams in rotation, {size}"
            limit = 1.1 if number == 1_000 else None
            many = rotation("rotate", number, size)
            yield Row("rotation", what, "µs", many, (one,), "one schema and stream", limit)
        what = f"is_valid of jsonschema_rs alone, 1,000 schemas in rotation, {size}"
        yield Row("rotation", what, "µs", rotation("validate", 1_000, size), (alone,), "one schema")


def _memory() -> Iterator[Row]:
    for size, named in (("10000", "10 KB"), ("300", "300 B")):
        found = measurement("memory.outage", event=size)
        yield Row(
            "memory", f"memory in an outage, events of {named}", "MiB", Value(found, "growth_mib"),
            (Value(found, "allowed_mib"),), "the bound x 1.5 + 32 MiB", 1.0,
        )  # fmt: skip


def _import() -> Iterator[Row]:
    found = measurement("importing.start")
    what = "import, and dictConfig with a dead broker, after confluent-kafka's import"
    yield Row("import", what, "ms", Value(found, "ours_ms"), 50.0, "50 ms", 1.0)
    yield Row("import", "dictConfig alone", "ms", Value(found, "configure_ms"), 50.0, "50 ms")
    found = measurement("importing.start", over_http=True)
    what = "the same with schemas and stream configs from servers"
    yield Row("import", what, "ms", Value(found, "ours_ms"), 50.0, "50 ms")


def _bystanders() -> Iterator[Row]:
    for rate in RATES:
        for other in (FLOOR, QUEUE):
            yield Row(
                "bystanders", f"requests in other threads, p99, at {rate:,} events/s", "µs",
                bystanders(OURS, rate), (bystanders(other, rate),), other,
            )  # fmt: skip


def _scaling() -> Iterator[Row]:
    for threads in THREADS:
        here, there = (burst(who, "per_second", threads=threads, events=30_000) for who in (OURS, QUEUE))
        yield Row("scaling", f"events/s, {threads} threads", "/s", here, (there,), QUEUE)
        here, there = (paced(who, threads=threads) for who in (OURS, QUEUE))
        what = f"caller's time, p99, {threads} threads at 4,000/s together"
        yield Row("scaling", what, "µs", here, (there,), QUEUE)
    for size, events in (("small", 50_000), ("1000", 50_000), ("10000", 6_000), ("100000", 600)):
        named = size if size == "small" else f"{int(size):,} bytes"
        here, there = (burst(who, event=size, events=events) for who in (OURS, QUEUE))
        yield Row("scaling", f"CPU per event, {named}", "µs", here, (there,), QUEUE)


ROWS: tuple[Row, ...] = (
    *_throughput(), *_calls(), *_latency(), *_plain(), *_conform(), *_rotation(), *_memory(), *_import(),
    *_bystanders(), *_scaling(),
)  # fmt: skip
GROUPS = tuple(dict.fromkeys(row.group for row in ROWS))
PICTURED = (timeline(OURS).measurement, timeline(QUEUE).measurement)
"""What is measured for a picture only, with the group `memory`."""


def measurements_of(rows: tuple[Row, ...]) -> list[Measurement]:
    """Everything that these rows need, each once."""
    found = [value.measurement for row in rows for value in row.values()]
    if any(row.group == "memory" for row in rows):
        found += PICTURED
    return list(dict.fromkeys(found))
