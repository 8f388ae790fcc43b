"""A server below HTTP, for answers that no HTTP library would send."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator


@contextlib.contextmanager
def raw_server(answer: bytes, drip: float | None = None, tls: ssl.SSLContext | None = None) -> Iterator[str]:
    """Gives its answer to one request; then sends one byte after the other, or closes."""
    stop = threading.Event()

    def run() -> None:
        connection, _ = listening.accept()
        with connection, contextlib.suppress(OSError):
            talking = tls.wrap_socket(connection, server_side=True) if tls else connection
            talking.recv(65536)
            talking.sendall(answer)
            while drip and not stop.wait(drip):
                talking.sendall(b"1")
            talking.close()

    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=run)
        thread.start()
        try:
            yield f"http{'s' if tls else ''}://127.0.0.1:{listening.getsockname()[1]}/x"
        finally:
            stop.set()
            thread.join()
