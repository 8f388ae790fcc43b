"""The conformer as a whole: its arguments, its errors, and what the vectors can not say."""

from __future__ import annotations

import contextlib
import itertools
import json
import logging
import sys
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import MappingProxyType
from typing import Any
from unittest.mock import Mock

import pytest

from eplogging import conformance
from eplogging.conformance import (
    ConfigurationError,
    ConformanceError,
    Conformer,
    MessageTooLargeError,
    NotCachedError,
    NotJSONError,
    RejectedError,
    SchemaNotFoundError,
    StreamNameError,
    UnavailableError,
    ValidationError,
    Violation,
)
from eplogging.conformance import conformer as conformer_module
from tests.support.schemaserver import SchemaServer
from tests.unit.conformance.conftest import Clock
from tests.unit.conformance.world import EVENT_SCHEMA, both_validators, event, needs_rust, write

ERRORS = [
    kind
    for kind in map(conformance.__dict__.get, conformance.__all__)
    if isinstance(kind, type) and issubclass(kind, ConformanceError)
]


class Hostile(dict[str, Any]):
    def get(self, *_: Any) -> Any:
        raise RuntimeError

    __iter__ = keys = items = __getitem__ = __contains__ = __len__ = get  # type: ignore[assignment]


@pytest.mark.parametrize("kind", ERRORS)
def test_every_error_carries_its_data(kind: type[ConformanceError]) -> None:
    found = Violation("/a", "type", "must be text")
    error = kind("what is wrong", schema_uri="/x/1.0.0", stream="s", violations=[found])
    assert str(error) == "what is wrong"
    assert (error.schema_uri, error.stream, error.violations) == ("/x/1.0.0", "s", (found,))
    assert kind.__doc__
    bare = kind("x")
    assert (bare.schema_uri, bare.stream, bare.violations) == (None, None, ())


def test_every_error_has_a_reason_of_its_own_and_is_of_one_kind() -> None:
    assert len({kind.reason for kind in ERRORS}) == len(ERRORS) > 15
    for kind in ERRORS:
        assert kind.reason.isidentifier()
        if kind is not ConformanceError:
            assert issubclass(kind, RejectedError) is not issubclass(kind, UnavailableError)
    assert not issubclass(ConfigurationError, ConformanceError)
    assert issubclass(ConfigurationError, ValueError)


@pytest.mark.parametrize(("path", "shown"), [("/a/b", "/a/b: m (k)"), ("", "/: m (k)")])
def test_a_violation_as_text(path: str, shown: str) -> None:
    assert str(Violation(path, "k", "m")) == shown


@pytest.mark.parametrize(
    "given", [None, 1, "text", b"x", [], [("$schema", "/x/1.0.0")], object(), {"a"}, dict, Mock(spec=dict)]
)
def test_what_is_no_object_is_no_event(given: Any, make: Callable[..., Conformer]) -> None:
    conformer = make()
    for judge in (conformer.conform, conformer.violations, conformer.look_up):
        with pytest.raises(NotJSONError, match="an event is a JSON object: give a dict"):
            judge(given)


@both_validators
@pytest.mark.parametrize("kind", [dict, OrderedDict, MappingProxyType, Hostile])
def test_any_mapping_may_be_an_event(
    kind: Callable[..., Any], validator: str, make: Callable[..., Conformer]
) -> None:
    conformer = make(validator=validator)
    message = conformer.conform(kind(event(name="x")))
    assert json.loads(message.value)["name"] == "x"
    assert conformer.violations(kind(event(name=1))) != []


@both_validators
def test_meta_may_be_a_subclass_of_dict_that_does_what_it_likes(
    validator: str, make: Callable[..., Conformer]
) -> None:
    message = make(validator=validator).conform({**event(), "meta": Hostile(stream="test.event")})
    assert json.loads(message.value)["meta"]["stream"] == "test.event"


