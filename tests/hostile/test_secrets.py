"""Secrets of the configuration show nowhere, it loads no code unasked (row E18), and fields can be hidden."""

from __future__ import annotations

import json
import logging
import pickle
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eplogging import EventPlatformHandler
from eplogging.conformance import ConfigurationError, ConformanceError, Conformer
from eplogging.conformance.resources import Reader, ResourceInvalid, ResourceUnavailable
from eplogging.sinks import MemorySink
from eplogging.testing import MockKafka
from tests.support.application import (
    SCHEMAS,
    Collected,
    application,
    basic,
    keywords,
    page,
    to_kafka,
    wait_until,
)
from tests.support.processes import ROOT
from tests.support.schemaserver import SchemaServer

SECRET = "hunter2-correct-horse"
PEM = f"-----BEGIN PRIVATE KEY-----\n{SECRET}\nanother{SECRET}line\n-----END PRIVATE KEY-----"
KAFKA_SECRETS: dict[str, dict[str, Any]] = {
    "sasl.password": {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "me",
        "sasl.password": SECRET,
    },
    "SCRAM": {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "SCRAM-SHA-256",
        "sasl.username": "me",
        "sasl.password": SECRET,
    },
    "sasl.oauthbearer.client.secret": {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "OAUTHBEARER",
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.client.id": "me",
        "sasl.oauthbearer.client.secret": SECRET,
        "sasl.oauthbearer.token.endpoint.url": f"http://me:{SECRET}@127.0.0.1:9/token",
    },
    "oauthbearer config": {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "OAUTHBEARER",
        "sasl.oauthbearer.config": f"principal={SECRET}",
    },
}
REFUSED: dict[str, dict[str, Any]] = {
    "ssl.key.pem": {"security.protocol": "SSL", "ssl.key.pem": PEM, "ssl.key.password": SECRET},
    "ssl.key.password": {
        "security.protocol": "SSL",
        "ssl.key.location": "/no/such/key.pem",
        "ssl.key.password": SECRET,
    },
    "no user": {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "PLAIN",
        "sasl.password": SECRET,
    },
    "mechanism that is none": {
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "NONE-SUCH",
        "sasl.username": "me",
        "sasl.password": SECRET,
    },
}


@pytest.fixture
def said(capfd: pytest.CaptureFixture[str]) -> Iterator[Collected]:
    """Every line that is logged by anyone; at the end, no secret may be in these, or on the terminal."""
    collected = Collected()
    root = logging.getLogger()
    root.addHandler(collected)
    root.setLevel(logging.DEBUG)
    formatter = logging.Formatter("%(name)s %(message)s")
    yield collected
    lines = [formatter.format(record) + repr(vars(record)) for record in collected.records]
    output = capfd.readouterr()
    assert SECRET not in "\n".join([*lines, output.out, output.err])


def grep(*things: object) -> None:
    for thing in things:
        assert SECRET not in f"{thing} {thing!r}"


@pytest.mark.parametrize("name", KAFKA_SECRETS)
def test_e18_kafka_that_can_not_be_reached(name: str, kafka: MockKafka, said: Collected) -> None:
    own = {**to_kafka(kafka)["kafka"], **KAFKA_SECRETS[name], "debug": "all"}
    sink = MemorySink()
    with application(kafka=own, flush_timeout=0.3, **keywords(error_stream="sample.errors")) as app:
        app.logger.info("x", extra=basic(1))
        app.logger.info("x", extra=basic("wrong"))  # type: ignore[arg-type]
        wait_until(lambda: len(said.lines) > 5 or app.stats.dropped, "librdkafka says something")
        app.handler.flush(0.3)
        grep(app.handler, app.handler._sink, app.handler._settings, app.stats, app.handler._conformer)
    grep(app.stats, sink.messages)
    assert app.stats.delivered == 0
    assert said.records


WRONG: list[dict[str, Any]] = [{"acks": "some"}, {"no.such": 1}, {"bootstrap.servers": ""}]
WRONG += [{"message.max.bytes": "many"}]


@pytest.mark.parametrize("name", [*KAFKA_SECRETS, *REFUSED])
def test_e18_a_configuration_that_is_refused(name: str, said: Collected) -> None:
    for wrong in WRONG if name in KAFKA_SECRETS else [*WRONG, {}]:
        secret = {**KAFKA_SECRETS, **REFUSED}[name]
        options = {"kafka": {"bootstrap.servers": "127.0.0.1:9", **secret, **wrong}}
        with pytest.raises(ConfigurationError) as caught:
            EventPlatformHandler(**keywords(**options))
        grep(caught.value, "".join(traceback.format_exception(caught.value)))


