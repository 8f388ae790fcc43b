"""Which schema URIs of an event are looked up at all: what is refused opens no file and no socket."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from eplogging.conformance import Conformer, SchemaError, SchemaNotFoundError, SchemaURIError, schemas
from tests.support.schemaserver import SchemaServer
from tests.unit.conformance.world import EVENT_SCHEMA, event, write

STREAMS = {"test.event": {"schema_title": "test/event"}}

ESCAPES = [
    "/../../../etc/hostname",
    "/a/../../x",
    "/../1.0.0",
    "/a/../1.0.0",
    "/./test/event/1.0.0",
    "/.test/event/1.0.0",
    "/%2e%2e/test/1.0.0",
    "/..%2f..%2f1.0.0",
    "\\..\\..\\x",
    "/test\\event/1.0.0",
    "//evil/x",
    "//evil/x/1.0.0",
    "///test/event/1.0.0",
    "/test//event/1.0.0",
    "/test/event/1.0.0/",
    "/\uff54\uff45\uff53\uff54/event/1.0.0",
    "/test/event/\u0661.0.0",
    "/test/event/1.0.0\x00",
    "/test/event\x00/1.0.0",
    "/test/event/1.0.0\n",
    "/test/event/01.0.0",
    "/test/event/1.0",
    "/test/event/1.0.0.0",
    "/test/event/v1.0.0",
    "/test/event/1.0.0-rc1",
    "/test/event/1.0.0.yaml",
    "/test/event/1.0.0.json",
    "/test/event/1.0.0?q",
    "/test/event/1.0.0#frag",
    "/test/event/1.0.0#",
    " /test/event/1.0.0",
    "/test/ event/1.0.0",
    "/test/event/latest",
    "/test/event/current",
    "/test/event/current.yaml",
    "/1.0.0",
    "1.0.0",
    "/",
    "/" + "x" * 10_000 + "/1.0.0",
    "/" + "x/" * 300 + "1.0.0",
    "/test/event/1.0.0\ud800",
]
ABSOLUTE = [
    "http://127.0.0.1:9/test/event/1.0.0",
    "https://schema.example.org/test/event/1.0.0",
    "HTTP://169.254.169.254/latest/meta-data/1.0.0",
    "http://[",
    "http://a\u2100b/1.0.0",
    "file:///etc/hostname",
    "file:///etc/hostname/1.0.0",
    "ftp://x/test/event/1.0.0",
    "gopher://x/1.0.0",
]
NO_URI = ["data:application/json,{}", "javascript:1", "urn:x:1.0.0"]


@pytest.fixture
def nothing_opened(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[object]]:
    """What was opened or asked meanwhile."""
    opened: list[object] = []
    monkeypatch.setattr(schemas.Reader, "file", lambda self, *args: opened.append(args))
    monkeypatch.setattr(schemas.Reader, "url", lambda self, *args: opened.append(args))
    monkeypatch.setattr(socket.socket, "connect", lambda self, *args: opened.append(args))
    yield opened
    assert opened == []


@pytest.mark.parametrize("uri", ESCAPES + ABSOLUTE + NO_URI)
def test_a_refused_uri_opens_nothing(uri: str, tmp_path: Path, nothing_opened: list[object]) -> None:
    conformer = Conformer([tmp_path], STREAMS, schema_file_extension=".yaml")
    for judge in (conformer.conform, conformer.violations, conformer.look_up):
        with pytest.raises(SchemaURIError) as caught:
            judge(event(uri))
        assert caught.value.schema_uri == uri
        assert len(str(caught.value)) < 700
        says = (
            "set allow_absolute_schema_uris" if uri in ABSOLUTE or uri.startswith("//") else "with a version"
        )
        assert says in str(caught.value)
    with pytest.raises(SchemaURIError) as caught:
        conformer.conform(event(uri), cached_only=True)
    assert (caught.value.schema_uri, caught.value.stream) == (uri, "test.event")


@pytest.mark.parametrize("uri", ESCAPES)
def test_these_are_refused_where_absolute_ones_are_allowed_too(
    uri: str, tmp_path: Path, nothing_opened: list[object]
) -> None:
    with pytest.raises(SchemaURIError):
        Conformer([tmp_path], STREAMS, allow_absolute_schema_uris=True).conform(event(uri))


@pytest.mark.parametrize("uri", ["file:///etc/hostname", "ftp://x/test/event/1.0.0", *NO_URI])
def test_only_http_is_ever_allowed(uri: str, tmp_path: Path, nothing_opened: list[object]) -> None:
    with pytest.raises(SchemaURIError):
        Conformer([tmp_path], STREAMS, allow_absolute_schema_uris=True).conform(event(uri))


@pytest.mark.parametrize("uri", ["/test/event/1.0.0", "test/event/1.0.0", "/a/b_c/d-e/f.g/0.10.999999999"])
def test_uris_that_are_taken(uri: str, tmp_path: Path) -> None:
    write(tmp_path, uri, EVENT_SCHEMA)
    assert Conformer([tmp_path], STREAMS).conform(event(uri)).topic == "test.event"


@pytest.mark.parametrize("uri", ["http://json-schema.org/draft-07/schema#", "/draft-07/schema"])
def test_a_metaschema_is_no_schema_of_events(uri: str, make: Callable[..., Conformer]) -> None:
    with pytest.raises(SchemaURIError):
        make().conform(event(uri))


def test_absolute_uris_where_they_are_allowed(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, "/test/event/1.0.0", EVENT_SCHEMA)
    base = schema_server.mount("/repo", tmp_path)
    conformer = Conformer([tmp_path / "test"], STREAMS, allow_absolute_schema_uris=True, http={"timeout": 1})

    message = conformer.conform(event(f"{base}/test/event/1.0.0"))

    assert f'"$schema":"{base}/test/event/1.0.0"'.encode() in message.value
    with pytest.raises(SchemaNotFoundError, match="there is no schema at"):
        conformer.conform(event(f"{base}/test/event/2.0.0"))
    schema_server.redirect("/repo/test/event/3.0.0", "/repo/test/event/1.0.0")
    with pytest.raises(SchemaError, match="redirects to"):
        conformer.conform(event(f"{base}/test/event/3.0.0"))
    for broken in ("http://[", "http://a\u2100b/1.0.0"):
        with pytest.raises(SchemaError, match="no address"):
            conformer.conform(event(broken))


def test_headers_go_to_the_configured_repositories_only(tmp_path: Path, schema_server: SchemaServer) -> None:
    write(tmp_path, "/test/event/1.0.0", EVENT_SCHEMA)
    base, elsewhere = (schema_server.mount(prefix, tmp_path) for prefix in ("/repo", "/elsewhere"))
    http = {"headers": {"Authorization": "secret"}}
    conformer = Conformer([base], STREAMS, allow_absolute_schema_uris=True, http=http)
    for uri in (f"{base}/test/event/1.0.0", "/test/event/1.0.0", f"{elsewhere}/test/event/1.0.0"):
        conformer.conform(event(uri))
    given = [request.headers["Authorization"] for request in schema_server.requests]
    assert given == ["secret", "secret", None]


@pytest.mark.parametrize(("user", "given"), [("", None), ("me:pw@", "Basic bWU6cHc=")])
def test_only_the_url_says_who_logs_in(
    user: str, given: str | None, tmp_path: Path, schema_server: SchemaServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "netrc").write_text("machine 127.0.0.1 login other password other\n")
    monkeypatch.setenv("NETRC", str(tmp_path / "netrc"))
    write(tmp_path, "/test/event/1.0.0", EVENT_SCHEMA)
    base = schema_server.mount("/repo", tmp_path).replace("//", f"//{user}")
    Conformer([base], STREAMS).conform(event())
    assert schema_server.requests[0].headers["Authorization"] == given
