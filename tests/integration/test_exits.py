"""Whatever way a process ends, on whatever Python: in time, and no event is lost without being counted.

`support/exitpaths.py` is the list of ways. With the broker up every event that was logged before the
end arrives; with nothing there in its place every event is counted, and told on stderr.
"""

from __future__ import annotations

import os
import platform
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from eplogging.testing import MockKafka
from tests.support.accounts import assert_settled, consumed, ids_of, read_back, write_down
from tests.support.exitpaths import COMPACT, FEW, PATHS
from tests.support.exitprocess import EVENTS
from tests.support.interpreters import EXECUTE, others, ready
from tests.support.processes import ROOT, start_python

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can not fork"),
]

RUNNING = platform.python_version()
OTHERS = tuple(others())
IN_FORKS = [(RUNNING, COMPACT), *((version, FEW) for version in OTHERS)]
PROGRAM = ROOT / "tests" / "support" / "exitprogram.py"
# Forks of a process with threads are among the paths; from 3.12 Python warns of it.
ENV = {"PYTHONWARNINGS": "error,ignore::DeprecationWarning"}
UP, DOWN = 20.0, 0.5
"""The `flush_timeout` with a broker, and without one."""

PROMISED, HANG = 0.2, 10.0
"""Seconds over `flush_timeout`: those that are promised are printed only; a busy machine may need more."""

GRACE = 0.35
"""Seconds past `flush_timeout` after which `close` waits no longer for what is given up to be counted."""

TIMEOUT = 90.0
TRACEBACKS = {"exception", "exception_in_a_thread", "sigint"}
AFTER_CLOSE = ("atexit_before_logging", "daemon_threads")
"""Paths that log on after `logging.shutdown`."""

CODES = {"sigint": {-signal.SIGINT, 1}}
"""CPython forgets that an interrupt ended it when anything executes a string on the way out."""

NO_EXIT_HANDLERS = ("os_exit_after_flush", "fork_and_os_exit", "terminated_pool")
"""Paths on which a process ends after a `flush` alone: what that leaves is pending for ever."""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The file of accounts."""
    return tmp_path / "accounts.ndjson"


def run(version: str, written: Path, servers: str, flush_timeout: float, *paths: str) -> str:
    """Run the program to its end, and note when that was; what it said on stderr."""
    arguments = (str(PROGRAM), str(written), servers, str(flush_timeout), *paths)
    with start_python(EXECUTE, str(ready(version)), *arguments, env=ENV) as child:
        try:
            code = child.wait(TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            raise AssertionError(f"{paths} hang: {read_back(written)}\n{child.communicate()[1]}") from None
        fields = {"child": child.pid, "since": 0.0, "code": code, "at": time.monotonic()}
        write_down(written, path=paths[0], role="ended", **fields)
        return child.communicate(timeout=TIMEOUT)[1]


def judge(
    path: str, what: str, written: Path, events: list[dict[str, Any]], limit: float
) -> tuple[dict[str, int], float]:
    """One path's accounts: every event has one fate, known on the consumer's side; and no end was late."""
    lines = [one for one in read_back(written) if one["path"] == path]
    accounts = {one["pid"]: one for one in lines if one["role"] != "ended"}
    ends = {one["child"]: one for one in lines if one["role"] == "ended"}
    found = ids_of(event for event in events if event["meta"]["id"].startswith(f"{path}-"))
    sums = assert_settled(f"{what}, {path}", accounts.values(), found)
    logged = {name for one in accounts.values() for name in one["ids"]}
    assert len(logged) == sums["accepted"] > sums["rejected"] == 0
    assert set(found) <= logged
    for pid, account in accounts.items():
        if pid in ends:
            codes = CODES.get(path, {PATHS[path][1]}) if account["role"] == "main" else {5}
            assert ends[pid]["code"] in codes, ends[pid]
    assert [one["role"] for one in accounts.values()].count("main") == 1
    took = [_took(one, ends.get(pid) or ends[None]) for pid, one in accounts.items()]
    late = " LATE" if max(took) > limit + PROMISED else ""
    shown = ", ".join(f"{seconds:.2f}" for seconds in took)
    print(f"    ends took {shown} s, promised {limit + PROMISED} s{late}")
    assert max(took) < limit + HANG
    return sums, max(took)


def _took(account: dict[str, Any], end: dict[str, Any]) -> float:
    """Seconds from the beginning of the end; workers that wait for work begin theirs when told to."""
    return float(end["at"] - max(account["ending"] or 0.0, end["since"]))


def judge_up(path: str, what: str, written: Path, events: list[dict[str, Any]]) -> dict[str, int]:
    """Everything arrived but what was logged after the end."""
    sums, _ = judge(path, what, written, events, UP)
    assert sums["pending"] == 0
    assert (sums["dropped"] > 0) == (path in AFTER_CLOSE)
    assert sums["delivered"] >= EVENTS or path == "daemon_threads"
    return sums


def judge_down(path: str, what: str, written: Path) -> dict[str, int]:
    """Everything is counted."""
    sums, longest = judge(path, what, written, [], DOWN)
    if sums["pending"] and not path.startswith(NO_EXIT_HANDLERS):
        assert longest > DOWN + GRACE, "it had the time to count what is pending"
    return sums


def judge_words(stderr: str, sums: dict[str, dict[str, int]]) -> None:
    """Drops are told; nothing else went wrong than what was to."""
    assert ("events dropped: " in stderr) == any(one["dropped"] for one in sums.values()), stderr
    assert stderr.count("Traceback") == len(sums.keys() & TRACEBACKS), stderr
    assert "Fatal" not in stderr, stderr


@pytest.mark.parametrize(("version", "paths"), IN_FORKS)
def test_with_a_broker(version: str, paths: Sequence[str], kafka: MockKafka, written: Path) -> None:
    """Each path in a fork of a process that has imported everything."""
    stderr = run(version, written, kafka.bootstrap_servers, UP, *paths)
    events = consumed(kafka)
    judge_words(stderr, {path: judge_up(path, f"{version}, broker up", written, events) for path in paths})


@pytest.mark.parametrize(("version", "paths"), IN_FORKS)
def test_without_a_broker(version: str, paths: Sequence[str], nobody: str, written: Path) -> None:
    """The same, with nothing there."""
    stderr = run(version, written, nobody, DOWN, *paths)
    judge_words(stderr, {path: judge_down(path, f"{version}, broker down", written) for path in paths})


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("version", [RUNNING, *OTHERS])
def test_every_path_by_itself(version: str, path: str, kafka: MockKafka, nobody: str, tmp_path: Path) -> None:
    """From the start of an interpreter to its end."""
    up, down = tmp_path / "up.ndjson", tmp_path / "down.ndjson"
    stderr = run(version, up, kafka.bootstrap_servers, UP, path)
    judge_words(stderr, {path: judge_up(path, f"{version}, broker up", up, consumed(kafka))})
    stderr = run(version, down, nobody, DOWN, path)
    judge_words(stderr, {path: judge_down(path, f"{version}, broker down", down)})
