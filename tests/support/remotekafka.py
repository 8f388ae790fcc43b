"""A Kafka in a process of its own that goes away on request, without the caller's interpreter lock.

Where the time of a logging call is measured, neither a broker nor a proxy may run in that process.
"""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping

from eplogging.testing import MockKafka
from tests.support.processes import start_python
from tests.support.requestproxy import RequestProxy

_BROKER = 1
_HOST = "127.0.0.1"
_NO_SUCH_HOST = "broker.invalid"
_ANSWER = 60.0


class RemoteKafka:
    """A broker with a proxy before it. Every method returns when it is so; see `RequestProxy`."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.bootstrap_servers = self._answer()

    def down(self) -> None:
        """Refuses connections, and keeps what it has."""
        self._tell("down")

    def up(self) -> None:
        """Accepts connections again, on the port it had."""
        self._tell("up")

    def black_hole(self) -> None:
        """Accepts connections and requests, and answers nothing."""
        self._tell("black_hole")

    def restore(self) -> None:
        """Ends a black hole, and every connection that was in it."""
        self._tell("restore")

    def slow(self, milliseconds: int) -> None:
        """Delays each answer."""
        self._tell(f"slow {milliseconds}")

    def unnamed(self) -> None:
        """Ends all connections, and tells clients a host name of the broker that no DNS has."""
        self._tell("rename")

    def named(self) -> None:
        """Tells clients the right one again, when they ask next."""
        self._tell(f"advertise {_HOST}")

    def left(self) -> int:
        """See `RequestProxy.left`."""
        return int(self._tell("left"))

    def _tell(self, command: str) -> str:
        assert self._process.stdin is not None
        print(command, file=self._process.stdin, flush=True)
        return self._answer()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        answer = self._process.stdout.readline()
        assert answer, "the broker's process ended"
        return answer.strip()


@contextlib.contextmanager
def remote_kafka(topics: Mapping[str, int]) -> Iterator[RemoteKafka]:
    """Starts a broker with topics, each given with its number of partitions."""
    given = [f"{name}:{partitions}" for name, partitions in topics.items()]
    with start_python("from tests.support.remotekafka import main; main()", *given) as child:
        yield RemoteKafka(child)


class _Commands:
    """What standard input may ask for; each returns its answer."""

    def __init__(self, kafka: MockKafka, proxy: RequestProxy) -> None:
        self._kafka = kafka
        self._proxy = proxy

    async def down(self) -> None:
        await self._proxy.down()

    async def up(self) -> None:
        await self._proxy.up()

    async def black_hole(self) -> None:
        await self._proxy.black_hole()

    async def restore(self) -> None:
        await self._proxy.restore()

    async def slow(self, milliseconds: str) -> None:
        self._kafka.set_rtt(milliseconds=int(milliseconds))

    async def advertise(self, host: str) -> None:
        self._kafka.advertise(_BROKER, host, self._proxy.port)

    async def rename(self) -> None:
        # librdkafka leaves a connection when it hears of another name: none shall be in use then.
        await self._proxy.black_hole()
        await self.advertise(_NO_SUCH_HOST)
        await self._proxy.restore()

    async def left(self) -> int:
        return self._proxy.left


def main() -> None:
    """Serves until standard input closes, which it does when the caller dies."""
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, daemon=True).start()
    with MockKafka() as kafka:
        for topic in sys.argv[1:]:
            name, _, partitions = topic.partition(":")
            kafka.create_topic(name, int(partitions))
        proxy = RequestProxy(int(kafka.bootstrap_servers.rpartition(":")[2]))
        commands = _Commands(kafka, proxy)

        def run(name: str, *arguments: str) -> object:
            doing = getattr(commands, name)(*arguments)
            return asyncio.run_coroutine_threadsafe(doing, loop).result(_ANSWER)

        run("up")
        run("advertise", _HOST)
        print(f"{_HOST}:{proxy.port}", flush=True)
        for line in sys.stdin:
            print(run(*line.split()), flush=True)
