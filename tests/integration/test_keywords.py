"""Every keyword of the handler has an effect, from a configuration as it stands in a file (P6, P23)."""

from __future__ import annotations

import json
import logging.config
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from eplogging import EventPlatformHandler
from eplogging.sinks import MemorySink
from eplogging.testing import MockKafka
from tests.support.application import (
    SCHEMAS,
    STREAMS,
    application,
    basic,
    keywords,
    page,
    to_kafka,
    wait_until,
)
from tests.support.schemaserver import API_PATH, SchemaServer

BASIC = "/schemas/sample/basic/1.0.0.yaml"


@pytest.fixture
def server(schema_server: SchemaServer) -> SchemaServer:
    schema_server.stream_configs = {"streams": yaml.safe_load(STREAMS.read_text())}
    schema_server.mount("/schemas", SCHEMAS)
    return schema_server


def sent(event: dict[str, Any], **options: Any) -> dict[str, Any] | None:
    """Log one event; what is sent of it, with its topic and timestamp, or None."""
    sink = MemorySink()
    with application(sink=sink, **keywords(**options)) as app:
        app.logger.info("x", extra=event)
        assert app.handler.flush()
    if not sink.messages:
        return None
    [message] = sink.messages
    return {**json.loads(message.value), "topic": message.topic, "timestamp": message.timestamp}


def test_schema_base_uris(tmp_path: Path) -> None:
    """In order: the first repository that has a schema is the one."""
    own = tmp_path / "sample" / "basic"
    own.mkdir(parents=True)
    text = (SCHEMAS / "sample/basic/1.0.0.yaml").read_text()
    (own / "1.0.0.yaml").write_text(text.replace("default: info", "default: from the first"))
    for bases, level in (([tmp_path, SCHEMAS], "from the first"), ([SCHEMAS, tmp_path], "info")):
        event = sent(basic(), schema_base_uris=[str(base) for base in bases])
        assert event and event["level"] == level
    event = sent(basic(), schema_base_uris=[tmp_path.as_uri()])
    assert event and event["level"] == "from the first"


def test_schema_file_extension() -> None:
    assert sent(basic(), schema_file_extension=".yaml")
    assert sent(basic(), schema_file_extension=None) is None


def test_schema_precache_uris(server: SchemaServer) -> None:
    """Looked up when the listener starts, before any event."""
    options = {"schema_base_uris": [f"{server.url}/schemas"], "schema_precache_uris": ["/sample/basic/1.0.0"]}
    with application(sink=MemorySink(), **keywords(**options)) as app:
        assert not server.requests
        app.handler.start()
        wait_until(lambda: server.counts[BASIC], "the schema is looked up")


def test_allow_absolute_schema_uris(server: SchemaServer) -> None:
    event = {**basic(), "$schema": server.url + BASIC}
    assert sent(event) is None
    assert sent(event, allow_absolute_schema_uris=True)


def test_allow_insecure_schemas(tmp_path: Path) -> None:
    (tmp_path / "sample" / "basic").mkdir(parents=True)
    text = (SCHEMAS / "sample/basic/1.0.0.yaml").read_text().replace(", maxLength: 128", "")
    (tmp_path / "sample" / "basic" / "1.0.0.yaml").write_text(text)
    assert sent(basic(), schema_base_uris=[str(tmp_path)]) is None
    assert sent(basic(), schema_base_uris=[str(tmp_path)], allow_insecure_schemas=True)


def test_stream_config_uri(server: SchemaServer, tmp_path: Path) -> None:
    """A file, a URL, a mapping, or a list of these: the first that declares the stream has it."""
    own = {"sample.basic": {"schema_title": "sample/basic", "topics": ["own.sample.basic"]}}
    for source in (str(STREAMS), server.stream_config_uri, yaml.safe_load(STREAMS.read_text())):
        event = sent(basic(), stream_config_uri=source)
        assert event and event["topic"] == "eqiad.sample.basic"
    event = sent(basic(), stream_config_uri=[own, str(STREAMS)], topic_prefix="own.")
    assert event and event["topic"] == "own.sample.basic"
    assert sent(page(), stream_config_uri=[own, str(STREAMS)])


def test_stream_config_ttl(server: SchemaServer) -> None:
    """Asked again when the time is over, in the background; a stream that moved goes to its new topic."""
    sink = MemorySink()
    options = {"stream_config_uri": server.stream_config_uri, "stream_config_ttl": 0.05}
    with application(sink=sink, **keywords(**options)) as app:
        app.logger.info("x", extra=basic())
        assert app.handler.flush()
        moved = {"schema_title": "sample/basic", "topics": ["sample.basic"]}
        server.stream_configs = {"streams": {"sample.basic": moved}}

        def arrived() -> bool:
            app.logger.info("x", extra=basic())
            return app.handler.flush() and sink.messages[-1].topic == "sample.basic"

        wait_until(arrived, "the new stream config is used")
        server.down()
        app.logger.info("the last good answer is kept", extra=basic())
        assert app.handler.flush()
        assert sink.messages[-1].topic == "sample.basic"
        assert not app.stats.rejected


