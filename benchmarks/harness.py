"""Runs measurements in processes of their own, in rounds, so that what the machine does hits all alike."""

from __future__ import annotations

import compileall
import json
import subprocess
import sys
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

ROOT = Path(__file__).resolve().parents[1]
_TIMEOUT = 300.0

Result = dict[str, Any]


class Measurement(NamedTuple):
    """One function of `benchmarks`, such as `bursts.burst`, and what it is called with.

    Attributes:
        name: its module and its name.
        parameters: its arguments.
        without: modules that can not be imported there.
    """

    name: str
    parameters: tuple[tuple[str, Any], ...] = ()
    without: tuple[str, ...] = ()

    def __str__(self) -> str:
        shown = [f"{key}={value}" for key, value in self.parameters]
        shown += [f"without {name}" for name in self.without]
        return f"{self.name}({', '.join(shown)})"


Results = dict[Measurement, Result]


def run_all(
    measurements: Iterable[Measurement],
    *,
    rounds: int,
    scale: float,
    jobs: int = 1,
    tell: Callable[[str], None] = lambda text: None,
) -> list[Results]:
    """Runs every measurement once a round; each second round goes backwards.

    Args:
        measurements: what to run; each is run once, however often it is named.
        rounds: how many times.
        scale: of how much each does; 1 is as much as is worth trusting.
        jobs: how many run at once; more than one only where no figure matters.
        tell: is told what is run.
    """
    compileall.compile_dir(ROOT / "eplogging", quiet=1)  # as pip does
    once = list(dict.fromkeys(measurements))
    done = []
    for number in range(rounds):
        order = once if number % 2 == 0 else once[::-1]

        def one(measurement: Measurement, number: int = number) -> Result:
            tell(f"round {number + 1} of {rounds}: {measurement}")
            return run(measurement, scale)

        with ThreadPoolExecutor(jobs) as pool:
            done.append(dict(zip(order, pool.map(one, order), strict=True)))
    return done


def run(measurement: Measurement, scale: float) -> Result:
    """Runs one measurement.

    Returns:
        What it measured; where a package is not installed, `missing` with its name.

    Raises:
        RuntimeError: it failed; with what it said.
    """
    request = {**measurement._asdict(), "parameters": dict(measurement.parameters), "scale": scale}
    finished = subprocess.run(
        [sys.executable, "-m", "benchmarks.worker"],
        cwd=ROOT,
        input=json.dumps(request) + "\n",
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
    )
    lines = finished.stdout.splitlines()
    if finished.returncode or not lines:
        raise RuntimeError(f"{measurement} failed:\n{finished.stdout}{finished.stderr}")
    result: Result = json.loads(lines[-1])
    return result
