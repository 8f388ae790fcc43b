"""`http: {cert: ...}` shows a client's certificate to the servers of the configuration, and to no other."""

from __future__ import annotations

import contextlib
import json
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import yaml

from eplogging.conformance.resources import Reader, ResourceUnavailable
from eplogging.sinks import MemorySink
from tests.support.application import DATA, SCHEMAS, application, basic, keywords

pytestmark = pytest.mark.faults

CERTIFICATE, KEY = str(DATA / "tls" / "cert.pem"), str(DATA / "tls" / "key.pem")
SCHEMA = json.dumps(yaml.safe_load((SCHEMAS / "sample/basic/1.0.0.yaml").read_text())).encode()


class Answer(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(SCHEMA)))
        self.end_headers()
        self.wfile.write(SCHEMA)

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


class Server(HTTPServer):
    """Answers with a schema, whatever it is asked for, if the client shows a certificate that it knows."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(CERTIFICATE, KEY)
        context.verify_mode = ssl.CERT_REQUIRED
        context.load_verify_locations(CERTIFICATE)
        # Handshakes belong to a request, whose errors are handled, and not to `accept`.
        self.socket = context.wrap_socket(self.socket, server_side=True, do_handshake_on_connect=False)
        self.url = f"https://127.0.0.1:{self.server_port}"

    def get_request(self) -> tuple[Any, Any]:
        connection, address = super().get_request()
        connection.settimeout(5)
        return connection, address

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: refused clients are part of the tests."""


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def one_file(tmp_path: Path) -> str:
    """Certificate and key together."""
    path = tmp_path / "client.pem"
    path.write_text(Path(CERTIFICATE).read_text() + Path(KEY).read_text())
    return str(path)


@contextlib.contextmanager
def delivered(server: Server, **http: Any) -> Iterator[tuple[int, list[str]]]:
    """How many events of one arrive whose schema is on the server, and what was reported."""
    options = keywords(schema_base_uris=[server.url], schema_file_extension=None, flush_timeout=0.5)
    with application(sink=MemorySink(), **options, http={"verify": CERTIFICATE, **http}) as app:
        app.logger.info("x", extra=basic())
        app.handler.flush(5 if "cert" in http else 0.5)
        yield app.stats.delivered, app.reports.lines


def test_a_server_that_requires_one_is_shown_it(server: Server, one_file: str) -> None:
    with delivered(server, cert=one_file) as outcome:
        assert outcome == (1, [])


def test_certificate_and_key_may_be_two_files(server: Server) -> None:
    with delivered(server, cert=[CERTIFICATE, KEY]) as outcome:
        assert outcome == (1, [])


def test_without_one_the_schema_is_not_to_be_had(server: Server) -> None:
    with delivered(server) as (count, lines):
        assert count == 0
        assert any("could not be looked up" in line for line in lines), lines


def test_a_server_that_an_event_names_is_shown_none(server: Server, one_file: str) -> None:
    reader = Reader({"verify": CERTIFICATE, "cert": one_file})
    with pytest.raises(ResourceUnavailable):
        reader.url(server.url, 100_000, foreign=True)
    document: Any = reader.url(server.url, 100_000)
    assert document["title"] == "sample/basic"