def test_e18_a_producer_that_can_not_be_made(tmp_path: Path, said: Collected) -> None:
    """It could be made when logging was configured: the certificate is gone since."""
    authority = tmp_path / "ca.pem"
    authority.write_bytes((ROOT / "tests" / "data" / "tls" / "cert.pem").read_bytes())
    own = {**to_kafka("127.0.0.1:9")["kafka"], **KAFKA_SECRETS["sasl.password"]}
    own.update({"security.protocol": "SASL_SSL", "ssl.ca.location": str(authority)})
    with application(kafka=own, flush_timeout=0.3, **keywords()) as app:
        authority.unlink()
        app.logger.info("x", extra=basic(1))
        wait_until(lambda: app.stats.last_error, "it is told")
        assert "no producer can be made" in app.stats.last_error
        assert app.stats.pending == 1
        grep(app.handler, app.stats)
    assert sum(app.stats.dropped.values()) == 1


FAULTS = ["503", "refused", "redirect", "HTML", "404", "hang"]


@pytest.mark.parametrize("fault", FAULTS)
def test_e18_headers_and_users_of_a_server_that_fails(
    fault: str, schema_server: SchemaServer, said: Collected
) -> None:
    secret_url = schema_server.url.replace("//", f"//me:{SECRET}@")
    {
        "503": lambda: schema_server.fail("*", 503),
        "refused": schema_server.down,
        "redirect": lambda: schema_server.redirect("*", f"{secret_url}/elsewhere"),
        "HTML": lambda: schema_server.body("*", b"<html>: x"),
        "404": lambda: None,
        "hang": lambda: schema_server.hang("*"),
    }[fault]()
    http = {"headers": {"Authorization": f"Bearer {SECRET}", "X-Key": SECRET}, "timeout": 0.2}
    sink = MemorySink()
    options = keywords(
        schema_base_uris=[f"{secret_url}/repo", str(SCHEMAS)],
        stream_config_uri=f"{secret_url}/w/api.php",
        stream_config_retries=0,
        http=http,
        error_stream="sample.errors",
        flush_timeout=0.3,
    )
    with application(sink=sink, **options) as app:
        app.logger.info("x", extra=basic())
        app.logger.info("x", extra={**basic(), "$schema": "/no/such/1.0.0"})
        wait_until(lambda: app.reports.lines, "something is reported")
        app.handler.flush(0.3)
        grep(app.handler, app.handler._conformer, vars(app.handler._conformer), app.stats)
    assert said.records
    for raising in (
        lambda: Conformer([f"{secret_url}/repo"], {"sample.basic": {}}, http=http).conform(basic()),
        lambda: Conformer([SCHEMAS], f"{secret_url}/x", schema_file_extension=".yaml", http=http,
                          stream_config_retries=0).conform(basic()),
    ):  # fmt: skip
        with pytest.raises(ConformanceError) as caught:
            raising()
        grep(caught.value, caught.value.args, "".join(traceback.format_exception(caught.value)))
        assert b"hunter2" not in pickle.dumps(caught.value.args)
    schema_server.heal()


WRONG_OPTIONS: list[dict[str, Any]] = [
    {"http": {"headers": {"X": f"{SECRET}\r\nY: 1"}}},
    {"http": {"headers": {"X": f" {SECRET}"}}},
    {"http": {"headers": {"X": SECRET.encode()}}},
    {"http": {"headers": f"X: {SECRET}"}},
    {"http": f"X: {SECRET}"},
    {"http": {"proxy": f"http://me:{SECRET}@proxy:1"}},
    {"schema_base_uris": f"http://me:{SECRET}@host/"},
    {"schema_base_uris": [f"ftp://me:{SECRET}@host/"]},
    {"schema_base_uris": [f"file://me:{SECRET}@host/"]},
    {"stream_config_uri": f"s3://me:{SECRET}@host/"},
    {"stream_config_uri": f"//me:{SECRET}@host/"},
    {"kafka": f"sasl.password={SECRET}"},
]


@pytest.mark.parametrize("options", WRONG_OPTIONS, ids=lambda options: str(options).replace(SECRET, "_"))
def test_e18_a_wrong_option_is_not_repeated(options: dict[str, Any]) -> None:
    sink = {} if "kafka" in options else {"sink": MemorySink()}
    with pytest.raises(ConfigurationError) as caught:
        EventPlatformHandler(**sink, **keywords(**options))
    grep(caught.value, "".join(traceback.format_exception(caught.value)))


def test_e18_a_proxy_that_can_not_be_reached(said: Collected) -> None:

    reader = Reader({"proxies": {"http": f"http://me:{SECRET}@127.0.0.1:9"}, "timeout": 1})
    with pytest.raises(ResourceUnavailable) as caught:
        reader.url("http://schema.example.org/x", 1000)
    grep(caught.value, "".join(traceback.format_exception(caught.value)))


