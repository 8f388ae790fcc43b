"""What the README says is true: its commands, its configuration and its code are run as they stand there."""

from __future__ import annotations

import logging
import logging.config
import re
import shlex

import pytest
import yaml

from eplogging import EventPlatformHandler
from eplogging.conformance import Conformer
from eplogging.sinks import MemorySink
from tests.support.processes import ROOT, run_python

README = (ROOT / "README.md").read_text(encoding="utf-8")
SCHEMAS = ROOT / "examples" / "schemas"
ORDER = {"$schema": "/shop/order/1.0.0", "meta": {"stream": "shop.order"}}


def block(marker: str) -> str:
    match = re.search(rf"<!-- {re.escape(marker)} -->\n```\w+\n(.*?)```", README, re.DOTALL)
    assert match is not None, f"the README has no block marked {marker!r}"
    return match[1]


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def handler(sink: MemorySink):
    handler = EventPlatformHandler(
        sink=sink,
        schema_base_uris=[str(SCHEMAS / "jsonschema")],
        schema_file_extension=".yaml",
        stream_config_uri=str(SCHEMAS / "stream_config.yaml"),
        topic_prefix="eqiad.",
        on_rejected="raise",
    )
    logger = logging.getLogger("readme")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    yield handler
    handler.close()


def test_the_quickstart_command_ends_in_a_program_that_shows_topic_key_and_event() -> None:
    *setup, program = block("command: quickstart").strip().split(" && ")
    assert setup == ["python3 -m venv .venv", ".venv/bin/pip install -e '.[fast]'"]
    _, script = shlex.split(program)
    finished = run_python(ROOT / script, timeout=60)
    assert finished.code == 0, finished.stderr
    assert 'key   {"customer_id":"c-7"}' in finished.stdout
    assert "topic eqiad.shop.order" in finished.stdout
    assert "topic eqiad.app.error" in finished.stdout
    assert "event rejected (schema_violation)" in finished.stdout


@pytest.mark.parametrize("example", sorted((ROOT / "examples").glob("*.py")), ids=lambda path: path.stem)
def test_each_example_runs_as_it_stands(example) -> None:
    finished = run_python(example, timeout=60)
    assert finished.code == 0, finished.stdout + finished.stderr


def test_the_configuration_is_taken(tmp_path) -> None:
    text = block("example: configuration").replace("/srv/schemas/event/primary/jsonschema", str(tmp_path))
    configuration = yaml.safe_load(text)
    assert len(text.splitlines()) <= 13
    configuration["version"] = 1
    configuration["handlers"]["console"] = {"class": "logging.StreamHandler"}
    logging.config.dictConfig(configuration)
    handler = next(h for h in logging.getLogger().handlers if isinstance(h, EventPlatformHandler))
    logging.getLogger().removeHandler(handler)
    handler.close()


@pytest.mark.parametrize("code", ["example: events", "example: binding"])
def test_the_ways_to_write_an_event(code: str, handler: EventPlatformHandler, sink: MemorySink) -> None:
    exec(block(code), {"logger": logging.getLogger("readme"), "event": ORDER})
    assert handler.flush()
    assert len(sink.messages) == block(code).count("logger.info(")


def test_capturing(handler: EventPlatformHandler, sink: MemorySink) -> None:
    exec(block("example: capture"), {"logger": logging.getLogger("readme"), "event": ORDER})
    assert not sink.messages


def test_the_stream_config() -> None:
    streams = yaml.safe_load(block("example: streams"))
    conformer = Conformer([SCHEMAS / "jsonschema"], streams, schema_file_extension=".yaml")
    message = conformer.conform({**ORDER, "order_id": 7, "customer_id": "c-1", "status": "placed"})
    assert (message.topic, message.key) == ("shop.order", b'{"customer_id":"c-1"}')


def test_the_conformer_alone(kafka) -> None:
    from confluent_kafka import Producer

    producer = Producer({"bootstrap.servers": kafka.bootstrap_servers})
    names = {
        "schema_base_uris": [SCHEMAS / "jsonschema"],
        "stream_config_uri": SCHEMAS / "stream_config.yaml",
        "producer": producer,
        "event": ORDER,
    }
    exec(block("example: conformer"), names)
    assert producer.flush(10) == 0
    (message,) = kafka.consume("eqiad.shop.order", count=1, timeout=10)
    assert message.key() == b'{"customer_id":"c-1"}'


def test_every_keyword_is_in_the_table() -> None:
    from eplogging.handler import _KEYWORDS

    table = README[README.index("## Keywords") : README.index("## In tests")]
    listed = {
        name
        for row in table.splitlines()
        for name in re.findall(r"`(\w+)`", row.split("|")[1] if "|" in row else "")
    }
    assert listed == set(_KEYWORDS)
