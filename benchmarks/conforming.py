"""Conforming alone, and with many schemas and streams: what it costs without Kafka."""

from __future__ import annotations

import copy
import json
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from eplogging.conformance import Conformer

from .bareloops import fast_clock, fast_ids, rust_is_valid
from .bursts import check_all_delivered
from .contenders import ours
from .events import EXTENSION, LARGE, PREFIX, SCHEMAS, STREAMS, Event, event_of, schema_of
from .sinks import NullSink

_ROTATED = 1_000
_REGEXES = 10
_SOME_TIME = "2026-01-01T00:00:00.000Z"


def conform(what: str, calls: int = 50_000, scale: float = 1.0) -> dict[str, float]:
    """Times `Conformer.conform`, or the least that it has to do.

    Args:
        what: `conform`; or `steps`: is_valid, orjson.dumps, an id and two times, each in the
            cheapest way that is known.
        calls: how many.
        scale: of `calls`.

    Returns:
        `cpu_us` of a call.
    """
    one = _conform() if what == "conform" else _steps()
    count = max(int(calls * scale), 100)
    for _ in range(100):
        one()
    start = time.process_time()
    for _ in range(count):
        one()
    return {"cpu_us": (time.process_time() - start) / count * 1e6}


def _conform() -> Callable[[], object]:
    conformer = Conformer([SCHEMAS], STREAMS, schema_file_extension=EXTENSION, topic_prefix=PREFIX)
    return lambda: conformer.conform(LARGE)


def _steps() -> Callable[[], object]:
    from orjson import dumps

    new_id, now, is_valid = fast_ids(), fast_clock(), rust_is_valid(LARGE)
    event = copy.deepcopy(LARGE)
    event["dt"] = event["meta"]["dt"] = now()
    event["meta"]["id"] = new_id()
    return lambda: (new_id(), now(), now(), is_valid(event), dumps(event))


def rotate(schemas: int, event: str = "large", events: int = 50_000, scale: float = 1.0) -> dict[str, float]:
    """Logs a thousand event objects in turn, of so many schemas and as many streams.

    The handler's sink reports each message as delivered at once, so that librdkafka's cost of
    many topics, which every producer has, is not in it.

    Returns:
        `cpu_us`: CPU of the whole process per event.
    """
    rounds = max(int(events * scale) // _ROTATED, 1)
    with tempfile.TemporaryDirectory() as directory:
        streams = _write(Path(directory), event_of(event), schemas)
        given = [_event(event_of(event), number % schemas) for number in range(_ROTATED)]
        made = ours("", given[0], sink=NullSink(), schema_base_uris=[directory], stream_config_uri=streams)
        for one in given:
            made.log(one)
        made.finish(120.0)
        start = time.process_time()
        for _ in range(rounds):
            for one in given:
                made.log(one)
        made.finish(60.0)
        cpu = time.process_time() - start
        check_all_delivered(made, (rounds + 1) * _ROTATED)
    return {"cpu_us": cpu / (rounds * _ROTATED) * 1e6}


def validate(
    schemas: int, event: str = "large", events: int = 50_000, scale: float = 1.0
) -> dict[str, float]:
    """Has jsonschema_rs alone judge a thousand event objects in turn, by so many validators.

    It is what no producer that validates can spare: each validator that has left the processor's
    cache must come back.

    Returns:
        `cpu_us` of a judgement.
    """
    rounds = max(int(events * scale) // _ROTATED, 1)
    validators = [rust_is_valid(event_of(event)) for _ in range(schemas)]
    given = [_event(event_of(event), number) for number in range(_ROTATED)]
    pairs = [(validators[number % schemas], one) for number, one in enumerate(given)]
    for is_valid, one in pairs:
        one["dt"] = one["meta"]["dt"] = _SOME_TIME
        is_valid(one)
    start = time.process_time()
    for _ in range(rounds):
        for is_valid, one in pairs:
            is_valid(one)
    return {"cpu_us": (time.process_time() - start) / (rounds * _ROTATED) * 1e6}


def _write(directory: Path, event: Event, schemas: int) -> dict[str, Any]:
    """Writes so many schemas, and returns as many streams; the last ten of a thousand are regexes."""
    schema, settings = schema_of(event), STREAMS[event["meta"]["stream"]]
    streams = {}
    for number in range(schemas):
        path = directory / f"product{number}" / f"1.0.0{EXTENSION}"
        path.parent.mkdir()
        path.write_text(json.dumps({**schema, "title": f"product{number}", "$id": _uri(number)}))
        name = _stream(number)
        key = f"/^{name}(\\.more)?$/" if number >= _ROTATED - _REGEXES else name
        streams[key] = {
            "schema_title": f"product{number}",
            "message_key_fields": settings.get("message_key_fields", {}),
            "topics": [f"{PREFIX}{name}"],
        }
    return streams


def _event(like: Event, number: int) -> Event:
    event = copy.deepcopy(like)
    event["$schema"] = _uri(number)
    event["meta"]["stream"] = _stream(number)
    return event


def _uri(number: int) -> str:
    return f"/product{number}/1.0.0"


def _stream(number: int) -> str:
    return f"shop.product_{number:04d}"
