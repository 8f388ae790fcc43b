"""Real schemas, streams and events go the whole way: nothing made up for a test shows what those hold."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, Message
from jsonschema import Draft7Validator

from eplogging.testing import MockKafka
from tests.support.application import Application, application, to_kafka
from tests.support.schemaserver import API_PATH, SchemaServer
from tests.support.wmfdata import REPOSITORIES, Example, examples, stream_configs

COUNTED = {"events": 315, "keyed": 15, "schemas": 139, "streams": 110}
"""The examples in ../shared/wmf, once for each stream that allows their title, as counted by other code than
`wmfdata`."""

RESERVED = {"message", "name", "args", "module", "process", "thread", "asctime", "created", "filename"}


def log(app: Application, event: dict[str, Any]) -> None:
    """As an application does: side by side, or whole where `logging` reserves a field's name."""
    app.logger.info("an example", extra={"event": event} if RESERVED & event.keys() else event)


def marked(example: Example, number: int) -> dict[str, Any]:
    """The example with an id of its own, to be found again by."""
    event = example.event
    return {**event, "meta": {**event["meta"], "id": f"00000000-0000-4000-8000-{number:012}"}}


def check(example: Example, sent: dict[str, Any], message: Message) -> None:
    value = json.loads(message.value() or b"")
    validator = Draft7Validator(example.schema, format_checker=Draft7Validator.FORMAT_CHECKER)
    assert [error.message for error in validator.iter_errors(value)] == []
    for name, given in sent.items():
        if name not in ("meta", "dt"):
            assert contains(value[name], given), (name, value[name], given)
    topics = example.stream_config["topics"]
    if not topics[0].startswith("/"):
        assert message.topic() in topics
    assert message.topic() in (f"eqiad.{example.stream}", example.stream)
    assert message.key() == expected_key(example, value)
    assert message.timestamp() == (TIMESTAMP_CREATE_TIME, milliseconds(value["meta"]["dt"]))


def milliseconds(text: str) -> int:
    """An instant with `Z`, in milliseconds; what is finer is cut off."""
    seconds, _, fraction = text.removesuffix("Z").partition(".")
    instant = datetime.fromisoformat(seconds).replace(tzinfo=timezone.utc)
    return int(instant.timestamp()) * 1000 + int(f"{fraction:0<3}"[:3])


def contains(value: Any, given: Any) -> bool:
    """Whether `value` is `given`, with at most schema defaults added."""
    if isinstance(given, dict):
        return isinstance(value, dict) and all(n in value and contains(value[n], g) for n, g in given.items())
    if isinstance(given, list):
        return len(value) == len(given) and all(map(contains, value, given))
    return bool(value == given and isinstance(value, bool) == isinstance(given, bool))


def expected_key(example: Example, value: dict[str, Any]) -> bytes | None:
    fields = example.stream_config.get("message_key_fields")
    if not fields:
        return None
    key = {}
    for name, path in fields.items():
        found: Any = value
        for part in path.split("."):
            found = found[part]
        key[name] = found
    return json.dumps(key, separators=(",", ":"), ensure_ascii=False).encode()


def read_all(kafka: MockKafka, sent: list[tuple[Example, dict[str, Any]]]) -> dict[str, Message]:
    """What stands on Kafka, by `meta.id`; each event stands there once."""
    messages = kafka.consume(*kafka.topics())
    by_id = {json.loads(message.value() or b"")["meta"]["id"]: message for message in messages}
    assert len(messages) == len(by_id)
    assert by_id.keys() == {event["meta"]["id"] for _, event in sent}
    return by_id


def counted(messages: Collection[Message]) -> dict[str, int]:
    """What a consumer finds, by kinds."""
    events = [json.loads(message.value() or b"") for message in messages]
    return {
        "events": len(events),
        "keyed": sum(message.key() is not None for message in messages),
        "schemas": len({event["$schema"] for event in events}),
        "streams": len({event["meta"]["stream"] for event in events}),
    }


@pytest.fixture
def local(wmf: Path, kafka: MockKafka) -> Iterator[Application]:
    with application(
        schema_base_uris=[str(wmf / repository) for repository in REPOSITORIES],
        stream_config_uri=str(wmf / "streamconfigs.json"),
        topic_prefix="eqiad.",
        **to_kafka(kafka),
    ) as app:
        yield app


def test_every_real_example_stands_on_kafka_as_its_stream_config_says(
    wmf: Path, kafka: MockKafka, local: Application, capsys: pytest.CaptureFixture[str]
) -> None:
    sent = [(example, marked(example, number)) for number, example in enumerate(examples(wmf))]

    for _, event in sent:
        log(local, event)
    assert local.handler.flush(60)

    assert local.reports.lines == []
    by_id = read_all(kafka, sent)
    for example, event in sent:
        check(example, event, by_id[event["meta"]["id"]])
    counts = counted(by_id.values())
    with capsys.disabled():
        print(
            "\nreal input: {events} events ({keyed} keyed) of all {schemas} schemas with examples that "
            "a stream allows, on {streams} streams".format(**counts)
        )
    assert counts == COUNTED


def test_over_http_each_schema_is_fetched_once_whatever_the_events_and_threads(
    wmf: Path, kafka: MockKafka, schema_server: SchemaServer
) -> None:
    schema_server.stream_configs = {"streams": stream_configs(wmf)}
    bases = [schema_server.mount(f"/{name.split('/')[0]}", wmf / name) for name in REPOSITORIES]
    sent = [(example, marked(example, number)) for number, example in enumerate(examples(wmf))]
    again = [(example, marked(example, 10_000 + number)) for number, (example, _) in enumerate(sent)]

    with application(
        schema_base_uris=bases,
        schema_file_extension=".yaml",
        stream_config_uri=schema_server.stream_config_uri,
        topic_prefix="eqiad.",
        **to_kafka(kafka),
    ) as app:
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda pair: log(app, pair[1]), sent))
            assert app.handler.flush(60)
            list(pool.map(lambda pair: log(app, pair[1]), again))
        assert app.handler.flush(60)
        assert app.reports.lines == []

    by_id = read_all(kafka, sent + again)
    for example, event in sent:
        check(example, event, by_id[event["meta"]["id"]])
    assert schema_server.counts.pop(API_PATH) == 1
    fetched = Counter(request.path for request in schema_server.requests if request.path != API_PATH)
    assert max(fetched.values()) == 1, fetched.most_common(3)
    assert {path for path in fetched if path.startswith("/primary")} >= {
        f"/primary{example.uri}" for example, _ in sent
    }