@pytest.mark.parametrize(("retries", "asked"), [(0, 1), (2, 3)])
def test_stream_config_retries(server: SchemaServer, retries: int, asked: int) -> None:
    server.fail(API_PATH)
    options = {"stream_config_uri": server.stream_config_uri, "stream_config_retries": retries}
    with application(sink=MemorySink(), on_rejected="raise", **keywords(**options)) as app:
        with pytest.raises(Exception, match="could not be looked up"):
            app.logger.info("x", extra=basic())
        assert server.counts[API_PATH] == asked


def test_http(server: SchemaServer) -> None:
    """Headers and the timeout of every look-up."""
    options = {"schema_base_uris": [f"{server.url}/schemas"], "stream_config_uri": server.stream_config_uri}
    assert sent(basic(), **options, http={"headers": {"X-Own": "1"}})
    assert {request.headers["X-Own"] for request in server.requests} == {"1"}
    server.hang(BASIC)
    options["stream_config_uri"] = str(STREAMS)
    with application(
        sink=MemorySink(), on_rejected="raise", **keywords(**options, http={"timeout": 0.2})
    ) as app:
        started = time.monotonic()
        with pytest.raises(Exception, match="could not be looked up"):
            app.logger.info("x", extra=basic())
        assert 0.15 < time.monotonic() - started < 2


@pytest.mark.parametrize(
    ("prefix", "stream", "topic"),
    [
        ("eqiad.", "sample.basic", "eqiad.sample.basic"),
        ("codfw.", "sample.basic", "codfw.sample.basic"),
        ("eqiad.", "sample.bare", "sample.bare"),
        (None, "sample.bare", "sample.bare"),
        ("codfw.", "sample.regex.some.thing", "codfw.sample.regex.some.thing"),
        ("esams.", "sample.regex.some.thing", None),
        (None, "sample.basic", None),
    ],
)
def test_topic_prefix(prefix: str | None, stream: str, topic: str | None) -> None:
    event = sent(basic(stream=stream), topic_prefix=prefix)
    assert (event and event["topic"]) == topic


def test_dt_field() -> None:
    event = basic(dt="2024-01-01T00:00:00.123Z")
    event["meta"]["dt"] = "2024-02-02T00:00:00.456Z"
    by_default, by_dt = sent(event), sent(event, dt_field="dt")
    assert by_default and by_default["timestamp"] == 1_706_832_000_456
    assert by_dt and by_dt["timestamp"] == 1_704_067_200_123


def test_error_stream_schema_uri_and_emitter_id() -> None:
    bad = {**basic(), "number": "seven"}
    assert sent(bad) is None
    event = sent(bad, error_stream="sample.errors", emitter_id="me")
    assert event and (event["$schema"], event["emitter_id"]) == ("/error/2.1.0", "me")
    event = sent(bad, error_stream="sample.errors")
    assert event and event["emitter_id"] == "pytest"
    assert sent(bad, error_stream="sample.errors", error_schema_uri="/error/9.9.9") is None


@pytest.mark.parametrize("kind", ["yaml", "json"])
def test_a_configuration_from_a_file(kind: str, kafka: MockKafka, tmp_path: Path) -> None:
    """P6: `dictConfig` treats some handlers specially, differently in each Python; not this one."""
    path = tmp_path / "logging.config"
    options = keywords(**to_kafka(kafka), error_stream="sample.errors")
    config: dict[str, Any] = {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "event": {"()": "eplogging.EventFormatter", "static_fields": {"text": "ext://sys.byteorder"}}
        },
        "filters": {"named": {"name": "app"}},
        "handlers": {
            "events": {
                "class": "eplogging.EventPlatformHandler",
                "level": "INFO",
                "formatter": "event",
                "filters": ["named"],
                **options,
            }
        },
        "root": {"level": "DEBUG", "handlers": ["events"]},
    }
    path.write_text(json.dumps(config) if kind == "json" else yaml.safe_dump(config))
    with open(path, encoding="utf-8") as file:
        logging.config.dictConfig(json.load(file) if kind == "json" else yaml.safe_load(file))
    handler = next(one for one in logging.getLogger().handlers if isinstance(one, EventPlatformHandler))
    assert type(handler) is EventPlatformHandler and handler.level == logging.INFO
    try:
        logging.getLogger("app.part").info("x", extra=basic(1))
        logging.getLogger("app.part").debug("below the level", extra=basic(2))
        logging.getLogger("other").info("filtered", extra=basic(3))
        assert handler.flush()
        assert handler.stats().accepted == handler.stats().delivered == 1
    finally:
        handler.close()
    [message] = kafka.consume("eqiad.sample.basic")
    assert json.loads(message.value() or b"")["text"] == sys.byteorder
