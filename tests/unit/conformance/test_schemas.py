"""Schema repositories: where a schema URI leads, in which order, and what is remembered."""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import (
    ConfigurationError,
    Conformer,
    NotCachedError,
    SchemaError,
    SchemaNotFoundError,
    SchemaUnavailableError,
)
from eplogging.conformance.resources import Reader
from eplogging.conformance.schemas import Schemas
from tests.support.schemaserver import SchemaServer
from tests.unit.conformance.conftest import Clock
from tests.unit.conformance.world import EVENT_SCHEMA, REPOSITORY, event, write

URI = "/test/event/1.0.0"
TITLED = {"type": "object"}
FAST = {"timeout": 0.2}


def look_up(*base_uris: Any, **options: Any) -> Schemas:
    return Schemas(base_uris, Reader(options.pop("http", None)), **options)


def as_path(directory: Path) -> Path:
    return directory


def as_text(directory: Path) -> str:
    return str(directory)


def as_file_url(directory: Path) -> str:
    return directory.as_uri()


@pytest.mark.parametrize("spell", [as_path, as_text, as_file_url])
def test_a_local_repository(spell: Callable[[Path], Any], tmp_path: Path) -> None:
    directory = tmp_path / "with space"
    write(directory, URI, EVENT_SCHEMA)
    assert look_up(spell(directory)).get(URI).title == "test/event"


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_repository_over_http(slash: str, tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, URI, EVENT_SCHEMA)
    schemas = look_up(schema_server.mount("/repo", tmp_path) + slash)
    assert schemas.get(URI) is schemas.get(URI)
    assert [request.path for request in schema_server.requests] == ["/repo" + URI]


