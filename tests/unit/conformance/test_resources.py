"""One reader of paths and URLs: what may be opened and asked, how long it takes and how it fails."""

from __future__ import annotations

import gzip
import time
from pathlib import Path

import pytest

from eplogging.conformance import ConfigurationError
from eplogging.conformance.resources import Reader, ResourceInvalid, ResourceUnavailable, is_url, to_path
from tests.support.rawserver import raw_server
from tests.support.schemaserver import SchemaServer

LIMIT = 1000


@pytest.mark.parametrize(
    ("location", "expected"),
    [
        ("http://x/", True),
        ("HTTPS://x/", True),
        ("http://[", True),
        ("/srv/http://x", False),
        ("file:///x", False),
        ("http:/x", False),
        ("httpx://x", False),
        ("", False),
        ("//x/y", False),
        ("//a\u2100b", False),
    ],
)
def test_only_http_urls_are_urls(location: str, expected: bool) -> None:
    assert is_url(location) is expected


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/srv/x", "/srv/x"),
        ("relative/x", "relative/x"),
        ("file:///srv/a%20b", "/srv/a b"),
        ("file://localhost/srv/x", "/srv/x"),
        (Path("/srv/x"), "/srv/x"),
    ],
)
def test_paths(location: str | Path, path: str) -> None:
    assert to_path(location) == Path(path)


@pytest.mark.parametrize("location", ["file://other.example/srv/x", "ftp://x/y", "s3://bucket/x"])
def test_other_schemes_and_hosts_are_a_configuration_error(location: str) -> None:
    with pytest.raises(ConfigurationError, match="use a path, file:///path, http:// or https://"):
        to_path(location)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"timeouts": 3}, "unknown option 'timeouts'; known are headers, timeout, verify, cert, proxies"),
        ({"timeout": 0}, "timeout must be a positive number"),
        ({"timeout": -1}, "timeout must be a positive number"),
        ({"timeout": "5"}, "timeout must be a positive number"),
        ({"timeout": True}, "timeout must be a positive number"),
        ({"timeout": None}, "timeout must be a positive number"),
    ],
)
def test_wrong_http_options_are_named(options: dict[str, object], says: str) -> None:
    with pytest.raises(ConfigurationError, match=says):
        Reader(options)


def test_files(tmp_path: Path) -> None:
    reader = Reader()
    file = tmp_path / "x.yaml"
    file.write_bytes(b"a: 1")
    assert reader.file(file, 4) == {"a": 1}
    assert reader.file(tmp_path / "none", LIMIT) is None
    assert reader.file(file / "below", LIMIT) is None
    assert reader.file(tmp_path, LIMIT) is None
    with pytest.raises(ResourceInvalid, match=r"x\.yaml is larger than 3 bytes"):
        reader.file(file, 3)
    with pytest.raises(ResourceUnavailable):
        reader.file(tmp_path / "a\0b", LIMIT)


