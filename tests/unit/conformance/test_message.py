"""The message: its key, its size to the byte, and the instant that becomes its timestamp."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import KafkaException, Producer

from eplogging.conformance import Conformer, Message, MessageKeyError, MessageTooLargeError
from eplogging.conformance.jsondata import stringify
from eplogging.conformance.message import OVERHEAD, check_size, message_key
from tests.unit.conformance.world import both_validators, event


def fields(**paths: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    return tuple((name, tuple(path.split("."))) for name, path in paths.items())


@pytest.mark.parametrize(
    ("paths", "key"),
    [
        ({}, None),
        ({"a": "a"}, b'{"a":1}'),
        ({"b": "n.x", "a": "a"}, b'{"b":"y","a":1}'),
        ({"n": "n"}, b'{"n":{"x":"y","none":null}}'),
        ({"none": "n.none"}, b'{"none":null}'),
        ({"list": "list"}, b'{"list":[1]}'),
        ({'"\u00e9': "a"}, '{"\\"\u00e9":1}'.encode()),
    ],
)
def test_keys(paths: dict[str, str], key: bytes | None) -> None:
    given = {"a": 1, "n": {"x": "y", "none": None}, "list": [1]}
    assert message_key(given, fields(**paths), stringify) == key


@pytest.mark.parametrize("path", ["b", "n.y", "a.x", "n.none.x", "list.0", "list.x", "n.x.__class__", "."])
def test_a_missing_value_names_its_path_and_a_remedy(path: str) -> None:
    given = {"a": 1, "n": {"x": "y", "none": None}, "list": [1]}
    with pytest.raises(MessageKeyError) as caught:
        message_key(given, fields(k=path), stringify)
    assert repr(path) in str(caught.value)
    assert "set it in every event" in str(caught.value)


@pytest.mark.parametrize(("value", "key"), [(b"x" * 100, None), (b"x" * 60, b"y" * 40), (b"", b"y" * 100)])
def test_the_size_counts_value_and_key(value: bytes, key: bytes | None) -> None:
    check_size(value, key, 136)
    with pytest.raises(MessageTooLargeError, match=r"takes 136 bytes .* message\.max\.bytes allows 135"):
        check_size(value, key, 135)
    assert Message("t", key, value, 0, "s").size == 100


@pytest.mark.parametrize("key", [None, b"k" * 50])
@pytest.mark.parametrize("limit", [1_000, 2_000, 1_000_000])
def test_the_limit_is_librdkafka_s_own(key: bytes | None, limit: int) -> None:
    producer = Producer({"bootstrap.servers": "127.0.0.1:1", "message.max.bytes": limit, "log_level": 0})
    largest = limit - OVERHEAD - len(key or b"")
    producer.produce("topic", b"x" * largest, key)
    with pytest.raises(KafkaException, match="MSG_SIZE_TOO_LARGE"):
        producer.produce("topic", b"x" * (largest + 1), key)
    check_size(b"x" * largest, key, limit)
    with pytest.raises(MessageTooLargeError):
        check_size(b"x" * (largest + 1), key, limit)
    producer.purge()


@both_validators
@pytest.mark.parametrize("letter", ["x", "\u00e9", "\U0001f600", "\u2028", '"', "\x01"])
@pytest.mark.parametrize("stream", ["test.event", "test.key_order"])
def test_exactly_the_limit_passes_and_one_byte_more_does_not(
    validator: str, letter: str, stream: str, make: Callable[..., Conformer], still: None
) -> None:
    given: dict[str, Any] = event(stream=stream, name=letter * 50, count=1)
    size = make(validator=validator).conform(given).size + OVERHEAD
    assert make(validator=validator, max_message_bytes=size).conform(given).size == size - OVERHEAD
    with pytest.raises(MessageTooLargeError) as caught:
        make(validator=validator, max_message_bytes=size - 1).conform(given)
    assert f"{size:,} bytes" in str(caught.value)
    assert f"{size - 1:,}" in str(caught.value)


@both_validators
@pytest.mark.parametrize(("dt_field", "expected"), [
    ("dt", 1577836800000), ("meta.dt", 1546300800000), ("page.title", 1514764800000),
    ("page", None), ("page.page_id", None), ("page.title.x", None), ("none.at.all", None), ("", None),
])  # fmt: skip
def test_dt_field(
    validator: str, dt_field: str, expected: int | None, make: Callable[..., Conformer], still: None
) -> None:
    given = event(dt="2020-01-01T00:00:00Z", page={"page_id": 1, "title": "2018-01-01T00:00:00Z"})
    given["meta"]["dt"] = "2019-01-01T00:00:00Z"
    message = make(validator=validator, dt_field=dt_field).conform(given)
    assert message.timestamp == (1_600_000_000_123 if expected is None else expected)


def test_a_key_that_another_thread_made_something_else_is_a_rejection() -> None:
    def write(_: object) -> bytes:
        raise TypeError("Type is not JSON serializable: Own")

    with pytest.raises(MessageKeyError, match="another thread"):
        message_key({"a": object()}, (("a", ("a",)),), write)
