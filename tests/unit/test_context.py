"""Fields bound for a request or a task reach its events, no others, and never overwrite what these say."""

from __future__ import annotations

import asyncio
import json
import threading
from typing import Any

import pytest

from eplogging import bind_event_fields
from eplogging.conformance import MessageTooLargeError, NotJSONError
from eplogging.context import bound_event_fields
from eplogging.sinks import MemorySink
from tests.support.application import application, basic, keywords


def sent(*events: dict[str, Any], state: str = "warm") -> list[dict[str, Any]]:
    sink = MemorySink()
    with application(sink=sink, **keywords()) as app:
        if state == "warm":
            app.logger.info("first", extra=basic())
            assert app.handler.flush()
        for event in events:
            app.logger.info("x", extra=event)
        assert app.handler.flush()
    return [json.loads(message.value) for message in sink.messages][-len(events) :]


@pytest.mark.parametrize("state", ["cold", "warm"])
def test_bound_fields_are_set_where_declared_and_absent(state: str) -> None:
    with bind_event_fields(meta={"request_id": "r", "undeclared": 1}, text="bound", undeclared=1):
        without, own = sent(basic(), basic(text="own"), state=state)
    assert (without["text"], without["meta"]["request_id"]) == ("bound", "r")
    assert own["text"] == "own"
    assert "undeclared" not in without and "undeclared" not in without["meta"]


def test_bindings_nest_and_end() -> None:
    assert bound_event_fields() == {}
    with bind_event_fields(meta={"a": 1}):
        with bind_event_fields(meta={"b": 2}, c=3):
            assert bound_event_fields() == {"meta": {"a": 1, "b": 2}, "c": 3}
        assert bound_event_fields() == {"meta": {"a": 1}}
        with bind_event_fields():
            bind_event_fields(d=4)
            assert bound_event_fields()["d"] == 4
        assert bound_event_fields() == {"meta": {"a": 1}}
    assert bound_event_fields() == {}


def test_tasks_and_threads_have_their_own() -> None:
    seen: dict[int, Any] = {}

    async def task(number: int) -> None:
        bind_event_fields(number=number)
        await asyncio.sleep(0)
        seen[number] = dict(bound_event_fields())

    async def main() -> None:
        await asyncio.gather(*map(task, range(5)))

    asyncio.run(main())
    assert seen == {number: {"number": number} for number in range(5)}
    with bind_event_fields(number=1):
        thread = threading.Thread(target=lambda: seen.update({9: dict(bound_event_fields())}))
        thread.start()
        thread.join()
    assert seen[9] == {}


def test_what_is_bound_is_a_copy_of_plain_data() -> None:
    given = {"request_id": "r"}
    with bind_event_fields(meta=given):
        given["request_id"] = "changed"
        assert bound_event_fields() == {"meta": {"request_id": "r"}}
    with pytest.raises(NotJSONError, match="/field"):
        bind_event_fields(field=object())


def test_too_much_can_not_be_bound() -> None:
    inner: Any = "x"
    for _ in range(60):
        inner = [inner, inner]
    with pytest.raises(MessageTooLargeError):
        bind_event_fields(x=inner)
