"""Logging is configured anew while threads log and no broker is there: nothing is left over.

It happens in a child, where threads, files and memory are those of the program alone.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eplogging.testing import MockKafka
from tests.support.accounts import assert_settled, consumed, ids_of
from tests.support.nobody import nobody_there
from tests.support.processes import ROOT, run_python

PROGRAM = ROOT / "tests" / "support" / "reconfiguring.py"
ALLOWED_GROWTH = 16 * 2**20
"""Bytes: a handler that was left over would keep its queue, its schemas and librdkafka's buffers."""


pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(
        not Path("/proc/self/task").is_dir(), reason="this system does not list a process's threads and files"
    ),
]


@pytest.mark.parametrize("times", [10, pytest.param(100, marks=pytest.mark.slow)])
def test_no_broker_is_there(times: int, kafka: MockKafka) -> None:
    """At the end a configuration with a broker takes over, and what is logged from then on arrives."""
    with nobody_there() as nobody:
        finished = run_python(PROGRAM, str(times), nobody, kafka.bootstrap_servers, timeout=100)
    assert (finished.code, finished.stderr) == (0, ""), finished
    told = json.loads(finished.stdout)
    sums = assert_settled(f"dictConfig {times} times", told["accounts"], ids_of(consumed(kafka)))
    print(f"    {told['logged']} logged; longest dictConfig {told['longest']:.2f} s, flush_timeout 0.2 s")
    for what in ("objects", "threads", "files", "memory"):
        print(f"    {what}: {told['before'][what]} before, {told['after'][what]} after")
    assert sums["pending"] == 0
    assert sums["dropped"] > 0
    assert sums["delivered"] == told["accounts"][-1]["accepted"] > 0
    assert told["longest"] < 10
    before, after = told["before"], told["after"]
    for what in ("objects", "threads", "files"):
        assert after[what] == before[what], what
    assert after["memory"] - before["memory"] < ALLOWED_GROWTH
