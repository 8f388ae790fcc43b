"""The bare loops: what it costs to send a valid, keyed event with no logging and nobody's help."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from datetime import datetime, timezone
from typing import Any
from uuid import uuid4

from confluent_kafka import Producer

from .events import Event, schema_of, topic_of

KAFKA = {"acks": "all", "enable.idempotence": True}
"""Beside the broker's address, all that any contender is configured with; `linger.ms` is librdkafka's 5."""

FLUSH_TIMEOUT = 30.0
_POLL_EVERY = 100
_IDS_AT_ONCE = 256


def producer_to(bootstrap_servers: str) -> Producer:
    return Producer({"bootstrap.servers": bootstrap_servers, "log_level": 0, **KAFKA})


def fast_ids() -> Callable[[], str]:
    """Random UUIDs, written by hand from bytes that are fetched for many at once."""
    stock: list[str] = []

    def new_id() -> str:
        if not stock:
            text = os.urandom(16 * _IDS_AT_ONCE).hex()
            stock.extend(text[i : i + 32] for i in range(0, len(text), 32))
        t = stock.pop()
        return f"{t[:8]}-{t[8:12]}-4{t[13:16]}-a{t[17:20]}-{t[20:]}"

    return new_id


def fast_clock() -> Callable[[], str]:
    """Now in ISO-8601 with milliseconds; all but the milliseconds is written once a second."""
    milliseconds = [f".{n:03d}Z" for n in range(1000)]
    second, prefix = 0, ""

    def now() -> str:
        nonlocal second, prefix
        instant = int(time.time() * 1000)
        whole, rest = divmod(instant, 1000)
        if whole != second:
            second, prefix = whole, time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(whole))
        return prefix + milliseconds[rest]

    return now


def plain_now() -> str:
    return datetime.now(timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def rust_is_valid(event: Event) -> Callable[[Any], bool]:
    import jsonschema_rs

    return jsonschema_rs.Draft7Validator(schema_of(event), validate_formats=True).is_valid


def python_is_valid(event: Event) -> Callable[[Any], bool]:
    from jsonschema import Draft7Validator

    schema = schema_of(event)
    return Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER).is_valid


def tuned_loop(producer: Producer, event: Event) -> Callable[[Event], None]:
    """Every step in the cheapest way that is known, and no delivery report is asked for."""
    from orjson import dumps

    new_id, now, is_valid = fast_ids(), fast_clock(), rust_is_valid(event)
    topic, produce, poll = topic_of(event), producer.produce, producer.poll
    sent = 0

    def send(event: Event) -> None:
        nonlocal sent
        copied = event.copy()
        meta = copied["meta"] = event["meta"].copy()
        meta["id"] = new_id()
        meta["dt"] = now()
        copied["dt"] = now()
        if not is_valid(copied):
            raise ValueError("the event is not valid")
        key = dumps({"shop_id": copied["shop_id"], "item_id": copied["item"]["item_id"]})
        produce(topic, dumps(copied), key)
        sent += 1
        if sent % _POLL_EVERY == 0:
            poll(0)

    return send


def plain_loop(producer: Producer, event: Event, is_valid: Callable[[Any], bool]) -> Callable[[Event], None]:
    """As one writes it: `uuid4()`, `isoformat()`, and a poll per event."""
    from orjson import dumps

    topic = topic_of(event)

    def send(event: Event) -> None:
        meta = {**event["meta"], "id": str(uuid4()), "dt": plain_now()}
        copied = {**event, "meta": meta, "dt": plain_now()}
        if not is_valid(copied):
            raise ValueError("the event is not valid")
        key = dumps({"shop_id": copied["shop_id"], "item_id": copied["item"]["item_id"]})
        producer.produce(topic, dumps(copied), key)
        producer.poll(0)

    return send
