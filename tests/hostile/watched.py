"""Logs events in a process of its own, where every file opened and address asked is watched.

Run as a program, it reads a job from stdin and writes, for each event, why it was rejected and
what was touched outside the allow-list; an audit hook also prevents it.
"""

from __future__ import annotations

import json
import os
import sys
import sysconfig
from pathlib import Path
from typing import Any

from tests.support.processes import ROOT, run_python

_STARTS_PROGRAMS = ("subprocess.", "os.exec", "os.posix_spawn", "os.spawn", "os.system", "os.fork", "pty.")
_ASKS = ("socket.connect", "socket.sendto")
_NAMES = ("socket.getaddrinfo", "socket.gethostbyname", "socket.gethostbyaddr")


def watch(
    tmp_path: Path, options: dict[str, Any], cases: dict[str, Any], addresses: list[tuple[str, int]]
) -> dict[str, Any]:
    """Give each event to a handler in a child process.

    Args:
        tmp_path: the child's home; nothing in it may be opened.
        options: the handler's keywords; directories and files named there may be opened.
        cases: events by name.
        addresses: that may be asked.

    Returns:
        By name: `reason` (None for an event that passed), `text`, and `touched`, which should be empty.
    """
    job = {"options": options, "cases": cases, "addresses": addresses}
    path = tmp_path / "job.json"
    path.write_text(json.dumps(job))
    finished = run_python(Path(__file__), str(path), timeout=60, env={"HOME": str(tmp_path)})
    assert finished.code == 0, finished.stderr
    results: dict[str, Any] = json.loads(finished.stdout)
    assert results.keys() == cases.keys()
    return results


class _Watch:
    """The audit hook."""

    def __init__(self, directories: list[str], addresses: list[list[Any]]) -> None:
        self.touched: list[str] = []
        self._directories = [os.path.realpath(directory) for directory in directories]
        self._addresses = [tuple(address) for address in addresses]

    def __call__(self, event: str, args: tuple[Any, ...]) -> None:
        if self._is_allowed(event, args):
            return
        self.touched.append(f"{event} {args!r:.200}")
        raise PermissionError(f"{event} is not allowed here")

    def _is_allowed(self, event: str, args: tuple[Any, ...]) -> bool:
        if event == "open":
            if isinstance(args[0], int):
                return True
            path = os.path.realpath(os.fsdecode(args[0]))
            return any(path == known or path.startswith(known + os.sep) for known in self._directories)
        if event in _ASKS:
            return tuple(args[1][:2]) in self._addresses
        if event in _NAMES:
            return args[0] in {host for host, _ in self._addresses}
        return not event.startswith(_STARTS_PROGRAMS)


def _run(job: dict[str, Any]) -> dict[str, Any]:
    import logging

    import requests  # noqa: F401 - what it opens when imported is its own affair

    from eplogging import EventPlatformHandler
    from eplogging.conformance import ConformanceError
    from eplogging.sinks import MemorySink

    options = job["options"]
    handler = EventPlatformHandler(sink=MemorySink(), on_rejected="raise", **options)
    logger = logging.getLogger("watched")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    libraries = [sysconfig.get_path(name) for name in ("stdlib", "platstdlib", "purelib", "platlib")]
    sources = [
        base for base in [*options["schema_base_uris"], options["stream_config_uri"]] if "://" not in base
    ]
    watched = _Watch([*libraries, str(ROOT / "eplogging"), *sources], job["addresses"])
    sys.addaudithook(watched)
    results = {}
    for name, event in job["cases"].items():
        watched.touched = []
        reason, text = None, ""
        try:
            logger.info("hostile", extra={"event": event})
        except ConformanceError as error:
            reason, text = error.reason, str(error)
        results[name] = {"reason": reason, "text": text, "touched": watched.touched}
    handler.close()
    return results


if __name__ == "__main__":
    given = json.loads(Path(sys.argv[1]).read_text())
    sys.stdout.write(json.dumps(_run(given)))
