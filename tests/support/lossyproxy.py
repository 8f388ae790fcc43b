"""A proxy before a Kafka broker that loses answers: the broker has written, the producer does not know.

A producer then sends again, and only the broker's idempotence keeps the second copy out of the topic.
A proxy that cuts connections at any moment would mostly lose requests instead.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from typing import BinaryIO

from tests.support.proxy import TcpProxy

_PRODUCE = b"\x00\x00"


class Losses:
    """Which answers to Produce requests are lost; several proxies can share it."""

    def __init__(self) -> None:
        self.taken = 0
        self._left = self._every = self._seen = 0
        self._lock = threading.Lock()

    def plan(self, count: int, every: int) -> None:
        """From now on lose `count` answers: one of `every`, so that there is progress between them."""
        with self._lock:
            self.taken = self._seen = 0
            self._left, self._every = count, every

    def take(self) -> bool:
        """Whether the answer that is here now is to be lost."""
        with self._lock:
            self._seen += 1
            if not self._left or self._seen % self._every:
                return False
            self._left -= 1
            self.taken += 1
            return True


class LossyProxy(TcpProxy):
    """Passes requests and answers; an answer that `losses` takes is dropped, and its connection cut."""

    def __init__(self, host: str, port: int, losses: Losses) -> None:
        self._losses = losses
        super().__init__(host, port)

    def _forward(self, client: socket.socket, server: socket.socket) -> None:
        with self._lock:
            self._connections |= {client, server}
        produced: set[bytes] = set()  # the correlation ids of Produce requests without an answer

        def request(frame: bytes) -> bool:
            # api key (2 bytes), api version (2), correlation id (4)
            if frame[:2] == _PRODUCE:
                produced.add(frame[4:8])
            return True

        def answer(frame: bytes) -> bool:
            if frame[:4] not in produced:
                return True
            produced.discard(frame[:4])
            return not self._losses.take()

        pumps = [
            threading.Thread(target=_pump, args=way, name="lossy-proxy", daemon=True)
            for way in ((client, server, request), (server, client, answer))
        ]
        for pump in pumps:
            pump.start()
        threading.Thread(
            target=self._bury, args=(pumps, client, server), name="lossy-proxy", daemon=True
        ).start()


def _pump(source: socket.socket, sink: socket.socket, passes: Callable[[bytes], bool]) -> None:
    """Carry whole frames one way, until an end closes or a frame does not pass; then end both ways."""
    try:
        with source.makefile("rb") as reader:
            while (frame := _read_frame(reader)) and passes(frame):
                sink.sendall(len(frame).to_bytes(4, "big") + frame)
    except OSError:
        pass  # the connection was cut from outside
    finally:
        for end in (source, sink):
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                continue


def _read_frame(reader: BinaryIO) -> bytes:
    """The next frame without its length; nothing when there is no whole one any more."""
    length = int.from_bytes(reader.read(4), "big")
    frame = reader.read(length)
    return frame if len(frame) == length else b""