@pytest.mark.parametrize(
    "meta", [Mock(spec=dict), MappingProxyType({"stream": "test.event"}), [("stream", "x")]]
)
def test_meta_must_be_a_dict(meta: Any, make: Callable[..., Conformer]) -> None:
    with pytest.raises(StreamNameError):
        make().conform({**event(), "meta": meta})


@pytest.mark.parametrize(("options", "says"), [
    ({"validator": "other"}, "validator: 'other' is unknown; use jsonschema or jsonschema-rs"),
    ({"http": {"retries": 3}}, "http: unknown option 'retries'"),
    ({"schema_base_uris": []}, "schema_base_uris: at least one"),
    ({"stream_config_uri": []}, "stream_config_uri: at least one"),
    ({"stream_config_uri": "/nowhere.yaml"}, "stream_config_uri: there is no file"),
    ({"schema_base_uris": ["/nowhere"]}, "schema_base_uris: '/nowhere' is no directory"),
])  # fmt: skip
def test_wrong_options_are_named_at_once(options: Any, says: str, make: Callable[..., Conformer]) -> None:
    with pytest.raises(ConfigurationError, match=says):
        make(**options)


def test_a_validator_that_is_not_installed_is_named_at_once(
    make: Callable[..., Conformer], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "jsonschema_rs", None)
    with pytest.raises(ConfigurationError, match=r"install eplogging\[fast\]"):
        make(validator="jsonschema-rs")


@both_validators
def test_all_violations_are_carried_and_as_many_told_as_fit(validator: str, tmp_path: Path) -> None:
    properties = {f"p{number:02}": {"type": "string"} for number in range(45)}
    write(tmp_path, "/test/event/1.0.0", {"title": "test/event", "properties": properties})
    conformer = Conformer([tmp_path], {"test.event": {"schema_title": "test/event"}}, validator=validator)  # type: ignore[arg-type]
    given = event(**dict.fromkeys(properties, 1))
    with pytest.raises(ValidationError) as caught:
        conformer.conform(given)
    assert {found.path for found in caught.value.violations} == {f"/{name}" for name in properties}
    text = str(caught.value)
    told = text.count("(type)")
    assert 30 < told < 45
    assert text.endswith(f"; and {45 - told} more")
    assert 1_800 < len(text) < 2_000
    assert list(caught.value.violations) == conformer.violations(given)


@both_validators
def test_the_text_of_an_error_is_short_whatever_the_event_holds(
    validator: str, make: Callable[..., Conformer]
) -> None:
    huge = "\u00e9" * 5_000_000
    for given in (event(page=huge), event(code=huge), event(count=huge), event(page={"page_id": {huge: 1}})):
        with pytest.raises(ValidationError) as caught:
            make(validator=validator, max_message_bytes=10**8).conform(given)
        assert len(str(caught.value)) < 2000
        assert all(len(found.message) < 500 for found in caught.value.violations)


@both_validators
def test_violations_judge_an_event_as_it_stands(validator: str, make: Callable[..., Conformer]) -> None:
    conformer = make(validator=validator, stream_config_uri={})
    assert conformer.violations({"$schema": "/test/event/1.0.0", "meta": {"stream": "unknown"}}) == []
    assert conformer.violations({"$schema": "/test/defaults/1.0.0"}) == []
    [missing] = conformer.violations({"$schema": "/test/event/1.0.0"})
    assert (missing.path, missing.keyword) == ("", "required")
    [no_json] = conformer.violations(event(name=float("nan")))
    assert (no_json.path, no_json.keyword) == ("", "json")
    assert "/name is nan" in no_json.message
    [instant] = conformer.violations(event(dt="2020-02-30T00:00:00Z"))
    assert (instant.path, instant.keyword) == ("/dt", "format")
    [once] = conformer.violations(event(dt="yesterday"))
    assert (once.path, once.keyword) == ("/dt", "format")
    with pytest.raises(SchemaNotFoundError):
        conformer.violations(event("/no/such/1.0.0"))


