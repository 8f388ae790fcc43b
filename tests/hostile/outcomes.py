"""What became of one hostile event, and that nothing else was harmed."""

from __future__ import annotations

import json
from typing import Any

from eplogging.sinks import MemorySink
from tests.support.application import Application, basic


def outcome(app: Application, sink: MemorySink, event: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
    """Log an event and an innocent one behind it: why it was rejected, and what was sent for it."""
    app.logger.info("hostile", extra={"event": event})
    app.logger.info("innocent", extra=basic(4711))
    assert app.handler.flush()
    sent = [json.loads(message.value) for message in sink.messages]
    assert [one for one in sent if one.get("number") == 4711], "the event behind it is lost"
    told = [vars(record)["conformance_error"] for record in app.reports.records]
    for error, line in zip(told, app.reports.lines, strict=True):
        assert len(str(error).encode()) <= 2000
        assert len(line) <= 2300
    errors = [one for one in sent if one["meta"]["stream"] == "sample.errors"]
    assert len(errors) == len(told)
    if told:
        assert len(errors[0]["message"].encode()) <= 2000
        return told[0].reason, errors[0]
    return None, next(one for one in sent if one.get("number") != 4711)
