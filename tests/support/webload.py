"""Requests from several threads, each answered once, to a web server whose workers come and go."""

from __future__ import annotations

import contextlib
import http.client
import threading
from collections.abc import Iterator

_PATIENCE = 60.0


class WebLoad:
    """Asks for `/?request=N` with the numbers from 0 on, as fast as answers come, and never beyond a limit.

    A request is made again under its own number only if it certainly never came to be handled (the
    connection was refused). When a connection breaks before the answer, nobody knows whether it was:
    it is made again as `N.again`, and its first name goes to `uncertain`.

    Attributes:
        answered: the names of requests that were answered.
        uncertain: the names of requests that were not, and may have been handled.
        refused: how often a connection was refused.
    """

    def __init__(self, port: int, total: int, threads: int) -> None:
        self.total = total
        self.answered: list[str] = []
        self.uncertain: list[str] = []
        self.refused = 0
        self._port = port
        self._next = self._limit = 0
        self._changed = threading.Condition()
        self._failures: list[BaseException] = []
        self._threads = [
            threading.Thread(target=self._work, name="web-load", daemon=True) for _ in range(threads)
        ]

    def allow(self, limit: int) -> None:
        """Go on up to a number of requests."""
        with self._changed:
            self._limit = min(limit, self.total)
            self._changed.notify_all()

    @contextlib.contextmanager
    def running(self) -> Iterator[WebLoad]:
        """Make requests within the block; at its end none is under way."""
        for thread in self._threads:
            thread.start()
        try:
            yield self
        finally:
            with self._changed:
                self.total = min(self.total, self._limit)
                self._changed.notify_all()
            for thread in self._threads:
                thread.join(_PATIENCE)
        assert not self._failures, self._failures

    def wait_answered(self, count: int) -> None:
        """Return when so many requests were answered."""
        with self._changed:
            came = self._changed.wait_for(lambda: len(self.answered) >= count or self._failures, _PATIENCE)
        assert came and not self._failures, (len(self.answered), self._failures)

    def _work(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=_PATIENCE)
        try:
            for number in self._numbers():
                self._ask(connection, str(number))
        except BaseException as error:
            with self._changed:
                self._failures.append(error)
                self._changed.notify_all()
        finally:
            connection.close()

    def _numbers(self) -> Iterator[int]:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._next < self._limit or self._next >= self.total)
                if self._next >= self.total:
                    return
                number = self._next
                self._next += 1
            yield number

    def _ask(self, connection: http.client.HTTPConnection, name: str) -> None:
        while not self._answer(connection, name):
            name += ".again"
        with self._changed:
            self.answered.append(name)
            self._changed.notify_all()

    def _answer(self, connection: http.client.HTTPConnection, name: str) -> bool:
        """Whether there was one."""
        while connection.sock is None:
            try:
                connection.connect()
            except ConnectionRefusedError:
                self.refused += 1
        try:
            connection.request("GET", f"/?request={name}")
            answer = connection.getresponse()
            body = answer.read()
        except (ConnectionError, http.client.BadStatusLine, http.client.IncompleteRead):
            connection.close()
            with self._changed:
                self.uncertain.append(name)
            return False
        assert (answer.status, body) == (200, name.encode()), (answer.status, body)
        return True
