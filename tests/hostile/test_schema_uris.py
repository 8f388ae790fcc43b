"""What `$schema` and `$ref` may carry (rows S1 to S5, S7 and S8), watched by an audit hook."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.hostile.watched import watch
from tests.support.schemaserver import SchemaServer
from tests.unit.conformance.world import EVENT_SCHEMA, event, write

STREAMS = "test.event: {schema_title: test/event}\n"
OK = "/test/event/1.0.0"
METADATA = "http://169.254.169.254/latest/meta-data"

INVALID = {
    "S1 up": "/../../../etc/hostname",
    "S1 down and up": "/a/../../x",
    "S1 with version": "/../../../etc/1.0.0",
    "S2 encoded dots": "/%2e%2e/%2e%2e/etc/1.0.0",
    "S2 encoded slashes": "/..%2f..%2f/1.0.0",
    "S2 backslashes": "\\..\\..\\x",
    "S2 two slashes": "//evil/x",
    "S2 two slashes, version": "//evil/x/1.0.0",
    "S2 fullwidth": "/\uff54\uff45\uff53\uff54/event/1.0.0",
    "S2 NUL": "/test/event/1.0.0\0",
    "S2 trailing slash": "/test/event/1.0.0/",
    "S2 slashes inside": "/test//event/1.0.0",
    "S2 leading zero": "/test/event/01.0.0",
    "S2 extension": "/test/event/1.0.0.yaml",
    "S2 query": "/test/event/1.0.0?q",
    "S2 fragment": "/test/event/1.0.0#frag",
    "S2 10 kB": "/" + "x" * 10_000 + "/1.0.0",
    "S2 514 characters": "/" + "x/" * 254 + "1.0.0",
    "S3 http": f"{METADATA}/1.0.0",
    "S3 HTTP": "HTTP://169.254.169.254/1.0.0",
    "S3 https": "https://schema.example.org/test/event/1.0.0",
    "S3 file": "file:///etc/hostname",
    "S3 file, version": "file:///etc/1.0.0",
    "S3 ftp": "ftp://example.org/test/event/1.0.0",
    "S3 data": "data:application/json,{}",
    "S4 latest": "/test/event/latest",
    "S4 current": "/test/event/current",
    "C11 metaschema": "http://json-schema.org/draft-07/schema#",
    "C11 metaschema, as a path": "/draft-07/schema",
}
UNUSABLE = {"S5 link out": "/test/link/1.0.0", "S5 directory link out": "/outside/event/1.0.0"}
REFERENCES = {
    "S7 file": "file:///etc/hostname",
    "S7 http": f"{METADATA}/1.0.0",
    "S7 https": "https://schema.example.org/x/1.0.0",
    "S7 two slashes": "//evil/x/1.0.0",
    "S7 up": "/../../etc/hostname",
    "S7 up, relative": "../../../../etc/hostname",
    "S7 data": "data:application/json,{}",
}


def reference_uri(number: int) -> str:
    return f"/test/ref/{number}.0.0"


@pytest.fixture(scope="module")
def honeypot() -> Iterator[tuple[str, list[Any]]]:
    """An address that nobody may ask, and who did."""
    asked: list[Any] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def accept() -> None:
            while True:
                connection, address = server.accept()
                connection.close()
                if closing.is_set():
                    return
                asked.append(address)

        closing = threading.Event()
        thread = threading.Thread(target=accept, name="honeypot")
        thread.start()
        host, port = server.getsockname()
        yield f"http://{host}:{port}", asked
        closing.set()
        socket.create_connection((host, port)).close()
        thread.join()


@pytest.fixture(scope="module")
def in_files(tmp_path_factory: pytest.TempPathFactory, honeypot: tuple[str, list[Any]]) -> dict[str, Any]:
    """What became of every event where schemas are in a directory."""
    home, outside = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("outside")
    base = tmp_path_factory.mktemp("repository")
    url, asked = honeypot
    write(base, OK, EVENT_SCHEMA)
    write(outside, "event/1.0.0", EVENT_SCHEMA)
    (base / "test" / "link").mkdir()
    (base / "test" / "link" / "1.0.0").symlink_to(outside / "event" / "1.0.0")
    (base / "outside").symlink_to(outside)
    references = {**REFERENCES, "S7 loopback": f"{url}/x/1.0.0"}
    for number, reference in enumerate(references.values()):
        write(base, reference_uri(number), {**EVENT_SCHEMA, "allOf": [{"$ref": reference}]})
    streams = home / "streams.yaml"
    streams.write_text(STREAMS)
    cases = {name: event(uri) for name, uri in {**INVALID, **UNUSABLE, "fine": OK}.items()}
    cases["S3 loopback"] = event(f"{url}/1.0.0")
    cases |= {name: event(reference_uri(number)) for number, name in enumerate(references)}
    options = {"schema_base_uris": [str(base)], "stream_config_uri": str(streams)}
    results = watch(home, options, cases, [])
    assert asked == []
    return results


@pytest.mark.parametrize("name", [*INVALID, "S3 loopback"])
def test_an_invalid_uri_opens_nothing(name: str, in_files: dict[str, Any]) -> None:
    assert in_files[name]["touched"] == []
    assert in_files[name]["reason"] == "schema_uri_invalid"
    assert len(in_files[name]["text"].encode()) <= 2000


@pytest.mark.parametrize("name", [*UNUSABLE, *REFERENCES, "S7 loopback"])
def test_a_link_or_reference_that_leads_out_is_not_followed(name: str, in_files: dict[str, Any]) -> None:
    assert in_files[name]["touched"] == []
    assert in_files[name]["reason"] == "schema_invalid"


def test_what_is_allowed_passes_and_the_watch_sees_what_is_not(
    in_files: dict[str, Any], tmp_path: Path
) -> None:
    assert in_files["fine"] == {"reason": None, "text": "", "touched": []}
    streams = tmp_path / "streams.yaml"
    streams.write_text(STREAMS)
    options = {"schema_base_uris": ["http://127.0.0.1:9/repo"], "stream_config_uri": str(streams)}
    seen = watch(tmp_path, options, {"asks": event()}, [("127.0.0.1", 10)])["asks"]
    assert "socket.connect" in seen["touched"][0]


def redirect(server: SchemaServer, path: str, target: str, status: int) -> None:
    server.redirect(path, target, status=status)


S8: dict[str, Callable[[SchemaServer, str], None]] = {
    f"S8 {status} {name}": lambda server, path, target=target, status=status: redirect(  # type: ignore[misc]
        server, path, target, status
    )
    for status in (301, 302, 307, 308)
    for name, target in {"metadata": METADATA, "file": "file:///etc/hostname", "other": "//evil/x"}.items()
}


def test_s8_no_redirect_is_followed(schema_server: SchemaServer, tmp_path: Path) -> None:
    base = schema_server.mount("/repo", tmp_path)
    streams = tmp_path / "streams.yaml"
    streams.write_text(STREAMS)
    cases = {}
    for number, (name, fault) in enumerate(S8.items()):
        fault(schema_server, f"/repo/test/event/{number}.0.0")
        cases[name] = event(f"/test/event/{number}.0.0")
    options = {"schema_base_uris": [base], "stream_config_uri": str(streams)}
    host, port = base.split("/")[2].split(":")
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login me password secret\n")
    results = watch(tmp_path, options, cases, [(host, int(port))])
    assert {name: (one["reason"], one["touched"]) for name, one in results.items()} == {
        name: ("schema_invalid", []) for name in S8
    }
    assert all("redirects to" in one["text"] for one in results.values())
