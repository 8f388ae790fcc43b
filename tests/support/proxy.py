"""A TCP proxy that stalls, slows or cuts what passes, to make the faults that real networks have.

Kafka clients leave the address they were given for the one that the broker advertises, so
before a MockKafka this needs `kafka.advertise(1, *proxy.address)`; before a real broker, a
listener that advertises the proxy.
"""

from __future__ import annotations

import contextlib
import socket
import threading
from types import TracebackType

_CHUNK = 65536


class _Gate:
    """What one direction does with data: pass it on, late, or hold it."""

    def __init__(self) -> None:
        self.open = threading.Event()
        self.open.set()
        self.delay = 0.0

    def wait(self, closing: threading.Event) -> None:
        """Return when the next piece of data may go on."""
        if self.delay:
            closing.wait(self.delay)
        self.open.wait()


class TcpProxy:
    """Forwards connections of its `address` to another.

    Black-holed, it still accepts connections and reads from neither end more than fits its
    hands; `restore` lets what was held go on, as a network does that comes back. The delay is
    per piece of data and direction.
    """

    def __init__(self, host: str, port: int) -> None:
        self._target = (host, port)
        self._requests, self._responses = _Gate(), _Gate()
        self._closing = threading.Event()
        self._lock = threading.Lock()
        self._connections: set[socket.socket] = set()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.address: tuple[str, int] = self._listener.getsockname()
        self._accepting = threading.Thread(target=self._accept, name="tcp-proxy", daemon=True)
        self._accepting.start()

    @property
    def host_port(self) -> str:
        return f"{self.address[0]}:{self.address[1]}"

    def black_hole(self, *, requests: bool = True, responses: bool = True) -> None:
        """Hold all data, or that of one direction: requests only, or responses only."""
        for gate, held in ((self._requests, requests), (self._responses, responses)):
            if held:
                gate.open.clear()

    def delay(self, seconds: float) -> None:
        """Let data pass this much later, from now on."""
        self._requests.delay = self._responses.delay = seconds

    def restore(self) -> None:
        """Pass everything on again, at once."""
        self.delay(0)
        self._requests.open.set()
        self._responses.open.set()

    def cut(self) -> None:
        """End all present connections; what was held for them is lost."""
        with self._lock:
            connections, self._connections = self._connections, set()
        _end(*connections)

    def close(self) -> None:
        """Cut everything and accept no more."""
        self._closing.set()
        # A connection of our own wakes the thread: closing a socket does not, everywhere.
        socket.create_connection(self.address).close()
        self._accepting.join()
        self._listener.close()
        self.cut()
        self.restore()

    def __enter__(self) -> TcpProxy:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            if self._closing.is_set():
                client.close()
                return
            try:
                server = socket.create_connection(self._target)
            except OSError:
                client.close()
                continue
            self._forward(client, server)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        """Carry data both ways; when one ends, so does the other, and the last closes the sockets."""
        with self._lock:
            self._connections |= {client, server}
        pumps = [
            threading.Thread(target=_pump, args=(*way, self._closing), name="tcp-proxy", daemon=True)
            for way in ((client, server, self._requests), (server, client, self._responses))
        ]
        for pump in pumps:
            pump.start()
        threading.Thread(
            target=self._bury, args=(pumps, client, server), name="tcp-proxy", daemon=True
        ).start()

    def _bury(self, pumps: list[threading.Thread], *ends: socket.socket) -> None:
        for pump in pumps:
            pump.join()
        with self._lock:
            self._connections -= set(ends)
        for end in ends:
            end.close()


def _pump(source: socket.socket, sink: socket.socket, gate: _Gate, closing: threading.Event) -> None:
    """Carry data one way until an end closes, then end the other way, too."""
    with contextlib.suppress(OSError):
        while data := source.recv(_CHUNK):
            gate.wait(closing)
            sink.sendall(data)
    _end(source, sink)


def _end(*connections: socket.socket) -> None:
    for connection in connections:
        with contextlib.suppress(OSError):
            connection.shutdown(socket.SHUT_RDWR)
