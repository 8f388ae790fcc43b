"""The sinks alone: what they write, what they report, and what a fork leaves of them."""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import ConfigurationError, Message
from eplogging.sinks import KafkaSink, MemorySink, SinkFull, StreamSink
from eplogging.sinks.kafka import complete
from eplogging.testing import MockKafka


class Reports:
    """Collects outcomes, however many are told at once."""

    def __init__(self) -> None:
        self.count, self.marks = 0, list[Any]()
        self.errors, self.refusals = list[str](), list[str]()

    def delivered(self, count: int, size: int, marks: Sequence[Any] = ()) -> None:
        self.count += count
        self.marks += marks

    def failed(self, message: Message, error: str, mark: Any = None) -> None:
        self.errors.append(error)

    def refused(self, message: Message, reason: str, error: str, mark: Any = None) -> None:
        self.refusals.append(reason)


def message(value: bytes = b"{}", topic: str = "topic", key: bytes | None = None) -> Message:
    return Message(topic, key, value, 1_700_000_000_000, "stream")


@pytest.fixture
def reports() -> Reports:
    return Reports()


def test_memory(reports: Reports) -> None:
    sink = MemorySink()
    sink.open(reports)
    sink.send(message())
    sink.poll()
    assert sink.flush(0)
    assert (sink.messages, reports.count) == ([message()], 1)
    sink.close()


def test_a_file_is_appended_to_line_by_line(tmp_path: Path, reports: Reports) -> None:
    path = tmp_path / "events"
    for number in range(2):
        sink = StreamSink(str(path))
        sink.open(reports)
        sink.send(message(b'{"n":%d}' % number))
        assert sink.flush(0)
        assert path.read_bytes().count(b"\n") == number + 1
        sink.close()
        sink.close()
    assert path.read_bytes() == b'{"n":0}\n{"n":1}\n'
    assert (reports.count, reports.errors) == (2, [])


def test_a_fork_closes_the_copy_of_the_file_and_opens_it_again(tmp_path: Path, reports: Reports) -> None:
    sink = StreamSink(str(tmp_path / "events"))
    sink.open(reports)
    sink.send(message(b"1"))
    sink.forked()
    sink.open(reports)
    sink.send(message(b"2"))
    sink.close()
    assert (tmp_path / "events").read_bytes() == b"1\n2\n"


def test_a_text_stream_without_bytes_beneath(reports: Reports, monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    monkeypatch.setattr("sys.stdout", written)
    sink = StreamSink("stdout")
    sink.open(reports)
    sink.send(message('{"é":1}'.encode()))
    sink.close()
    assert (written.getvalue(), reports.count) == ('{"é":1}\n', 1)


@pytest.mark.parametrize("state", ["closed", "missing"])
def test_a_stream_that_is_gone_is_an_error_of_the_message(
    state: str, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    gone = io.TextIOWrapper(io.BytesIO())
    gone.close()
    monkeypatch.setattr("sys.stderr", gone if state == "closed" else None)
    sink = StreamSink("stderr")
    sink.open(reports)
    sink.send(message())
    assert (reports.count, len(reports.errors)) == (0, 1)
    assert reports.errors[0].startswith("stderr: ")


def test_a_full_disk_is_an_error_of_the_message(reports: Reports) -> None:
    if not os.path.exists("/dev/full"):
        pytest.skip("this system has no /dev/full")
    sink = StreamSink("/dev/full")
    sink.open(reports)
    sink.send(message())
    sink.close()
    assert "No space left" in reports.errors[0]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, {"acks": "all", "enable.idempotence": True, "message.timeout.ms": 0}),
        ({"acks": "1"}, {"acks": "1", "enable.idempotence": False}),
        ({"acks": 0}, {"acks": 0, "enable.idempotence": False}),
        ({"request.required.acks": -1}, {"request.required.acks": -1, "enable.idempotence": True}),
        ({"enable.idempotence": False}, {"acks": "all", "enable.idempotence": False}),
        ({"delivery.timeout.ms": 9}, {"delivery.timeout.ms": 9}),
    ],
)
def test_defaults_of_the_producer(given: dict[str, object], expected: dict[str, object]) -> None:
    completed = complete(given)
    assert {name: completed[name] for name in expected} == expected
    assert not {"acks", "request.required.acks"} <= completed.keys()
    assert not {"message.timeout.ms", "delivery.timeout.ms"} <= completed.keys()