def test_cached_only_neither_asks_nor_waits(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, "/test/event/1.0.0", EVENT_SCHEMA)
    base = schema_server.mount("/repo", tmp_path)
    schema_server.stream_configs = {"test.event": {"schema_title": "test/event"}}
    conformer = Conformer([base], schema_server.stream_config_uri)

    with pytest.raises(NotCachedError) as caught:
        conformer.conform(event(), cached_only=True)
    assert (caught.value.schema_uri, caught.value.stream) == ("/test/event/1.0.0", "test.event")
    assert not schema_server.requests
    conformer.violations(event())
    with pytest.raises(NotCachedError, match="stream config"):
        conformer.conform(event(), cached_only=True)
    assert len(schema_server.requests) == 1
    conformer.look_up(event())
    schema_server.down()
    assert conformer.conform(event(), cached_only=True).topic == "test.event"


def test_many_threads_cost_one_request_each(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, "/test/event/1.0.0", EVENT_SCHEMA)
    schema_server.stream_configs = {"test.event": {"schema_title": "test/event"}}
    conformer = Conformer([schema_server.mount("/repo", tmp_path)], schema_server.stream_config_uri)
    with ThreadPoolExecutor(16) as pool:
        messages = list(pool.map(lambda number: conformer.conform(event(n=number)), range(200)))
    assert sorted(json.loads(message.value)["n"] for message in messages) == list(range(200))
    assert len({json.loads(message.value)["meta"]["id"] for message in messages}) == 200
    assert len(schema_server.requests) == 2


def test_without_a_listener_stream_configs_are_read_again_when_their_time_is_over(
    tmp_path: Path, clock: Clock
) -> None:
    def declare(topic: str) -> None:
        write(tmp_path, "streams.json", {"test.event": {"schema_title": "test/event", "topics": [topic]}})

    def topic(**options: Any) -> str:
        return conformer.conform(event(), **options).topic

    write(tmp_path, "/test/event/1.0.0", EVENT_SCHEMA)
    declare("eqiad.test.event")
    conformer = Conformer(
        [tmp_path],
        tmp_path / "streams.json",
        topic_prefix="eqiad.",
        stream_config_ttl=60,
        stream_config_retries=0,
    )
    assert topic() == "eqiad.test.event"
    declare("test.event")
    clock.now += 59.9
    assert topic() == "eqiad.test.event"
    clock.now += 0.1
    assert topic(cached_only=True) == "eqiad.test.event", "this asks nobody"
    assert topic() == topic(cached_only=True) == "test.event"
    write(tmp_path, "streams.json", "no: [stream config")
    clock.now += 60
    assert topic() == "test.event", "the last good answer is kept"
    declare("eqiad.test.event")
    clock.now += 29.9
    assert topic() == "test.event", "who failed is left alone for a while"
    clock.now += 0.1
    assert topic() == "eqiad.test.event"


def test_insecure_schemas_pass_where_they_are_allowed(make: Callable[..., Conformer]) -> None:
    given = event("/test/insecure/1.0.0", "test.insecure", code="abc")
    assert make(allow_insecure_schemas=True).conform(given).topic == "test.insecure"


def test_an_id_that_differs_is_accepted_with_one_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    write(tmp_path, "/test/event/1.0.0", {**EVENT_SCHEMA, "$id": "/test/other/1.0.0"})
    conformer = Conformer([tmp_path], {"test.event": {"schema_title": "test/event"}})
    with caplog.at_level(logging.WARNING, "eplogging"):
        for _ in range(3):
            conformer.conform(event())
    assert [record.getMessage() for record in caplog.records] == [
        "schema /test/event/1.0.0 calls itself /test/other/1.0.0; it is used all the same"
    ]


