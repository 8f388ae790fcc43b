"""A bad event must do three things: not be sent, be told of where it was logged, and harm no other."""

from __future__ import annotations

import functools
import inspect
import json
import logging
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from jsonschema import Draft7Validator

from eplogging.conformance import Conformer
from eplogging.testing import MockKafka
from tests.support.application import SCHEMAS, Application, application, basic, keywords, to_kafka
from tests.support.rejections import BAD, Bad

ERROR_TOPIC = "eqiad.sample.errors"
NEXT_TOPIC = "sample.bare"
QUICK = {"enable_idempotence": False}  # librdkafka takes half a second to prepare for it


def log_bad(logger: logging.Logger, event: dict[str, Any]) -> None:
    logger.error("rejected", extra=event)


@pytest.fixture(params=["warm", "cold", "slow"])
def app(
    request: pytest.FixtureRequest, kafka: MockKafka, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Application]:
    """The application in each of the states that decide which thread judges an event, and how."""
    if request.param == "slow":
        monkeypatch.setattr(
            "eplogging.handler.Conformer", functools.partial(Conformer, validator="jsonschema")
        )
    options = keywords(error_stream="sample.errors", emitter_id="tests", **to_kafka(kafka, **QUICK))
    with application(**options) as app:
        if request.param == "warm":
            app.logger.info("first", extra=basic(0, stream=NEXT_TOPIC))
            assert app.handler.flush()
            assert app.stats.delivered == 1
        yield app


@pytest.mark.parametrize("bad", BAD.values(), ids=BAD.keys())
def test_a_bad_event(bad: Bad, app: Application, kafka: MockKafka) -> None:
    before = app.stats.delivered

    log_bad(app.logger, bad.event)
    app.logger.info("next", extra=basic(1, stream=NEXT_TOPIC))
    assert app.handler.flush()

    stream = stream_of(bad.event)
    assert dict(app.stats.rejected) == {(bad.reason, stream): 1}
    assert app.stats.delivered == before + 2  # the error event, and the next one
    check_report(bad, app, stream)
    topics = kafka.topics()
    assert topics.keys() == {ERROR_TOPIC, NEXT_TOPIC}
    messages = kafka.consume(ERROR_TOPIC, NEXT_TOPIC)
    [error] = [json.loads(one.value() or b"") for one in messages if one.topic() == ERROR_TOPIC]
    check_error_event(bad, error)
    arrived = [json.loads(one.value() or b"") for one in messages if one.topic() == NEXT_TOPIC]
    assert sorted(event["number"] for event in arrived) == [0, 1][-len(arrived) :]


def stream_of(event: dict[str, Any]) -> str:
    meta = event.get("meta")
    stream = meta.get("stream") if isinstance(meta, dict) else None
    return stream if isinstance(stream, str) else ""


def check_report(bad: Bad, app: Application, stream: str) -> None:
    [report] = app.reports.records
    line = inspect.getsourcelines(log_bad)[1] + 1
    assert (report.name, report.levelname) == ("eplogging", "ERROR")
    assert (report.pathname, report.lineno, report.funcName) == (__file__, line, "log_bad")
    assert f"{__file__}:{line} in log_bad" in report.getMessage()
    assert re.search(bad.says, report.getMessage()), report.getMessage()
    assert stream in report.getMessage()
    assert vars(report)["conformance_error"].reason == bad.reason


def check_error_event(bad: Bad, error: dict[str, Any]) -> None:
    schema = yaml.safe_load((SCHEMAS / "error" / "2.1.0.yaml").read_text())
    Draft7Validator(schema).validate(error)
    raw = error["raw_event"]
    if bad.reason == "message_too_large":
        assert raw.startswith('{"$schema":"/sample/basic/1.0.0",') and raw.endswith("xxx...")
    elif bad.reason == "not_json":
        assert "sample/basic/1.0.0" in raw
    else:
        assert json.loads(raw) == bad.event
    schema_uri = bad.event["$schema"]
    assert error["errored_schema_uri"] == (schema_uri if isinstance(schema_uri, str) else "")
    assert error["errored_stream_name"] == stream_of(bad.event)
    assert error["emitter_id"] == "tests"
    assert re.search(bad.says, error["message"])
    assert error["error_type"].endswith("Error")


def test_every_violation_is_reported(app: Application) -> None:
    event = {**BAD["type"].event, "kind": "rename", "tags": []}
    app.logger.info("three", extra=event)
    assert app.handler.flush()

    [report] = app.reports.records
    violations = vars(report)["conformance_error"].violations
    assert {(one.path, one.keyword) for one in violations} == {
        ("/page/id", "type"),
        ("/kind", "enum"),
        ("/tags", "minItems"),
    }
    assert all(path in report.getMessage() for path in ("/page/id", "/kind", "/tags"))


def test_error_events_are_valid_under_the_real_schema(wmf: Path, kafka: MockKafka) -> None:
    real = wmf / "primary" / "jsonschema"
    schema = yaml.safe_load((real / "error" / "2.1.0.yaml").read_text())
    options = keywords(error_stream="sample.errors", **to_kafka(kafka))
    options["schema_base_uris"] = [str(real), str(SCHEMAS)]
    with application(**options) as app:
        for bad in BAD.values():
            log_bad(app.logger, bad.event)
        assert app.handler.flush(30)
        assert app.stats.error_events == app.stats.delivered == len(BAD)

    for message in kafka.consume(ERROR_TOPIC):
        error = json.loads(message.value() or b"")
        Draft7Validator(schema, format_checker=Draft7Validator.FORMAT_CHECKER).validate(error)


@pytest.mark.parametrize("state", ["no such stream", "wrong schema"])
def test_a_rejected_error_event_is_only_reported(kafka: MockKafka, state: str) -> None:
    stream = "sample.nowhere" if state == "no such stream" else "sample.basic"
    with application(**keywords(error_stream=stream, **to_kafka(kafka))) as app:
        log_bad(app.logger, BAD["type"].event)
        assert app.handler.flush()

        assert [record.getMessage().split(" (")[0] for record in app.reports.records] == [
            "event rejected",
            "error event rejected",
        ]
        assert "error_stream of the configuration" in app.reports.lines[-1]
        assert app.stats.error_events == 1
        assert sum(app.stats.rejected.values()) == app.stats.accepted == 2
    assert kafka.topics() == {}


def test_the_error_event_of_one_too_large_fits_where_the_event_did_not(kafka: MockKafka) -> None:
    options = keywords(error_stream="sample.errors", **to_kafka(kafka, message_max_bytes=5000))
    with application(**options) as app:
        log_bad(app.logger, basic(text='é"\x01' * 2000))
        assert app.handler.flush()

        assert dict(app.stats.rejected) == {("message_too_large", "sample.basic"): 1}
        assert app.stats.delivered == 1


def test_a_lookalike_is_no_event(kafka: MockKafka) -> None:
    """A record without `$schema` is an ordinary one, however much it looks like an event."""
    with application(**keywords(**to_kafka(kafka))) as app:
        event = {name: value for name, value in basic().items() if name != "$schema"}
        app.logger.info("side by side", extra=event)
        app.logger.info("whole", extra={"event": event})
        app.logger.info(event)
        assert app.stats.accepted == 0
    assert (app.reports.lines, kafka.topics()) == ([], {})
