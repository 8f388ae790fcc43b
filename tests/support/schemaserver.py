"""A real HTTP server for schema repositories and stream configs, which fails on demand.

Look-ups over HTTP go wrong in ways (a hang, a redirect, an endless body, a server that comes
back) that only sockets show.
"""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit

API_PATH = "/w/api.php"
EVERY_PATH = "*"
_TYPES = {".yaml": "application/yaml", ".json": "application/json"}
_CHUNK = b" " * 65536


class Request(NamedTuple):
    """One request as the server saw it."""

    path: str
    query: dict[str, list[str]]
    headers: Message


class Answer(NamedTuple):
    """What goes back; `size` sends that many spaces in place of the body."""

    status: int
    body: bytes = b""
    headers: tuple[tuple[str, str], ...] = ()
    size: int | None = None


@dataclass
class _Fault:
    """How a path misbehaves, and how often still (None: until healed)."""

    answer: Answer | None  # None: hang
    left: int | None
    healed: threading.Event = field(default_factory=threading.Event)


class _Server(ThreadingHTTPServer):
    """The listening part; it knows its connections so that it can cut them."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, port: int, answer: Callable[[Request], Answer | None]) -> None:
        self.answer = answer
        self.connections: set[socket.socket] = set()
        super().__init__(("127.0.0.1", port), _Handler)

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections.add(request)
        super().process_request(request, client_address)

    def shutdown_request(self, request: Any) -> None:
        self.connections.discard(request)
        super().shutdown_request(request)

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up in the middle are part of the tests."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"  # connections stay open, as with real servers
    server: _Server

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        answer = self.server.answer(Request(unquote(url.path), parse_qs(url.query), self.headers))
        if answer is None:
            self.close_connection = True
            return
        size = len(answer.body) if answer.size is None else answer.size
        self.send_response(answer.status)
        for name, value in (*answer.headers, ("Content-Length", str(size))):
            self.send_header(name, value)
        self.end_headers()
        if answer.size is None:
            self.wfile.write(answer.body)
            return
        for start in range(0, size, len(_CHUNK)):
            self.wfile.write(_CHUNK[: size - start])

    def log_message(self, format: str, *args: Any) -> None:
        """Keep the tests' output clean."""


class SchemaServer:
    """Serves directories under URL prefixes, and `stream_configs` as MediaWiki's API does.

    `requests` has every request in order. A fault stays on its path (or on `EVERY_PATH`)
    for `times` requests, or until `heal`.
    """

    def __init__(self) -> None:
        self.stream_configs: Any = {"streams": {}}
        self.requests: list[Request] = []
        self._directories: dict[str, Path] = {}
        self._faults: dict[str, _Fault] = {}
        self._lock = threading.Lock()
        self._server: _Server | None = None
        self._port = 0
        self.up()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._port}"

    @property
    def stream_config_uri(self) -> str:
        return f"{self.url}{API_PATH}?action=streamconfigs&format=json"

    @property
    def counts(self) -> Counter[str]:
        """How often each path was asked for."""
        with self._lock:
            return Counter(request.path for request in self.requests)

    def mount(self, prefix: str, directory: Path) -> str:
        """Serve a directory under a prefix such as `/primary`; returns its URL."""
        self._directories[prefix.rstrip("/")] = directory
        return self.url + prefix

    def fail(self, path: str, status: int = 503, *, times: int | None = None) -> None:
        self._fault(path, Answer(status, b"told to fail"), times)

    def redirect(self, path: str, location: str, *, status: int = 302, times: int | None = None) -> None:
        self._fault(path, Answer(status, headers=(("Location", location),)), times)

    def body(
        self, path: str, body: bytes, *, content_type: str = "text/plain", times: int | None = None
    ) -> None:
        self._fault(path, Answer(200, body, (("Content-Type", content_type),)), times)

    def send_bytes(self, path: str, size: int, *, times: int | None = None) -> None:
        """Answer with a body of this many bytes, which are all spaces."""
        self._fault(path, Answer(200, size=size), times)

    def hang(self, path: str, *, times: int | None = None) -> None:
        """Take the request and answer nothing; `heal` then cuts the connection."""
        self._fault(path, None, times)

    def heal(self, path: str = EVERY_PATH) -> None:
        """End the faults of one path; without one, all faults."""
        with self._lock:
            paths = list(self._faults) if path == EVERY_PATH else [path]
            for name in paths:
                if fault := self._faults.pop(name, None):
                    fault.healed.set()

    def down(self) -> None:
        """Cut every connection and refuse new ones."""
        server, self._server = self._server, None
        if server is None:
            return
        server.shutdown()
        server.server_close()
        for connection in tuple(server.connections):
            with contextlib.suppress(OSError):
                # It wakes the thread that serves the connection, which then closes it.
                connection.shutdown(socket.SHUT_RDWR)

    def up(self) -> None:
        """Listen, on the port of before."""
        if self._server is None:
            self._server = _Server(self._port, self._answer)
            self._port = self._server.server_address[1]
            threading.Thread(
                target=self._server.serve_forever, args=(0.02,), name="schema-server", daemon=True
            ).start()

    def close(self) -> None:
        self.heal()
        self.down()

    def __enter__(self) -> SchemaServer:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _fault(self, path: str, answer: Answer | None, times: int | None) -> None:
        with self._lock:
            self._faults[path] = _Fault(answer, times)

    def _answer(self, request: Request) -> Answer | None:
        with self._lock:
            self.requests.append(request)
            fault = self._due_fault(request.path)
        if fault is not None:
            if fault.answer is None:
                fault.healed.wait()
            return fault.answer
        if request.path == API_PATH:
            body = json.dumps(self.stream_configs).encode()
            return Answer(200, body, (("Content-Type", "application/json"),))
        return self._file(request.path)

    def _due_fault(self, path: str) -> _Fault | None:
        fault = self._faults.get(path) or self._faults.get(EVERY_PATH)
        if fault is None or fault.left is None:
            return fault
        if fault.left == 0:
            return None
        fault.left -= 1
        return fault

    def _file(self, path: str) -> Answer:
        for prefix, directory in self._directories.items():
            if path.startswith(prefix + "/"):
                relative = PurePosixPath(path[len(prefix) + 1 :])
                file = directory / relative
                if ".." not in relative.parts and not relative.is_absolute() and file.is_file():
                    kind = _TYPES.get(relative.suffix, "text/plain")
                    return Answer(200, file.read_bytes(), (("Content-Type", kind),))
        return Answer(404, b"not found")