@both_validators
def test_what_is_too_large_is_not_described(
    validator: str, make: Callable[..., Conformer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def described(*_: Any) -> Any:
        raise AssertionError("described")

    conformer = make(validator=validator, max_message_bytes=10_000)
    conformer.conform(event())
    monkeypatch.setattr(conformer_module, "_violations", described)
    for given in (event(name=[1] * 10_000), event(name={"a": "x" * 20_000, "b": float("nan")})):
        with pytest.raises((MessageTooLargeError, NotJSONError)) as caught:
            conformer.conform(given)
        assert isinstance(caught.value, MessageTooLargeError) == ("b" not in given["name"])
    with pytest.raises(AssertionError, match="described"):
        conformer.conform(event(name=1))


@both_validators
def test_what_is_too_large_as_orjson_writes_it_may_fit(
    validator: str, make: Callable[..., Conformer]
) -> None:
    conformer = make(validator=validator, max_message_bytes=2_500)
    message = conformer.conform(event(free=[-0.0] * 1_000))
    assert json.loads(message.value)["free"] == [0] * 1_000
    assert len(message.value) < 2_500


def shared(levels: int) -> Any:
    inner: Any = "x"
    for _ in range(levels):
        inner = [inner, inner]
    return inner


@pytest.mark.parametrize(
    ("validator", "levels"),
    [("jsonschema", 18), ("jsonschema", 60), pytest.param("jsonschema-rs", 20, marks=needs_rust)],
)
def test_shared_parts_count_each_time(validator: str, levels: int, make: Callable[..., Conformer]) -> None:
    conformer = make(validator=validator)
    conformer.conform(event())
    before = time.process_time()
    with pytest.raises(MessageTooLargeError):
        conformer.conform(event(free=shared(levels)))
    [large] = conformer.violations(event(free=shared(18)))
    assert (large.path, large.keyword) == ("", "json") and "1,000,000 bytes" in large.message
    assert time.process_time() - before < 30  # and not for ever


@both_validators
def test_whatever_is_nested_too_deep_is_a_rejection(
    validator: str, make: Callable[..., Conformer], monkeypatch: pytest.MonkeyPatch
) -> None:
    def too_deep(*_: Any) -> Any:
        raise RecursionError

    monkeypatch.setattr(conformer_module, "_violations", too_deep)
    with pytest.raises(NotJSONError, match="nested too deep") as caught:
        make(validator=validator).conform(event(name=1))
    assert (caught.value.schema_uri, caught.value.stream) == ("/test/event/1.0.0", "test.event")


@both_validators
def test_defaults_may_not_make_an_event_too_deep(validator: str, tmp_path: Path) -> None:
    nested: dict[str, Any] = {}
    for _ in range(62):
        nested = {"a": nested}
    properties = {"x": {"default": nested}, "y": {"properties": {"x": {"default": nested}}}}
    write(tmp_path, "/test/event/1.0.0", {**EVENT_SCHEMA, "properties": properties})
    conformer = Conformer([tmp_path], {"test.event": {"schema_title": "test/event"}}, validator=validator)  # type: ignore[arg-type]
    assert json.loads(conformer.conform(event()).value)["x"] == nested
    with pytest.raises(NotJSONError, match=r"defaults of its schema .* more than 64 levels"):
        conformer.conform(event(y={}))
    [too_deep] = conformer.violations(event(y={}))
    assert "more than 64 levels" in too_deep.message


@pytest.mark.skipif(sys.version_info < (3, 11), reason="operator.call, in C, is new in Python 3.11")
def test_what_is_sent_is_what_was_validated(make: Callable[..., Conformer], thread_switches: None) -> None:
    """Other threads make the event invalid, and valid again, while it is conformed."""
    conformer = make()
    page: dict[str, Any] = {"page_id": 1}
    given = event(page=page)
    ended = threading.Event()

    def change() -> None:
        values = itertools.cycle(("one", 1))
        while not ended.is_set():
            page["page_id"] = next(values)

    threads = [threading.Thread(target=change) for _ in range(2)]
    for thread in threads:
        thread.start()
    sent = set()
    try:
        for _ in range(30_000):
            with contextlib.suppress(ValidationError):
                sent.add(b'"page_id":1' in conformer.conform(given).value)
    finally:
        ended.set()
        for thread in threads:
            thread.join()
    assert sent == {True}