@pytest.mark.parametrize(
    ("base_uris", "says"),
    [
        ([], "at least one"),
        (["/nowhere/at/all"], "'/nowhere/at/all' is no directory"),
        (["ftp://x/y"], "'ftp://x/y' can not be read"),
    ],
)
def test_wrong_repositories_are_a_configuration_error(base_uris: list[str], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        look_up(*base_uris)


def test_one_repository_may_be_given_without_a_list(tmp_path: Path) -> None:
    write(tmp_path, URI, EVENT_SCHEMA)
    for given in (tmp_path, str(tmp_path)):
        conformer = Conformer(given, {"test.event": {"schema_title": "test/event"}})
        assert conformer.conform(event()).topic == "test.event"


def test_repositories_are_asked_in_order(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path / "b", "/x/1.0.0", {**TITLED, "title": "x of b"})
    write(tmp_path / "c", "/x/1.0.0", {**TITLED, "title": "x of c"})
    write(tmp_path / "c", "/y/1.0.0", {**TITLED, "title": "y of c"})
    schemas = look_up(*(schema_server.mount(f"/{name}", tmp_path / name) for name in "abc"))

    assert schemas.get("/x/1.0.0").title == "x of b"
    assert schemas.get("/y/1.0.0").title == "y of c"
    asked = [request.path for request in schema_server.requests]
    assert asked == ["/a/x/1.0.0", "/b/x/1.0.0", "/a/y/1.0.0", "/b/y/1.0.0", "/c/y/1.0.0"]


def test_the_extension_is_tried_after_the_bare_uri(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, URI + ".yaml", "title: from yaml")
    base = schema_server.mount("/repo", tmp_path)
    with pytest.raises(SchemaNotFoundError, match=f"for {URI}.; .*set schema_file_extension"):
        look_up(base).get(URI)
    with pytest.raises(
        SchemaNotFoundError, match=r"for /z/1.0.0 or /z/1.0.0.yaml.; check the event's .schema, or add"
    ):
        look_up(base, file_extension=".yaml").get("/z/1.0.0")
    assert look_up(base, file_extension=".yaml").get(URI).title == "from yaml"
    assert [request.path for request in schema_server.requests[-2:]] == ["/repo" + URI, f"/repo{URI}.yaml"]

    write(tmp_path, URI, "title: bare")
    assert look_up(base, file_extension=".yaml").get(URI).title == "bare"


def test_nowhere_is_remembered_for_a_while(schema_server: SchemaServer, clock: Clock) -> None:
    schemas = look_up(schema_server.url + "/a", schema_server.url + "/b")
    for _ in range(3):
        with pytest.raises(SchemaNotFoundError, match="add the repository that has it to schema_base_uris"):
            schemas.get(URI)
    assert schema_server.counts == {"/a" + URI: 1, "/b" + URI: 1}
    with pytest.raises(SchemaNotFoundError):
        schemas.get(URI, cached_only=True)

    clock.now += 73
    schema_server.body("/b" + URI, b"title: new")
    assert schemas.get(URI).title == "new"


def test_what_is_remembered_of_unknown_schemas_is_bounded(tmp_path: Path, clock: Clock) -> None:
    schemas = look_up(tmp_path)
    for number in range(3000):
        clock.now += 1
        with pytest.raises(SchemaNotFoundError):
            schemas.get(f"/x/{number}.0.0")
    held = (schemas._refused, schemas._documents, schemas.known, schemas._locks, schemas._fetching)
    assert sum(map(len, held)) <= 1000


@pytest.mark.parametrize("fault", ["fail", "hang", "down"])
def test_no_answer_is_no_verdict(fault: str, tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, URI, EVENT_SCHEMA)
    base = schema_server.mount("/repo", tmp_path)
    schemas = look_up(base, tmp_path / "..", http=FAST)
    schema_server.down() if fault == "down" else getattr(schema_server, fault)("/repo" + URI)
    for _ in range(2):
        with pytest.raises(
            SchemaUnavailableError, match="could not be looked up, and is tried again"
        ) as caught:
            schemas.get(URI)
        assert caught.value.schema_uri == URI

    schema_server.up()
    schema_server.heal()
    assert schemas.get(URI).title == "test/event"


def test_a_repository_that_has_it_helps_out(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, URI, EVENT_SCHEMA)
    schema_server.fail("/repo" + URI)
    assert look_up(schema_server.url + "/repo", tmp_path).get(URI).title == "test/event"


def test_a_fragment_that_can_not_be_had_makes_the_schema_wait(schema_server: SchemaServer) -> None:
    schemas = look_up(REPOSITORY, schema_server.url, file_extension=".yaml")
    schema_server.fail("/fragment/missing/1.0.0", times=1)
    with pytest.raises(SchemaUnavailableError, match="/fragment/missing"):
        schemas.get("/test/broken/1.0.0")
    schema_server.body("/fragment/missing/1.0.0", b"type: object")
    assert schemas.get("/test/broken/1.0.0").title == "test/broken"


def test_each_schema_is_fetched_once_by_many_threads(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, "/fragment/1.0.0", {"properties": {"a": {"type": "integer"}}})
    uris = [f"/test/{name}/1.0.0" for name in "abcd"]
    for uri in uris:
        write(tmp_path, uri, {"title": uri, "allOf": [{"$ref": "/fragment/1.0.0"}]})
    schemas = look_up(schema_server.mount("/repo", tmp_path))
    together = threading.Barrier(16)

    def get(number: int) -> Any:
        together.wait()
        return schemas.get(uris[number % 4])

    with ThreadPoolExecutor(16) as pool:
        got = list(pool.map(get, range(16)))

    assert len(set(map(id, got))) == 4
    assert schema_server.counts == dict.fromkeys(
        ["/repo/fragment/1.0.0", *("/repo" + uri for uri in uris)], 1
    )


def test_one_slow_schema_holds_up_no_other(tmp_path: Path) -> None:
    asked, answer = threading.Event(), threading.Event()

    class SlowReader(Reader):
        def file(self, path: Path, max_bytes: int) -> Any:
            if "slow" in path.parts:
                asked.set()
                assert answer.wait(10)
            return super().file(path, max_bytes)

    for uri in ("/slow/1.0.0", "/quick/1.0.0"):
        write(tmp_path, uri, {"title": uri})
    schemas = Schemas([tmp_path], SlowReader())
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(schemas.get, "/slow/1.0.0")
        assert asked.wait(10)
        assert schemas.get("/quick/1.0.0").title == "/quick/1.0.0"
        assert not slow.done()
        answer.set()
        assert slow.result(10).title == "/slow/1.0.0"


def test_cached_only_looks_nothing_up(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, URI, EVENT_SCHEMA)
    schemas = look_up(schema_server.mount("/repo", tmp_path))
    with pytest.raises(NotCachedError) as caught:
        schemas.get(URI, cached_only=True)
    assert caught.value.schema_uri == URI
    assert not schema_server.requests
    schemas.get(URI)
    assert schemas.get(URI, cached_only=True).title == "test/event"


@pytest.mark.parametrize("over_http", [False, True])
def test_links_checked_out_as_text_are_followed(
    over_http: bool, tmp_path: Path, schema_server: SchemaServer
) -> None:
    write(tmp_path, URI, "1.0.0.yaml")
    write(tmp_path, URI + ".yaml", "title: behind the link")
    base = schema_server.mount("/repo", tmp_path) if over_http else tmp_path
    assert look_up(base).get(URI).title == "behind the link"


@pytest.mark.parametrize(
    "target",
    ["../event/1.0.0.yaml", "/etc/hostname", "1.0.0", "no text/but a path", "http://x/y", "..", "a b"],
)
def test_texts_that_are_no_link_are_refused(target: str, tmp_path: Path) -> None:
    write(tmp_path, URI, f"'{target}'")
    write(tmp_path, URI + ".yaml", "title: x")
    with pytest.raises(SchemaError, match="holds a text where a schema should be"):
        look_up(tmp_path).get(URI)


def test_symbolic_links(tmp_path: Path) -> None:
    repository, outside = tmp_path / "repo", tmp_path / "repo-outside"
    write(repository, URI + ".yaml", "title: inside")
    write(outside, "secret", "title: outside")
    (repository / "test/event/1.0.0").symlink_to("1.0.0.yaml")
    (repository / "test/event/2.0.0").symlink_to(outside / "secret")
    (repository / "test/event/3.0.0").symlink_to("../../../repo-outside/secret")
    (repository / "escaped").symlink_to(outside)
    write(outside, "1.0.0", "title: outside")
    (tmp_path / "alias").symlink_to(repository)
    for base in (repository, tmp_path / "alias"):
        schemas = look_up(base)
        assert schemas.get(URI).title == "inside"
        for uri in ("/test/event/2.0.0", "/test/event/3.0.0", "/escaped/1.0.0"):
            with pytest.raises(SchemaError, match="leads out of its schema repository"):
                schemas.get(uri)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("[1, 2]", "is no JSON object"),
        ("'a text of more words'", "holds a text"),
        ("", "is empty"),
        ("{", "neither YAML nor JSON"),
        ("title: x\ntitle: y", "stands twice"),
        ("title: " + "x" * 256 * 1024, "is larger than 262,144 bytes"),
        ("title: 1", "title"),
        ("title: x\ntype: nonsense", "no valid JSON schema"),
        ("title: x\n$schema: https://json-schema.org/draft/2020-12/schema", "metaschema"),
        ("title: x\nallOf: [{$ref: 'file:///etc/hostname'}]", "leads out of the schema repositories"),
        ("title: x\nallOf: [{$ref: 'http://127.0.0.1:9/x'}]", "leads out of the schema repositories"),
        ("title: x\nallOf: [{$ref: '//host/x'}]", "leads out of the schema repositories"),
        ("title: x\nallOf: [{$ref: '/a/%2e%2e/b'}]", "leads out of the schema repositories"),
        ("title: x\nallOf: [{$ref: '#'}]", "leads back to itself"),
        ("title: x\nallOf: [{$ref: '/list/1.0.0'}]", "something that is no schema"),
    ],
)  # fmt: skip
def test_schemas_that_can_not_be_used(content: str, says: str, tmp_path: Path) -> None:
    write(tmp_path, URI, content)
    write(tmp_path, "/list/1.0.0", [1])
    schemas = look_up(tmp_path)
    for _ in range(2):
        with pytest.raises(SchemaError) as caught:
            schemas.get(URI)
        assert says in str(caught.value)
        assert caught.value.schema_uri == URI
        assert len(str(caught.value)) < 1000


