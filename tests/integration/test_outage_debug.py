"""What eplogging and its libraries say in an outage must never become events (P9).

The worst case: every record of the root logger at DEBUG is an event, librdkafka tells everything it does,
look-ups go over HTTP again and again, and the broker is away. One such line that became an event would
make more of them.
"""

from __future__ import annotations

import json
import logging
import time
from collections import Counter
from typing import Any

import pytest
import yaml

from eplogging import EventFormatter
from eplogging._topicreader import read_topics
from tests.support.application import (
    SCHEMAS,
    STREAMS,
    Application,
    application,
    keywords,
    to_kafka,
    wait_until,
)
from tests.support.remotekafka import RemoteKafka, remote_kafka
from tests.support.schemaserver import SchemaServer

pytestmark = pytest.mark.faults

TOPICS = {"eqiad.sample.basic": 4}
EVERY_RECORD = {"$schema": "/sample/basic/1.0.0", "meta": {"stream": "sample.basic"}}
PER_SECOND = 50
LENGTHS = [
    pytest.param(2.0, id="short"),
    pytest.param(60.0, id="long", marks=[pytest.mark.slow, pytest.mark.timeout(300)]),
]


class Heard(logging.Handler):
    """Counts what a console on the root logger would show, by logger."""

    def __init__(self) -> None:
        super().__init__()
        self.counts: Counter[str] = Counter()

    def emit(self, record: logging.LogRecord) -> None:
        self.counts[record.name] += 1


def options(server: SchemaServer, kafka: RemoteKafka) -> dict[str, Any]:
    """Everything talks: librdkafka about all it does, and urllib3, as stream configs are asked for again."""
    server.stream_configs = {"streams": yaml.safe_load(STREAMS.read_text())}
    return keywords(
        **to_kafka(kafka.bootstrap_servers, debug="all"),
        schema_base_uris=[server.mount("/schemas", SCHEMAS)],
        stream_config_uri=server.stream_config_uri,
        stream_config_ttl=0.2,
    )


class Lines:
    """An application that knows nothing of events, and logs numbered lines."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("shop")
        self.logged = 0

    def log(self, seconds: float) -> None:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self._logger.debug("line %d", self.logged)
            self.logged += 1
            time.sleep(1 / PER_SECOND)


def every_record_is_an_event(app: Application) -> None:
    app.handler.setFormatter(
        EventFormatter(
            "%(message)s %(name)s",
            rename_fields={"message": "text", "name": "logger"},
            static_fields=EVERY_RECORD,
        )
    )


@pytest.mark.parametrize("seconds", LENGTHS)
def test_an_outage_told_in_full_makes_no_event(
    seconds: float, schema_server: SchemaServer, request: pytest.FixtureRequest
) -> None:
    lines, heard = Lines(), Heard()
    with (
        remote_kafka(TOPICS) as kafka,
        application(root=True, **options(schema_server, kafka)) as app,
    ):
        every_record_is_an_event(app)
        logging.getLogger().addHandler(heard)
        lines.log(0.2)
        wait_until(lambda: app.stats.delivered, "an event is delivered", 30)
        kafka.down()
        before = heard.counts.copy()
        lines.log(seconds)
        told = heard.counts - before
        kafka.up()
        assert app.handler.flush(60)
        stats, left = app.stats, kafka.left()
        messages = read_topics(kafka.bootstrap_servers, TOPICS, count=None, timeout=60)
    events = [json.loads(message.value() or b"") for message in messages]
    print(
        f"\n{request.node.name}: {lines.logged} lines logged, {stats.accepted} accepted, "
        f"{stats.delivered} delivered, {len(events)} read; heard in the outage: {dict(told)}"
    )
    assert told["eplogging.kafka"] and told["urllib3.connectionpool"], "nobody said anything"
    assert (stats.accepted, stats.delivered) == (lines.logged, lines.logged), stats
    assert Counter(event["logger"] for event in events) == {"shop": len(events)}
    numbers = sorted(int(event["text"].removeprefix("line ")) for event in events)
    assert (sorted(set(numbers)) if left else numbers) == list(range(lines.logged))
