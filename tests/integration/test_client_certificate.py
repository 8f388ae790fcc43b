"""`http: {cert: ...}` shows a client's certificate to servers of the configuration's own, and to no other."""

from __future__ import annotations

import json
import ssl
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
import yaml

from eplogging.conformance.resources import Reader, ResourceUnavailable
from eplogging.sinks import MemorySink
from tests.support.application import DATA, SCHEMAS, application, basic, keywords
from tests.support.rawserver import raw_server

CERTIFICATE, KEY = str(DATA / "tls" / "cert.pem"), str(DATA / "tls" / "key.pem")
BODY = json.dumps(yaml.safe_load((SCHEMAS / "sample/basic/1.0.0.yaml").read_text())).encode()
ANSWER = b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY


def server() -> AbstractContextManager[str]:
    """One that answers one request, of a client whose certificate it knows."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE, KEY)
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(CERTIFICATE)
    return raw_server(ANSWER, tls=context)


@pytest.fixture(params=["certificate and key", "one file"])
def cert(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Any]:
    """Both of the ways in which `requests` takes it."""
    if request.param == "one file":
        both = tmp_path / "client.pem"
        both.write_text(Path(CERTIFICATE).read_text() + Path(KEY).read_text())
        yield str(both)
    else:
        yield [CERTIFICATE, KEY]


def delivered(**http: Any) -> tuple[int, list[str]]:
    """How many events of one arrive whose schema is on that server, and what is reported."""
    with server() as url:
        options = keywords(schema_base_uris=[url], schema_file_extension=None)
        with application(sink=MemorySink(), **options, http=http) as app:
            app.logger.info("x", extra=basic())
            app.handler.flush(5 if "cert" in http else 0.5)
            return app.stats.delivered, app.reports.lines


def test_a_server_that_asks_for_one_is_shown_it(cert: Any) -> None:
    assert delivered(verify=CERTIFICATE, cert=cert) == (1, [])


def test_without_one_it_answers_nothing() -> None:
    count, lines = delivered(verify=CERTIFICATE)
    assert count == 0
    assert any("could not be looked up" in line for line in lines)


def test_a_server_that_an_event_names_is_shown_none(cert: Any) -> None:
    reader = Reader({"verify": CERTIFICATE, "cert": cert})
    with server() as url, pytest.raises(ResourceUnavailable):
        reader.url(url, 100_000, foreign=True)
    with server() as url:
        assert reader.url(url, 100_000)["title"] == "sample/basic"