@pytest.mark.parametrize("content", [b"", b"# only a comment", b"null"])
def test_an_empty_file_is_there_and_useless(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    with pytest.raises(ResourceInvalid, match="x is empty"):
        Reader().file(tmp_path / "x", LIMIT)


def test_a_document_over_http(schema_server: SchemaServer) -> None:
    schema_server.body("/x", b'{"a": 1}')
    assert Reader().url(f"{schema_server.url}/x", LIMIT) == {"a": 1}
    assert schema_server.requests[0].headers["User-Agent"] == "eplogging"


def test_http_options_are_used(schema_server: SchemaServer) -> None:
    schema_server.body("/x", b"a: 1")
    reader = Reader({"headers": {"X-Own": "yes", "User-Agent": "mine"}})
    reader.url(f"{schema_server.url}/x", LIMIT)
    headers = schema_server.requests[0].headers
    assert (headers["X-Own"], headers["User-Agent"]) == ("yes", "mine")

    proxied = Reader({"proxies": {"http": schema_server.url}})
    schema_server.body("/y", b"through: proxy")
    assert proxied.url("http://elsewhere.invalid/y", LIMIT) == {"through": "proxy"}
    assert schema_server.requests[-1].headers["Host"] == "elsewhere.invalid"


@pytest.mark.parametrize("status", [400, 403, 404, 410, 418])
def test_not_there(status: int, schema_server: SchemaServer) -> None:
    schema_server.fail("/x", status)
    assert Reader().url(f"{schema_server.url}/x", LIMIT) is None


@pytest.mark.parametrize("status", [401, 408, 425, 429, 500, 502, 503, 504])
def test_a_status_that_says_nothing_of_the_document(status: int, schema_server: SchemaServer) -> None:
    schema_server.fail("/x", status)
    with pytest.raises(ResourceUnavailable, match=f"answered with status {status}"):
        Reader().url(f"{schema_server.url}/x", LIMIT)


@pytest.mark.parametrize("status", [204, 300])
def test_a_status_that_comes_with_no_document(status: int, schema_server: SchemaServer) -> None:
    schema_server.fail("/x", status)
    with pytest.raises(ResourceInvalid, match=f"answered with status {status}, which is no document"):
        Reader().url(f"{schema_server.url}/x", LIMIT)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirects_are_not_followed(status: int, schema_server: SchemaServer) -> None:
    schema_server.redirect("/x", f"{schema_server.url}/elsewhere", status=status)
    with pytest.raises(ResourceInvalid, match=r"redirects to 'http://.*/elsewhere'; configure"):
        Reader().url(f"{schema_server.url}/x", LIMIT)
    assert schema_server.counts["/elsewhere"] == 0


def test_the_size_is_bounded(schema_server: SchemaServer) -> None:
    schema_server.body("/exact", b"a: " + b"x" * (LIMIT - 3))
    assert Reader().url(f"{schema_server.url}/exact", LIMIT)["a"] == "x" * (LIMIT - 3)
    schema_server.body("/over", b"a: " + b"x" * (LIMIT - 2))
    schema_server.send_bytes("/huge", 50_000_000)
    for path in ("/over", "/huge"):
        with pytest.raises(ResourceInvalid, match="is larger than 1,000 bytes"):
            Reader().url(schema_server.url + path, LIMIT)


def test_the_size_is_that_of_the_decoded_body() -> None:
    body = gzip.compress(b" " * 20_000_000)
    head = b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(body)
    with raw_server(head + body) as url, pytest.raises(ResourceInvalid, match="is larger than"):
        Reader().url(url, LIMIT)


@pytest.mark.parametrize("body", [b"<html><p>not: [a schema</html>", b"\xff\xfe", b"", b"null"])
def test_a_body_that_is_no_document(body: bytes, schema_server: SchemaServer) -> None:
    schema_server.body("/x", body, content_type="application/json")
    with pytest.raises(ResourceInvalid):
        Reader().url(f"{schema_server.url}/x", LIMIT)


def test_a_refused_connection(schema_server: SchemaServer) -> None:
    schema_server.down()
    with pytest.raises(ResourceUnavailable, match="ConnectionError"):
        Reader().url(f"{schema_server.url}/x", LIMIT)


def test_a_server_that_does_not_answer(schema_server: SchemaServer) -> None:
    schema_server.hang("/x")
    started = time.monotonic()
    with pytest.raises(ResourceUnavailable, match=r"[Tt]imed out|Timeout"):
        Reader({"timeout": 0.2}).url(f"{schema_server.url}/x", LIMIT)
    assert 0.1 < time.monotonic() - started < 2


@pytest.mark.parametrize(
    "start",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
        b"HTTP/1.1 200 OK\r\nX-Slow: ",
        b"HTTP/1.1 ",
        b"",
    ],
    ids=["body", "chunk", "header", "status", "nothing"],
)
def test_a_server_that_sends_one_byte_at_a_time(start: bytes) -> None:
    started = time.monotonic()
    with raw_server(start, drip=0.02) as url, pytest.raises(ResourceUnavailable):
        Reader({"timeout": 0.3}).url(url, 1_000_000)
    assert time.monotonic() - started < 2


@pytest.mark.parametrize(
    "answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\na: 1"]
)
def test_a_broken_answer(answer: bytes) -> None:
    with raw_server(answer) as url, pytest.raises(ResourceUnavailable):
        Reader().url(url, LIMIT)


@pytest.mark.parametrize(
    "url", ["http://", "http://[", "http://a\u2100b/x", "http://.example./x", "http://x:y/"]
)
def test_an_address_that_is_none_is_not_tried_again(url: str) -> None:
    with pytest.raises(ResourceInvalid, match="is no address that can be asked"):
        Reader().url(url, LIMIT)


def test_past_its_deadline_nothing_is_asked_any_more(schema_server: SchemaServer) -> None:
    """A handler that is being closed where no thread can be started looks up in its caller's thread."""
    reader = Reader()
    schema_server.hang("/x")
    reader.deadline = time.monotonic() + 0.3
    with pytest.raises(ResourceUnavailable, match=r"in time|timed out|Timeout"):
        reader.url(schema_server.url + "/x", LIMIT)
    assert time.monotonic() - reader.deadline < 1
    with pytest.raises(ResourceUnavailable, match="is being closed"):
        reader.url(schema_server.url + "/x", LIMIT)
    assert schema_server.counts["/x"] == 1
    schema_server.heal()