def test_precached_uris_need_no_version(tmp_path: Path, make: Callable[..., Conformer]) -> None:
    write(tmp_path, "/x/current.yaml", "title: x\nallOf: [{$ref: /fragment/common/1.0.0}]")
    uris = ["/x/current.yaml", "/test/event/1.0.0", "/nowhere/1.0.0", "/x/latest"]
    conformer = make(schema_base_uris=[tmp_path, REPOSITORY], schema_precache_uris=uris,
                     stream_config_uri={"x": {"schema_title": "x"}})  # fmt: skip

    failed = conformer.precache()

    assert [type(error) for error in failed] == [SchemaNotFoundError] * 2
    assert [error.schema_uri for error in failed] == ["/nowhere/1.0.0", "/x/latest"]
    assert conformer.conform(event("/x/current.yaml", "x"), cached_only=True).topic == "x"


def test_a_schema_that_was_mended_is_read_again(tmp_path: Path, clock: Clock) -> None:
    write(tmp_path, URI, {"type": "object"})
    schemas = look_up(tmp_path)
    with pytest.raises(SchemaError, match="title"):
        schemas.get(URI)
    write(tmp_path, URI, EVENT_SCHEMA)
    clock.now += 100
    assert schemas.get(URI).title == "test/event"


def test_a_look_up_within_a_look_up_of_the_same_thread_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In strict mode a signal handler may log an event in the midst of a look-up."""
    write(tmp_path, URI, EVENT_SCHEMA)
    schemas = look_up(tmp_path)
    original, nested = schemas._look_up, list[Any]()

    def interrupted(uri: str) -> Any:
        if not nested:
            nested.append(None)
            nested.append(schemas.get(uri))
        return original(uri)

    monkeypatch.setattr(schemas, "_look_up", interrupted)
    assert schemas.get(URI).title == nested[1].title == "test/event"


def chained(tmp_path: Path, documents: int, text: str = "") -> None:
    for number in range(documents):
        link = {"$ref": f"/fragment/f{number + 1}/1.0.0"} if number + 1 < documents else {}
        write(tmp_path, f"/fragment/f{number}/1.0.0", {"description": text, "properties": {"x": link}})
    write(tmp_path, URI, {**EVENT_SCHEMA, "properties": {"x": {"$ref": "/fragment/f0/1.0.0"}}})


def test_what_a_refused_schema_referred_to_is_forgotten(tmp_path: Path) -> None:
    chained(tmp_path, 60)
    schemas = look_up(tmp_path)
    with pytest.raises(SchemaError, match="more than 50 other documents"):
        schemas.get(URI)
    assert not schemas._documents


def test_all_that_a_schema_refers_to_is_bounded_in_bytes(tmp_path: Path) -> None:
    chained(tmp_path, 40, "y" * 200_000)
    with pytest.raises(SchemaError, match="larger than 4,194,304 bytes together"):
        look_up(tmp_path).get(URI)


def test_all_that_a_schema_refers_to_is_bounded_in_time(
    tmp_path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that takes long over each answer is asked again later, and only for what is missing."""
    chained(tmp_path, 20)
    schemas = look_up(tmp_path)
    read, asked = schemas._read, list[str]()

    def slowly(uri: str) -> Any:
        clock.now += 4
        asked.append(uri)
        return read(uri)

    monkeypatch.setattr(schemas, "_read", slowly)
    tries = 0
    while not schemas.known and tries < 5:
        tries += 1
        before = len(asked)
        try:
            schemas.get(URI)
        except SchemaUnavailableError as error:
            assert "within 30 seconds" in str(error)
        assert len(asked) - before <= 10
    assert schemas.get(URI).title == "test/event"
    assert len(asked) == len(set(asked)) == 21
