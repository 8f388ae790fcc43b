"""Stream configs: every form that they come in, which of several says what, and what is kept."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import process_time
from types import MappingProxyType
from typing import Any

import pytest

from eplogging.conformance import (
    ConfigurationError,
    Conformer,
    NotCachedError,
    StreamConfigUnavailableError,
    StreamNotFoundError,
)
from eplogging.conformance.resources import Reader
from eplogging.conformance.streams import Streams
from tests.support.schemaserver import API_PATH, SchemaServer
from tests.unit.conformance.conftest import Clock
from tests.unit.conformance.world import event

CONFIGS = {"a": {"schema_title": "title of a"}, r"/^x\./": {"schema_title": "title of x"}}


def streams(*sources: Any, **options: Any) -> Streams:
    reader = Reader(options.pop("http", None))
    return Streams(sources[0] if len(sources) == 1 else sources, reader, **options)


def title(configs: Streams, name: str = "a", **options: Any) -> str:
    return configs.get(name, **options).schema_title


@pytest.mark.parametrize(
    "wrap", [lambda c: c, lambda c: {"streams": c}, lambda c: {"batchcomplete": "", "streams": c}]
)
@pytest.mark.parametrize("form", ["mapping", "proxy", "json", "yaml", "path", "file url", "url", "api"])
def test_every_form(
    form: str, wrap: Callable[[Any], Any], tmp_path: Path, schema_server: SchemaServer
) -> None:
    document = wrap(CONFIGS)
    file = tmp_path / "streams"
    file.write_text(json.dumps(document) if form != "yaml" else f"# YAML\n{json.dumps(document)}")
    schema_server.mount("/files", tmp_path)
    schema_server.stream_configs = document
    source: Any = {
        "mapping": document,
        "proxy": MappingProxyType(document),
        "path": file,
        "file url": file.as_uri(),
        "url": f"{schema_server.url}/files/streams",
        "api": schema_server.stream_config_uri,
    }.get(form, str(file))

    configs = streams(source)

    assert (title(configs), title(configs, "x.y")) == ("title of a", "title of x")
    with pytest.raises(StreamNotFoundError, match="no stream config declares the stream b"):
        configs.get("b")
    assert len(schema_server.requests) == (form in ("url", "api"))


def test_the_api_gets_its_query(schema_server: SchemaServer) -> None:
    schema_server.stream_configs = CONFIGS
    assert title(streams(schema_server.stream_config_uri, http={"headers": {"X-Own": "1"}})) == "title of a"
    request = schema_server.requests[0]
    assert request.query == {"action": ["streamconfigs"], "format": ["json"]}
    assert request.headers["X-Own"] == "1"


@pytest.mark.parametrize("empty", [[], {}, {"streams": []}, {"streams": {}}])
def test_an_empty_answer_declares_nothing(empty: Any, schema_server: SchemaServer) -> None:
    schema_server.stream_configs = empty
    with pytest.raises(StreamNotFoundError, match=r"asked: http://.*; declare it there"):
        streams(schema_server.stream_config_uri).get("a")


def test_streams_may_be_named_like_parts_of_an_answer() -> None:
    configs = streams({name: {"schema_title": name} for name in ("streams", "error", "warnings")})
    assert [title(configs, name) for name in ("streams", "error", "warnings")] == [
        "streams",
        "error",
        "warnings",
    ]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        (
            {"error": {"code": "badvalue", "info": "Unrecognized value"}},
            "answered with an error.*Unrecognized",
        ),
        ([1], "must be a mapping"),
        ("text", "must be a mapping"),
        ({"streams": "text"}, "must be a mapping"),
        ({"streams": None}, "must be a mapping"),
    ],
)
def test_an_answer_that_is_none(answer: Any, says: str, schema_server: SchemaServer, clock: Clock) -> None:
    schema_server.stream_configs = answer
    with pytest.raises(StreamConfigUnavailableError, match=says) as caught:
        streams(schema_server.stream_config_uri).get("a")
    assert caught.value.stream == "a"
    if isinstance(answer, dict):
        with pytest.raises(ConfigurationError, match=f"stream_config_uri: .*{says}"):
            streams(answer)


@pytest.mark.parametrize(
    ("regex", "says"),
    [("/^(/", "is no valid regex"), ("/^(a+)+$/", "exponential time"), (f"/{'a' * 1000}/", "longer than")],
)
def test_a_bad_regex_costs_its_own_stream_only(
    regex: str, says: str, schema_server: SchemaServer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    schema_server.stream_configs = {regex: {"schema_title": "x"}, "a": {"schema_title": "title of a"}}
    configs = streams(schema_server.stream_config_uri)
    for _ in range(3):
        assert title(configs) == "title of a"
        clock.now += 301
        configs.refresh()
    with pytest.raises(StreamNotFoundError):
        configs.get("aaaa")
    assert len(caplog.messages) == 1 and says in caplog.text
    with pytest.raises(ConfigurationError, match=f"stream_config_uri: .*{says}"):
        streams({regex: {"schema_title": "x"}})


@pytest.mark.parametrize("source", ["/nowhere/at/all.yaml", "ftp://x/y", []])
def test_a_source_that_can_not_be_read_is_a_configuration_error(source: Any) -> None:
    with pytest.raises(ConfigurationError):
        streams(source)


def test_the_first_source_that_declares_a_stream_has_it(tmp_path: Path) -> None:
    file = tmp_path / "streams.yaml"
    file.write_text(json.dumps({"a": {"schema_title": "second"}, "b": {"schema_title": "second"}, "z.b": {}}))
    configs = streams({"a": {"schema_title": "first"}, r"/^z\./": {"schema_title": "first"}}, file)
    assert [title(configs, name) for name in ("a", "b", "z.b")] == ["first", "second", "first"]


@pytest.mark.parametrize("order", [slice(None), slice(None, None, -1)])
def test_a_source_that_never_answered_may_have_the_first_say(
    order: slice, schema_server: SchemaServer, clock: Clock
) -> None:
    schema_server.fail(API_PATH)
    sources = [{"a": {"schema_title": "local"}}, schema_server.stream_config_uri]
    configs = streams(*sources[order])
    if order.step is None:
        assert title(configs) == "local"
        assert not schema_server.requests
    else:
        with pytest.raises(StreamConfigUnavailableError, match="status 503"):
            configs.get("a")
    with pytest.raises(StreamConfigUnavailableError, match="status 503"):
        configs.get("b")


def test_a_source_is_asked_again_when_its_time_is_over(schema_server: SchemaServer, clock: Clock) -> None:
    schema_server.stream_configs = CONFIGS
    configs = streams(schema_server.stream_config_uri, ttl=300)
    assert configs.refresh_due()
    assert title(configs) == "title of a"
    assert not configs.refresh_due()
    configs.refresh()
    assert len(schema_server.requests) == 1

    schema_server.stream_configs = {"a": {"schema_title": "new"}}
    clock.now += 299
    assert not configs.refresh_due()
    clock.now += 2
    assert configs.refresh_due()
    # What may look nothing up does not wait for a refresh, which is the listener's business.
    assert configs.get("a", cached_only=True).schema_title == "title of a"
    assert len(schema_server.requests) == 1
    assert (title(configs), len(schema_server.requests)) == ("new", 2)
    clock.now += 301
    schema_server.stream_configs = CONFIGS
    configs.refresh()
    assert (configs.get("a", cached_only=True).schema_title, len(schema_server.requests)) == ("title of a", 3)


def test_a_file_is_read_again_and_a_mapping_is_not(tmp_path: Path, clock: Clock) -> None:
    file = tmp_path / "streams.yaml"
    file.write_text("a: {schema_title: old}")
    configs = streams(file)
    assert title(configs) == "old"
    file.write_text("a: {schema_title: new}")
    clock.now += 301
    configs.refresh()
    assert title(configs) == "new"

    given = streams(CONFIGS)
    clock.now += 301
    assert not given.refresh_due()


@pytest.mark.parametrize(
    "fault",
    [
        lambda server: server.fail(API_PATH),
        lambda server: server.fail(API_PATH, 404),
        lambda server: server.body(API_PATH, b"<html>[broken"),
        lambda server: server.body(API_PATH, b""),
        lambda server: server.body(API_PATH, b'{"error": {"code": "x"}}'),
        lambda server: server.body(API_PATH, b"[]"),
        lambda server: server.body(API_PATH, b'{"streams": []}'),
        lambda server: server.body(API_PATH, b"{}"),
        lambda server: server.send_bytes(API_PATH, 20_000_000),
        lambda server: server.redirect(API_PATH, "/elsewhere"),
        lambda server: server.down(),
    ],
    ids=[
        "503",
        "404",
        "HTML",
        "nothing",
        "error",
        "list",
        "wrapped list",
        "object",
        "huge",
        "redirect",
        "down",
    ],
)
def test_the_last_good_answer_is_kept(
    fault: Callable[[SchemaServer], None], schema_server: SchemaServer, clock: Clock
) -> None:
    schema_server.stream_configs = CONFIGS
    configs = streams(schema_server.stream_config_uri)
    assert title(configs) == "title of a"
    fault(schema_server)
    clock.now += 301
    configs.refresh()
    assert (title(configs), title(configs, "x.new")) == ("title of a", "title of x")

    schema_server.up()
    schema_server.heal()
    schema_server.stream_configs = {"a": {"schema_title": "new"}}
    clock.now += 301
    configs.refresh()
    assert title(configs) == "new"
    with pytest.raises(StreamNotFoundError):
        configs.get("x.new")


@pytest.mark.parametrize("retries", [0, 1, 3])
def test_a_failed_request_is_repeated(retries: int, schema_server: SchemaServer, clock: Clock) -> None:
    schema_server.stream_configs = CONFIGS
    schema_server.fail(API_PATH, times=3)
    configs = streams(schema_server.stream_config_uri, retries=retries)
    if retries < 3:
        with pytest.raises(StreamConfigUnavailableError, match=r"is tried again: http://.* status 503"):
            configs.get("a")
    else:
        assert title(configs) == "title of a"
    assert len(schema_server.requests) == retries + 1
    assert clock.pauses == [0.2, 0.4, 0.8][:retries]


def test_a_source_that_never_answered_is_asked_again_soon(schema_server: SchemaServer, clock: Clock) -> None:
    schema_server.stream_configs = CONFIGS
    schema_server.fail(API_PATH)
    configs = streams(schema_server.stream_config_uri, retries=0)
    for _ in range(3):
        with pytest.raises(StreamConfigUnavailableError):
            configs.get("a")
        with pytest.raises(StreamConfigUnavailableError):
            configs.get("a", cached_only=True)
    assert len(schema_server.requests) == 1
    schema_server.heal()
    clock.now += 1.5
    with pytest.raises(NotCachedError):
        configs.get("a", cached_only=True)
    assert title(configs) == "title of a"


def test_an_unknown_stream_is_asked_for_again_but_seldom(schema_server: SchemaServer, clock: Clock) -> None:
    schema_server.stream_configs = CONFIGS
    configs = streams(schema_server.stream_config_uri)
    with pytest.raises(NotCachedError) as caught:
        configs.get("b", cached_only=True)
    assert caught.value.stream == "b"
    for name in ("b", "b", "c", "d"):
        with pytest.raises(StreamNotFoundError):
            configs.get(name)
    with pytest.raises(StreamNotFoundError):
        configs.get("b", cached_only=True)
    assert len(schema_server.requests) == 1

    schema_server.stream_configs = {"b": {"schema_title": "declared since"}}
    clock.now += 31
    with pytest.raises(NotCachedError):
        configs.get("b", cached_only=True)
    assert title(configs, "b") == "declared since"
    assert len(schema_server.requests) == 2
    assert title(configs, "b", cached_only=True) == "declared since"


def test_many_threads_ask_once_and_all_get_the_answer(schema_server: SchemaServer) -> None:
    schema_server.stream_configs = CONFIGS
    configs = streams(schema_server.stream_config_uri)
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda number: title(configs, f"x.{number}"), range(64)))
    assert found == ["title of x"] * 64
    assert len(schema_server.requests) == 1


def test_what_is_kept_of_regex_streams_is_bounded() -> None:
    configs = streams({"/^x/": {"schema_title": "x"}})
    for number in range(25_000):
        configs.get(f"x{number}")
    assert len(configs._resolved) <= 10_000


def test_what_is_kept_of_unknown_streams_is_bounded_and_forgotten(
    schema_server: SchemaServer, clock: Clock
) -> None:
    schema_server.stream_configs = {"/^x/": {"schema_title": "x"}}
    configs = streams(schema_server.stream_config_uri)
    for number in range(12_000):
        with pytest.raises(StreamNotFoundError):
            configs.get(f"y{number}")
    assert 0 < len(configs._missed) <= 10_000
    schema_server.stream_configs = {"/^y/": {"schema_title": "y"}}
    clock.now += 301
    assert title(configs, "y11999") == "y"


def test_a_name_that_no_regex_fits_is_tried_once() -> None:
    slow = {f"/^{'a' * n}[a-z]*[a-z]*x$/": {"schema_title": "x"} for n in range(200)}
    configs = streams(slow)
    before = process_time()
    for _ in range(100):
        with pytest.raises(StreamNotFoundError):
            configs.get("a" * 249)
    assert process_time() - before < 1


@pytest.mark.parametrize("regex", ["/.*.*.*x/", "/^.*.*.*x/", "/(?:a|b?)*a*a*/"])
def test_a_regex_that_takes_long_for_one_name_is_refused(regex: str) -> None:
    with pytest.raises(ConfigurationError, match="could take"):
        streams({regex: {"schema_title": "x"}})


def test_regexes_that_take_long_together_are_refused() -> None:
    several = {f"/^{n}.*.*x/": {"schema_title": "x"} for n in range(1000)}
    with pytest.raises(ConfigurationError, match="could take long together"):
        streams(several)


def test_an_error_of_the_api_shows_no_header_that_it_echoes(schema_server: SchemaServer) -> None:
    secret = "s3cr3t-" * 20
    schema_server.stream_configs = {"error": {"info": "x" * 150 + secret}}
    with pytest.raises(StreamConfigUnavailableError, match="answered with an error") as caught:
        streams(schema_server.stream_config_uri, http={"headers": {"X-Key": secret}}).get("a")
    assert "s3cr3t" not in str(caught.value)


def test_a_stream_keeps_its_settings_object_while_nothing_changes() -> None:
    configs = streams(CONFIGS)
    assert configs.get("a") is configs.get("a", cached_only=True)


def test_a_conformer_refreshes(
    make: Callable[..., Conformer], schema_server: SchemaServer, clock: Clock
) -> None:
    schema_server.stream_configs = {"test.event": {"schema_title": "test/event"}}
    conformer = make(stream_config_uri=schema_server.stream_config_uri, stream_config_ttl=7)
    conformer.look_up(event())
    assert conformer.conform(event(), cached_only=True).topic == "test.event"
    assert not conformer.refresh_due()
    clock.now += 8
    schema_server.stream_configs["test.event"]["topics"] = ["moved"]
    assert conformer.refresh_due()
    conformer.refresh()
    assert not conformer.refresh_due()
    with pytest.raises(Exception, match="moved"):
        conformer.conform(event())
