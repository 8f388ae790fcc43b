"""Runs Python programs as children that cannot outlive their test, whatever they do.

Exit, fork and signals can only be tested in a process of one's own, and the interesting ones
hang when they fail.
"""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]


class Finished(NamedTuple):
    """How a child ended; a negative code is the signal that ended it."""

    stdout: str
    stderr: str
    code: int


@contextlib.contextmanager
def start_python(
    source: str | Path, *args: str, env: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start a child with pipes; at the end of the block it and all it forked are killed."""
    program = [str(source)] if isinstance(source, Path) else ["-c", source]
    search_path = os.pathsep.join(filter(None, (str(ROOT), os.environ.get("PYTHONPATH"))))
    child = subprocess.Popen(
        [sys.executable, *program, *args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": search_path, **(env or {})},
        start_new_session=True,
    )
    with child:
        try:
            yield child
        finally:
            # The group outlives the child where that one forked.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(child.pid, signal.SIGKILL)


def run_python(
    source: str | Path, *args: str, timeout: float = 30.0, env: Mapping[str, str] | None = None
) -> Finished:
    """Run a program (its text, or the path of a file) to its end.

    Args:
        source: the program.
        args: its arguments.
        timeout: seconds until the child and all its forks are killed and the test fails.
        env: added to this process's environment.
    """
    with start_python(source, *args, env=env) as child:
        try:
            stdout, stderr = child.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(child.pid, signal.SIGKILL)
            stdout, stderr = child.communicate()
            raise AssertionError(
                f"the child, or a fork of it, still ran after {timeout} s\n{stdout}\n{stderr}"
            ) from None
    return Finished(stdout, stderr, child.returncode)