@pytest.mark.parametrize("fault", ["refused", "redirect", "echo"])
def test_e18_an_error_keeps_nothing_of_the_request(fault: str, schema_server: SchemaServer) -> None:
    """Its `__context__` would hold the request with its headers; a server may answer with them."""
    reader = Reader({"headers": {"Authorization": f"Bearer {SECRET}"}, "timeout": 1})
    {
        "refused": schema_server.down,
        "redirect": lambda: schema_server.redirect("/x", f"/elsewhere?Bearer {SECRET}"),
        "echo": lambda: schema_server.body("/x", f'{{"Bearer {SECRET}": 1, "Bearer {SECRET}": 2}}'.encode()),
    }[fault]()
    with pytest.raises((ResourceUnavailable, ResourceInvalid)) as caught:
        reader.url(f"{schema_server.url}/x", 1000)
    assert caught.value.__context__ is None and caught.value.__cause__ is None
    grep(caught.value)


@pytest.mark.parametrize("name", ["ssl.providers", "sasl.kerberos.kinit.cmd"])
def test_e18_no_code_is_run_unasked(name: str, tmp_path: Path) -> None:
    kafka = {"bootstrap.servers": "127.0.0.1:9", name: str(tmp_path / "evil.so")}
    with pytest.raises(ConfigurationError, match=f"{name} runs code in this process's name"):
        EventPlatformHandler(**keywords(kafka=kafka))


@pytest.mark.parametrize("name", ["plugin.library.paths", "ssl.engine.location"])
def test_e18_no_library_is_loaded_unasked(name: str, tmp_path: Path) -> None:
    kafka = {"bootstrap.servers": "127.0.0.1:9", name: str(tmp_path / "evil.so")}
    with pytest.raises(
        ConfigurationError, match=f"{name} runs code in this process's name; set allow_kafka_plugins"
    ):
        EventPlatformHandler(**keywords(kafka=kafka))
    EventPlatformHandler(**keywords(kafka=kafka, allow_kafka_plugins=True)).close()
    with pytest.raises(ConfigurationError, match="allow_kafka_plugins must be true or false"):
        EventPlatformHandler(**keywords(kafka=kafka, allow_kafka_plugins="yes"))


REDACTED_EVENTS: dict[str, dict[str, Any]] = {
    "a violation": page(wiki=SECRET + " ", author=SECRET, kind="edit"),
    "a violation inside": page(author={"name": SECRET, "deep": {"x": SECRET}}, kind=7),
    "in a list": page(author=[{"name": SECRET}, [{"name": SECRET}]]),
    "NaN beside it": page(author={"name": SECRET}, wiki=SECRET, numbers={"a": float("nan")}),
    "circular": page(author={"name": SECRET}, wiki=SECRET),
    "an object beside it": page(author=[[{"name": SECRET}]], wiki=SECRET, note=object()),
    "enum": page(kind=SECRET, wiki=SECRET),
    "wrong stream": page(stream="sample.basic", author=SECRET, wiki=SECRET, kind=SECRET),
}
REDACTED_EVENTS["circular"]["note"] = REDACTED_EVENTS["circular"]


@pytest.mark.parametrize("state", ["cold", "warm"])
@pytest.mark.parametrize("name", REDACTED_EVENTS)
def test_redacted_fields_show_nowhere(name: str, state: str, said: Collected) -> None:
    sink = MemorySink()
    paths = ["author.name", "author.deep", "author", "wiki", "kind"]
    with application(
        sink=sink, **keywords(error_stream="sample.errors", redact_fields=paths, on_rejected="report")
    ) as app:
        if state == "warm":
            app.logger.info("x", extra=page())
            assert app.handler.flush()
        app.logger.info("x", extra={"event": REDACTED_EVENTS[name]})
        assert app.handler.flush()
        assert sum(app.stats.rejected.values()) == 1
        [error] = [vars(record)["conformance_error"] for record in app.reports.records]
        grep(error, error.args, error.violations, app.reports.lines)
    error_event = json.loads(sink.messages[-1].value)
    grep(error_event)
    assert "[redacted]" in error_event["raw_event"]
    # the record itself is the application's; ours are what is looked through
    said.records = [record for record in said.records if record.name.startswith("eplogging")]


def test_only_the_named_fields_are_redacted() -> None:
    sink = MemorySink()
    options = keywords(error_stream="sample.errors", redact_fields=["author.name", "page.none", "page.id.x"])
    with application(sink=sink, **options) as app:
        event = page(author={"name": "a", "other": "b"}, page={"id": "seven"}, kind="edit")
        app.logger.info("x", extra={"event": event})
        assert app.handler.flush()
        assert '/page/id: must be integer, and is a string: "seven"' in app.reports.lines[0]
    assert event["author"]["name"] == "a"
    raw = json.loads(json.loads(sink.messages[-1].value)["raw_event"])
    assert raw["author"] == {"name": "[redacted]", "other": "b"}
    assert raw["page"] == {"id": "seven"}


@pytest.mark.parametrize("paths", ["user.email", [""], ["a..b"], [7], {"a": "b"}])
def test_redact_fields_must_be_a_list_of_dotted_paths(paths: Any) -> None:
    with pytest.raises(ConfigurationError, match="redact_fields must be a list of dotted paths"):
        EventPlatformHandler(sink=MemorySink(), **keywords(redact_fields=paths))
