"""An application's tests capture its events: with its own configuration, or with one of the test's."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from eplogging import EventPlatformHandler
from eplogging.conformance import ValidationError
from eplogging.sinks import MemorySink
from eplogging.testing import capture_events
from tests.support.processes import ROOT
from tests.support.schemaserver import SchemaServer

SCHEMAS = ROOT / "examples" / "schemas"
OPTIONS = {
    "schema_base_uris": [str(SCHEMAS / "jsonschema")],
    "schema_file_extension": ".yaml",
    "stream_config_uri": str(SCHEMAS / "stream_config.yaml"),
    "topic_prefix": "eqiad.",
}
ORDER = {
    "$schema": "/shop/order/1.0.0",
    "meta": {"stream": "shop.order"},
    "order_id": 1,
    "customer_id": "c-1",
    "status": "placed",
}


def test_with_options_of_its_own() -> None:
    logger = logging.getLogger("shop")
    with capture_events(**OPTIONS) as events:
        logger.info("order placed", extra=ORDER)
        logger.info("no event")
        assert len(events) == 1
        assert events[0]["order_id"] == 1
        assert [event["currency"] for event in events] == ["EUR"]
        assert events.messages[0].key == b'{"customer_id":"c-1"}'
    logger.info("order placed", extra=ORDER)
    assert len(events) == 1


def test_is_strict_unless_told_otherwise() -> None:
    logger = logging.getLogger("shop")
    with capture_events(**OPTIONS), pytest.raises(ValidationError, match="status"):
        logger.info("order", extra={**ORDER, "status": "lost"})
    with capture_events(**OPTIONS, on_rejected="report") as events:
        logger.info("order", extra={**ORDER, "status": "lost"})
        assert not events


def test_handlers_that_are_configured_keep_their_settings_and_get_their_sink_back() -> None:
    sink = MemorySink()
    handler = EventPlatformHandler(sink=sink, **OPTIONS)
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    with capture_events() as events:
        logger.info("order placed", extra=ORDER)
        assert events[0]["meta"]["stream"] == "shop.order"
    assert not sink.messages
    logger.info("order placed", extra=ORDER)
    handler.close()
    assert len(sink.messages) == 1


def test_without_options_and_handlers_it_says_what_to_do() -> None:
    with pytest.raises(RuntimeError, match="configure logging first"), capture_events():
        pass


def test_look_ups_over_http_go_on_after_it(schema_server: SchemaServer) -> None:
    options: dict[str, Any] = {
        **OPTIONS,
        "schema_base_uris": [schema_server.mount("/repo", SCHEMAS / "jsonschema")],
    }
    options["flush_timeout"] = 0.001
    sink = MemorySink()
    handler = EventPlatformHandler(sink=sink, **options)
    logger = logging.getLogger("shop")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    with capture_events():
        pass
    logger.info("order placed", extra=ORDER)
    assert handler.flush(10)
    handler.close()
    assert len(sink.messages) == 1
