"""What a process has, seen from outside it: memory, threads and descriptors. /proc tells, so Linux only."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

_KIB_IN_MIB = 1024
_PAUSE = 0.25


class Footprint(NamedTuple):
    """What a process has at one moment; memory is physical memory, in MiB.

    Attributes:
        memory: now.
        peak: the most that it ever had.
        threads: librdkafka's too.
        descriptors: open files and sockets.
    """

    memory: float
    peak: float
    threads: float
    descriptors: float

    @classmethod
    def of(cls, pid: int) -> Footprint:
        process = Path("/proc", str(pid))
        lines = (process / "status").read_text().splitlines()
        status = dict(line.split(":", 1) for line in lines)
        memory, peak = (int(status[name].split()[0]) / _KIB_IN_MIB for name in ("VmRSS", "VmHWM"))
        return cls(memory, peak, int(status["Threads"]), len(os.listdir(process / "fd")))

    @classmethod
    def middle(cls, several: Sequence[Footprint]) -> Footprint:
        """The median of each: a look-up that runs at one moment, or a pause of the machine, is no growth."""
        return cls(*(statistics.median(values) for values in zip(*several, strict=True)))

    def __str__(self) -> str:
        return f"{self.memory:.1f} MiB, {self.threads:.0f} threads, {self.descriptors:.0f} descriptors"


def watch(pid: int, seconds: float) -> list[Footprint]:
    """Looks at a process for so long, several times a second."""
    end, seen = time.monotonic() + seconds, [Footprint.of(pid)]
    while time.monotonic() < end:
        time.sleep(min(_PAUSE, seconds / 20))
        seen.append(Footprint.of(pid))
    return seen
