"""Servers that fork, under load, while their workers come and go: each event arrives once."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eplogging.testing import MockKafka
from tests.support.accounts import TOPIC, assert_settled, consumed, ids_of, read_back
from tests.support.application import wait_until
from tests.support.processes import run_python, start_python
from tests.support.webload import WebLoad

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can not fork"),
]

GUNICORN = "from gunicorn.app.wsgiapp import run; run()"
CELERY = "from celery.__main__ import main; main()"
ENQUEUE = """
import sys
from tests.support.celeryapp import work
for number in range(int(sys.argv[1])): work.delay(number)
"""
WORKERS, RESTARTS, CLIENTS = 4, 2, 8
PATIENCE = 60.0


class Server:
    """A child, and the lines it has printed on stdout so far."""

    def __init__(self, child: subprocess.Popen[str]) -> None:
        self.child = child
        self.lines: list[str] = []
        self.words: list[str] = []
        self._readers = [
            threading.Thread(target=target.extend, args=(stream,), daemon=True)
            for target, stream in ((self.lines, child.stdout), (self.words, child.stderr))
        ]
        for reader in self._readers:
            reader.start()

    def said(self, word: str) -> list[int]:
        """The numbers that it printed after a word."""
        return [int(line.split()[1]) for line in list(self.lines) if line.startswith(f"{word} ")]

    def wait_for(self, word: str, count: int) -> list[int]:
        def enough() -> bool:
            assert self.child.poll() is None, self.words
            return len(self.said(word)) >= count

        wait_until(enough, f"{count} times {word}: {self.lines} {self.words}", PATIENCE)
        return self.said(word)

    def stop(self) -> None:
        """Ask it to end, and see that it does."""
        self.child.send_signal(signal.SIGTERM)
        assert self.child.wait(PATIENCE) == 0, self.words
        for reader in self._readers:
            reader.join(PATIENCE)


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    return tmp_path / "accounts.ndjson"


@contextlib.contextmanager
def gunicorn(kafka: MockKafka, accounts: Path, *options: str) -> Iterator[Server]:
    arguments = ("-c", "python:tests.support.webapp", *options, "tests.support.webapp:create()")
    env = {"KAFKA": kafka.bootstrap_servers, "ACCOUNTS": str(accounts)}
    with start_python(GUNICORN, *arguments, env=env) as child:
        yield Server(child)


def load_while_restarting(server: Server, total: int, workers: int) -> WebLoad:
    """Every worker, and then the one in its place, ends by SIGTERM while requests come in.

    The load may run one step ahead of the restarts, so that it is not over before they are.
    """
    [port] = server.wait_for("port", 1)
    steps = workers * RESTARTS
    with WebLoad(port, total, CLIENTS).running() as load:
        for step in range(steps):
            load.allow((step + 2) * total // (steps + 2))
            load.wait_answered((step + 1) * total // (steps + 2))
            pids = server.wait_for("worker", workers + step)
            os.kill(pids[step], signal.SIGTERM)
        server.wait_for("worker", workers + steps)
        load.allow(total)
        load.wait_answered(total)
    return load


def judge(what: str, load: WebLoad, events: list[dict[str, Any]], ends: list[dict[str, Any]]) -> None:
    """Each request that was answered has one event; one that was not answered may have none."""
    sums = assert_settled(what, ends, ids_of(events))
    print(
        f"    {len(load.answered)} answered, {len(load.uncertain)} uncertain, {load.refused} refused; "
        f"{len(ends)} processes"
    )
    assert sums["accepted"] == sums["delivered"], sums
    found = Counter(event["text"] for event in events if not event["text"].startswith("start"))
    assert found.keys() - set(load.uncertain) == set(load.answered)
    assert set(found.values()) == {1}


@pytest.mark.parametrize("total", [1_000, pytest.param(10_000, marks=pytest.mark.slow)])
def test_gunicorn_preloaded(total: int, kafka: MockKafka, accounts: Path) -> None:
    """The workers are forks of a master whose listener and producer are at work."""
    with gunicorn(kafka, accounts, "--preload", "--workers", str(WORKERS)) as server:
        load = load_while_restarting(server, total, WORKERS)
        server.stop()
    ends, events = read_back(accounts), consumed(kafka)
    judge(f"gunicorn --preload, {total} requests", load, events, ends)
    assert not load.uncertain, "a sync worker ends between two requests"
    assert len(events) == total + 1
    assert len({one["pid"] for one in ends}) == len(ends) == 1 + WORKERS * (1 + RESTARTS)


def test_gunicorn_with_threads(kafka: MockKafka, accounts: Path) -> None:
    """Each worker configures logging for itself, and serves connections that are kept, in threads."""
    options = ("--workers", "2", "--worker-class", "gthread", "--threads", "4")
    with gunicorn(kafka, accounts, *options) as server:
        load = load_while_restarting(server, 500, workers=2)
        server.stop()
    ends, events = read_back(accounts), consumed(kafka)
    judge("gunicorn with threads, 500 requests", load, events, ends)
    assert len({one["pid"] for one in ends}) == len(ends) == 2 * (1 + RESTARTS)


def test_celery_prefork(kafka: MockKafka, accounts: Path, tmp_path: Path) -> None:
    """A process of the pool ends after ten tasks, by `os._exit`: `worker_process_shutdown` flushes before."""
    tasks, events_per_task = 60, 3
    for name in ("queue", "control", "done"):
        (tmp_path / name).mkdir()
    env = {"KAFKA": kafka.bootstrap_servers, "ACCOUNTS": str(accounts), "CELERY_FOLDER": str(tmp_path)}
    # Before the worker starts: it would read a file that is not yet written whole.
    queued = run_python(ENQUEUE, str(tasks), env=env)
    assert queued.code == 0, queued.stderr
    options = ("--concurrency", "4", "--max-tasks-per-child", "10", "--without-gossip", "--without-mingle")
    arguments = ("-A", "tests.support.celeryapp", "worker", "--pool", "prefork", *options)
    expected = tasks * events_per_task + 1
    with start_python(CELERY, *arguments, env=env) as child:
        server = Server(child)
        kafka.consume(TOPIC, count=expected, timeout=PATIENCE)
        server.stop()
    events, ends = consumed(kafka), read_back(accounts)
    sums = assert_settled(f"celery prefork, {tasks} tasks", ends, ids_of(events))
    print(f"    {len(ends)} processes")
    assert sums["delivered"] == expected
    texts = [event["text"] for event in events if not event["text"].startswith("start")]
    assert sorted(texts) == sorted(f"{n}.{part}" for n in range(tasks) for part in range(events_per_task))
    assert len(ends) > tasks // 10