def test_kafka(kafka: MockKafka, reports: Reports) -> None:
    configuration = {
        "bootstrap.servers": kafka.bootstrap_servers,
        "enable.idempotence": False,
        "linger.ms": 0,
    }
    sink = KafkaSink(configuration, 1000, 10**6)
    assert kafka.bootstrap_servers in repr(sink)
    assert sink.flush(0), "nothing was sent"
    sink.close()
    sink.open(reports)
    sink.send(message(b'{"n":1}', key=b'{"k":1}'))
    assert sink.flush(10)
    sink.close()
    [arrived] = kafka.consume("topic")
    assert (arrived.key(), arrived.value()) == (b'{"k":1}', b'{"n":1}')
    assert arrived.timestamp()[1] == 1_700_000_000_000
    assert (reports.count, reports.errors) == (1, [])


def test_kafka_gives_up_what_is_left_when_it_closes(reports: Reports) -> None:
    configuration = {"bootstrap.servers": "127.0.0.1:9", "queue.buffering.max.messages": 3, "log_level": 0}
    sink = KafkaSink(configuration, 1000, 10**6)
    sink.open(reports)
    for number in range(3):
        sink.send(message(), number)
    with pytest.raises(SinkFull):
        sink.send(message())
    assert not sink.flush(0.05)
    assert [mark for _, mark in sink.close()] == [0, 1, 2]
    assert (reports.count, reports.errors) == (0, [])


def test_kafka_s_message_that_librdkafka_refuses_is_reported(reports: Reports) -> None:
    sink = KafkaSink(
        {"bootstrap.servers": "127.0.0.1:9", "message.max.bytes": 1000, "log_level": 0}, 10, 10**6
    )
    sink.open(reports)
    sink.send(message(b"x" * 2000))
    sink.poll()
    assert reports.refusals == ["message_too_large"]
    assert sink.close() == []


def test_kafka_s_configuration_is_checked_without_a_connection() -> None:
    with pytest.raises(ConfigurationError, match=r"bootstrap\.servers is missing"):
        KafkaSink({}, 1, 1)
    with pytest.raises(ConfigurationError, match="No such configuration property"):
        KafkaSink({"bootstrap.servers": "127.0.0.1:9", "no.such.property": 1}, 1, 1)


def test_a_fork_leaves_no_producer_to_use_and_frees_none(
    kafka: MockKafka, reports: Reports, monkeypatch: pytest.MonkeyPatch
) -> None:
    """P13: freeing it would wait for threads that a child does not have."""
    monkeypatch.setattr("eplogging.sinks.kafka._inherited", [])
    sink = KafkaSink({"bootstrap.servers": kafka.bootstrap_servers, "enable.idempotence": False}, 10, 10**6)
    sink.open(reports)
    producer = sink._producer
    references = sys.getrefcount(producer)
    sink.forked()
    assert sys.getrefcount(producer) == references, "something holds it in place of the sink"
    assert sink._producer is None
    assert sink.flush(0)
    sink.poll()
    sink.close()


def test_a_line_that_is_cut_short_spoils_no_other(tmp_path: Path, reports: Reports) -> None:
    class Disk:
        """Takes three bytes at a time, until it is full."""

        def __init__(self) -> None:
            self.content, self.room = b"", 1000

        def write(self, line: memoryview) -> int:
            taken = bytes(line[: min(3, self.room)])
            if not taken:
                raise OSError("no space left")
            self.content += taken
            self.room -= len(taken)
            return len(taken)

        def flush(self) -> None: ...
        def close(self) -> None: ...

    sink, disk = StreamSink(str(tmp_path / "events")), Disk()
    sink.open(reports)
    assert sink._file is not None
    sink._file.close()
    sink._file = disk  # type: ignore[assignment]
    sink.send(message(b'{"n":1}'))
    disk.room = 4
    sink.send(message(b'{"n":2}'))
    sink.send(message(b'{"n":3}'))
    disk.room = 1000
    sink.send(message(b'{"n":4}'))
    assert disk.content.splitlines() == [b'{"n":1}', b'{"n"', b'{"n":4}']
    assert (reports.count, len(reports.errors)) == (2, 2)
    sink.close()
