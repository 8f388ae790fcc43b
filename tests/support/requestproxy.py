"""A proxy before Kafka that passes whole requests, so that it knows which of them the broker was given.

librdkafka's mock cluster stores a request again when an idempotent producer sends it again: a broker
would know it. So a connection that is cut while an answer is under way makes duplicates that are the
mock's fault. Every fault here has a shape in which that can not be: from its first moment no further
request reaches the broker, those that did are answered, and only then connections end. What was held
never reaches the broker. A client that sends each unanswered request once more makes no duplicate.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque

_HOST = "127.0.0.1"
_LOOK_AGAIN = 0.001
_PRODUCE = b"\0\0"


class _Connection:
    """One client's connection, and the requests of it that the broker has not answered yet."""

    def __init__(self, to_client: asyncio.StreamWriter, to_server: asyncio.StreamWriter) -> None:
        self.to_client, self.to_server = to_client, to_server
        self.unanswered: deque[bytes] = deque()
        self.produced = self.cut = False

    def end(self) -> None:
        """Ends it for the client after the last answer; what that still sends is thrown away."""
        self.cut = True
        self.to_server.close()
        with contextlib.suppress(OSError, RuntimeError):
            self.to_client.write_eof()


class RequestProxy:
    """Forwards connections of `port` to a broker; every method runs in one event loop.

    Attributes:
        left: connections that a client ended by itself after it had produced. It may have missed an
            answer there, so it may send again what the broker has: no claim about duplicates then.
    """

    def __init__(self, port: int) -> None:
        self._target = port
        self._open = asyncio.Event()
        self._connections: set[_Connection] = set()
        self._server: asyncio.Server | None = None
        self.port = 0
        self.left = 0

    async def up(self) -> None:
        """Accepts connections, always on the same port."""
        await self.restore()
        self._server = await asyncio.start_server(self._serve, _HOST, self.port)
        self.port = self._server.sockets[0].getsockname()[1]

    async def down(self) -> None:
        """Refuses connections and ends those there are."""
        assert self._server is not None
        self._server.close()
        await self.black_hole()
        self._end_all()

    async def black_hole(self) -> None:
        """Holds all requests: from now on connections are accepted and nothing is ever answered."""
        self._open.clear()
        while any(connection.unanswered for connection in self._connections):
            await asyncio.sleep(_LOOK_AGAIN)

    async def restore(self) -> None:
        """Ends a black hole, and every connection that was in it."""
        self._end_all()
        self._open.set()

    def _end_all(self) -> None:
        for connection in self._connections:
            connection.end()

    async def _serve(self, client: asyncio.StreamReader, to_client: asyncio.StreamWriter) -> None:
        server, to_server = await asyncio.open_connection(_HOST, self._target)
        connection = _Connection(to_client, to_server)
        self._connections.add(connection)
        answering = asyncio.create_task(self._answer(connection, server))
        try:
            with contextlib.suppress(OSError, asyncio.IncompleteReadError):
                await self._ask(connection, client)
            self.left += connection.produced and not connection.cut
        finally:
            self._connections.discard(connection)
            to_server.close()
            await answering
            to_client.close()

    async def _ask(self, connection: _Connection, client: asyncio.StreamReader) -> None:
        while True:
            request = await _frame(client)
            while not self._open.is_set() and not connection.cut:
                await self._open.wait()
            if connection.cut:
                continue
            connection.unanswered.append(request[4:6])
            connection.produced |= request[4:6] == _PRODUCE
            connection.to_server.write(request)
            await connection.to_server.drain()

    async def _answer(self, connection: _Connection, server: asyncio.StreamReader) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                answer = await _frame(server)
                connection.to_client.write(answer)
                await connection.to_client.drain()
                connection.unanswered.popleft()
        if not connection.cut:
            connection.end()


async def _frame(source: asyncio.StreamReader) -> bytes:
    """The next request or answer, its length before it."""
    head = await source.readexactly(4)
    return head + await source.readexactly(int.from_bytes(head, "big"))
