"""An application in a process of its own that logs a steady load until it is told to stop."""

from __future__ import annotations

import contextlib
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

from eplogging.metrics import Stats
from tests.support.application import application
from tests.support.footprint import Footprint
from tests.support.load import Load
from tests.support.processes import start_python

_TIMEOUT = 120.0


class Ended(NamedTuple):
    """How it went: how many events were logged, what the calls took, and what became of the events."""

    logged: int
    calls: str
    stats: Stats


class LoadedApplication:
    """The process, as its parent sees it.

    Attributes:
        pid: its number.
        before: what it had when the first event was delivered and the load began.
    """

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.pid = process.pid
        self.before: Footprint = self._answer()

    def stats(self) -> Stats:
        """What became of the events, at this moment."""
        stats: Stats = self._answer("stats")
        return stats

    def stop(self) -> Ended:
        """Ends the load, and waits until nothing is pending; the process stays."""
        ended: Ended = self._answer("stop")
        return ended

    def _answer(self, question: str = "") -> Any:
        assert self._process.stdout and self._process.stderr
        if question:
            print(question, file=self._process.stdin, flush=True)
        answer = self._process.stdout.readline()
        assert answer, self._process.stderr.read()
        return pickle.loads(bytes.fromhex(answer))


@contextlib.contextmanager
def loaded_application(options: dict[str, Any], **load: Any) -> Iterator[LoadedApplication]:
    """Starts it with the handler's keywords, and what `Load` takes beside the logger."""
    program = "from tests.support.loadedapplication import main; main()"
    with start_python(program, json.dumps([options, load])) as child:
        yield LoadedApplication(child)


def main() -> None:
    """Logs until standard input says so, or closes, which it does when the parent dies."""
    options, given = json.loads(sys.argv[1])
    with application(**options) as app:
        load = Load(app.logger, **given)
        load.log_one()
        assert app.handler.flush(_TIMEOUT)
        _answer(Footprint.of(os.getpid()))
        with load.running():
            while sys.stdin.readline() == "stats\n":
                _answer(app.stats)
        assert app.handler.flush(_TIMEOUT)
        _answer(Ended(load.logged, str(load.calls), app.stats))
        sys.stdin.readline()


def _answer(answer: object) -> None:
    print(pickle.dumps(answer).hex(), flush=True)
