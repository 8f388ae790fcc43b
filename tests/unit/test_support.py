"""The tests' own servers and guards must fail as told, or a passing test shows nothing."""

from __future__ import annotations

import logging
import logging.config
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests

from tests.support.loggingstate import LoggingState
from tests.support.processes import run_python
from tests.support.proxy import TcpProxy
from tests.support.schemaserver import API_PATH, EVERY_PATH, SchemaServer

pytest_plugins = ["pytester"]


@pytest.fixture
def session() -> Iterator[requests.Session]:
    with requests.Session() as session:
        session.trust_env = False
        yield session


def test_directories_are_served_and_counted(
    schema_server: SchemaServer, session: requests.Session, tmp_path: Path
) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "1.0.0.yaml").write_text("title: a")
    (tmp_path / "a" / "1.0.0").symlink_to("1.0.0.yaml")
    base = schema_server.mount("/primary", tmp_path)

    assert [session.get(f"{base}/a/{name}", timeout=5).text for name in ("1.0.0", "1.0.0.yaml")] == [
        "title: a"
    ] * 2
    assert session.get(f"{base}/a/2.0.0", timeout=5).status_code == 404
    assert schema_server.counts == {"/primary/a/1.0.0": 1, "/primary/a/1.0.0.yaml": 1, "/primary/a/2.0.0": 1}


def test_stream_configs_are_answered_as_set(schema_server: SchemaServer, session: requests.Session) -> None:
    schema_server.stream_configs = []

    answer = session.get(schema_server.stream_config_uri, timeout=5, headers={"X-Test": "1"})

    assert (answer.status_code, answer.json()) == (200, [])
    [request] = schema_server.requests
    assert (request.query["action"], request.headers["X-Test"]) == (["streamconfigs"], "1")


def test_http_faults(schema_server: SchemaServer, session: requests.Session) -> None:
    url = schema_server.stream_config_uri
    schema_server.fail(API_PATH, 500, times=1)
    assert [session.get(url, timeout=5).status_code for _ in range(2)] == [500, 200]

    schema_server.redirect(API_PATH, "/elsewhere")
    assert session.get(url, timeout=5, allow_redirects=False).headers["Location"] == "/elsewhere"

    schema_server.send_bytes(API_PATH, 100_000)
    assert len(session.get(url, timeout=5).content) == 100_000

    schema_server.body(API_PATH, b"{", content_type="application/json")
    assert session.get(url, timeout=5).content == b"{"

    schema_server.hang(API_PATH)
    with pytest.raises(requests.Timeout):
        session.get(url, timeout=0.1)

    schema_server.heal()
    assert session.get(url, timeout=5).json() == {"streams": {}}

    schema_server.fail(EVERY_PATH)
    assert session.get(url, timeout=5).status_code == 503


def test_a_server_that_goes_down_comes_back_on_its_port(
    schema_server: SchemaServer, session: requests.Session
) -> None:
    url = schema_server.stream_config_uri
    assert session.get(url, timeout=5).ok
    schema_server.down()
    with pytest.raises(requests.ConnectionError):
        session.get(url, timeout=5)
    schema_server.up()
    assert session.get(url, timeout=5).ok


def test_the_proxy_passes_holds_and_cuts(schema_server: SchemaServer, session: requests.Session) -> None:
    host, port = schema_server.url.removeprefix("http://").split(":")
    with TcpProxy(host, int(port)) as proxy:
        url = f"http://{proxy.host_port}{API_PATH}"
        assert session.get(url, timeout=5).ok

        proxy.black_hole(requests=False)
        with pytest.raises(requests.Timeout):
            session.get(url, timeout=0.2)
        assert schema_server.counts[API_PATH] == 2, "the request arrives, its answer is held"

        proxy.black_hole()
        with pytest.raises(requests.Timeout):
            session.get(url, timeout=0.2)
        assert schema_server.counts[API_PATH] == 2, "nothing arrives"

        proxy.restore()
        assert session.get(url, timeout=5).ok

        proxy.delay(0.3)
        with pytest.raises(requests.Timeout):
            session.get(url, timeout=0.1)
        proxy.restore()

        with socket.create_connection(proxy.address, timeout=5) as connection:
            connection.sendall(f"GET {API_PATH} HTTP/1.1\r\n\r\n".encode())
            assert connection.recv(1)
            proxy.cut()
            while connection.recv(65536):
                pass


def test_a_proxy_before_a_dead_server_closes_at_once() -> None:
    with socket.create_server(("127.0.0.1", 0)) as unused:
        address = unused.getsockname()
    with TcpProxy(*address) as proxy, socket.create_connection(proxy.address, timeout=5) as connection:
        assert connection.recv(1) == b""


def test_children_are_run_and_killed_with_their_forks() -> None:
    source = "import os, sys; print(sys.argv[1], os.environ['EXTRA']); sys.exit('bad')"
    assert run_python(source, "one", env={"EXTRA": "two"}) == ("one two\n", "bad\n", 1)

    hanging = "import os, time\nos.fork() or time.sleep(60)"
    with pytest.raises(AssertionError, match="still ran"):
        run_python(hanging, timeout=0.5)


def test_logging_is_put_back() -> None:
    known, state = logging.getLogger("known"), LoggingState()
    root_handlers = logging.root.handlers[:]
    logging.config.dictConfig(
        {
            "version": 1,
            "handlers": {"h": {"class": "logging.NullHandler"}},
            "root": {"handlers": ["h"], "level": "DEBUG"},
            "loggers": {"new": {"level": "ERROR", "propagate": False, "handlers": ["h"]}},
        }
    )
    assert known.disabled
    assert set(logging._handlers) == {"h"}  # type: ignore[attr-defined]

    state.restore()

    new = logging.getLogger("new")
    assert (new.level, new.propagate, new.handlers, known.disabled) == (logging.NOTSET, True, [], False)
    assert (logging.root.handlers, logging.root.level) == (root_handlers, logging.WARNING)
    assert "h" not in logging._handlers  # type: ignore[attr-defined]


def test_a_thread_left_behind_fails_its_test(pytester: pytest.Pytester) -> None:
    before = set(threading.enumerate())
    conftest = Path(__file__).parents[1] / "conftest.py"
    pytester.makeconftest(conftest.read_text().replace("_GRACE = 2.0", "_GRACE = 0.1"))
    pytester.makepyfile(
        """
        import threading

        ended = threading.Event()

        def test_leaks():
            threading.Thread(target=ended.wait, name="eplogging-listener").start()

        def test_ends_it():
            ended.set()
        """
    )
    pytester.runpytest("-p", "no:cacheprovider").assert_outcomes(passed=2, errors=1)
    for thread in set(threading.enumerate()) - before:
        thread.join(10)  # test_ends_it let it end, which takes the thread a moment
        assert not thread.is_alive()
