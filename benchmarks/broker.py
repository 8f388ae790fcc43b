"""The Kafka that contenders send to: in a process of its own, or one of the ways not to be there."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
STATES = ("up", "down", "black hole", "slow")
_SLOW_MILLISECONDS = 500
_HOST = "127.0.0.1"


class Broker:
    """A mock cluster in another process, or an address where there is none.

    Args:
        state: `up`; `down`, where nothing listens; `black hole`, which accepts connections and says
            nothing; or `slow`, where each answer takes half a second.
        topic: exists from the start, with one partition.
    """

    def __init__(self, state: str, topic: str) -> None:
        self._process: subprocess.Popen[str] | None = None
        self._socket: socket.socket | None = None
        if state in ("up", "slow"):
            self._process = _start(topic)
            assert self._process.stdout is not None
            self.bootstrap_servers = self._process.stdout.readline().strip()
            if state == "slow":
                self.tell(f"rtt {_SLOW_MILLISECONDS}")
        else:
            self._socket = socket.create_server((_HOST, 0))  # the kernel accepts, and nobody answers
            self.bootstrap_servers = f"{_HOST}:{self._socket.getsockname()[1]}"
            if state == "down":
                self._socket.close()

    def tell(self, command: str) -> None:
        """Sends `down`, `up` or `rtt MILLISECONDS` to the cluster, and waits until it is so."""
        assert self._process is not None and self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(command + "\n")
        self._process.stdin.flush()
        self._process.stdout.readline()

    def close(self) -> None:
        if self._process is not None:
            self._process.communicate()  # closes its stdin, which ends it
        if self._socket is not None:
            self._socket.close()


@contextmanager
def broker(state: str, topic: str) -> Iterator[Broker]:
    found = Broker(state, topic)
    try:
        yield found
    finally:
        found.close()


def _start(topic: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "benchmarks.broker", topic],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def main(topic: str) -> None:
    """Serves until standard input closes, which it does when the caller dies."""
    # Only here: it needs ctypes, which few applications have loaded.
    from eplogging.testing import MockKafka

    with MockKafka() as kafka:
        kafka.create_topic(topic, 1)
        print(kafka.bootstrap_servers, flush=True)
        for line in sys.stdin:
            command, *arguments = line.split()
            if command == "down":
                kafka.broker_down()
            elif command == "up":
                kafka.broker_up()
            else:
                kafka.set_rtt(milliseconds=int(arguments[0]))
            print("done", flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
