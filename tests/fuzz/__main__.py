"""Fuzzes every place where input of others comes in: `python -m tests.fuzz [seconds] [target] [--keep]`.

It uses atheris where that is installed, else hypothesis. `--keep` adds what atheris finds
interesting to the corpus.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from importlib.util import find_spec


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz")
    parser.add_argument("seconds", nargs="?", type=float, default=60.0)
    parser.add_argument("target", nargs="?")
    parser.add_argument("--keep", action="store_true")
    given = parser.parse_args()
    if given.target is None:
        return _each(given.seconds, given.keep)
    if find_spec("atheris") is not None:
        _with_atheris(given.target, given.seconds, given.keep)
    from tests.fuzz.inventing import invent

    watched = invent(given.target, given.seconds)
    print(f"{given.target}: {watched.runs:,} inputs, the slowest {watched.slowest * 1000:.1f} ms")
    return 0


def _each(seconds: float, keep: bool) -> int:
    """A process for each target: atheris ends its own, and a crash must be seen."""
    from tests.fuzz.targets import TARGETS

    failed = []
    for name in TARGETS:
        options = [str(seconds / len(TARGETS)), name, *(["--keep"] if keep else [])]
        if subprocess.run([sys.executable, "-m", "tests.fuzz", *options]).returncode:
            failed.append(name)
    print(f"failed: {', '.join(failed)}" if failed else "no faults found")
    return len(failed)


def _with_atheris(name: str, seconds: float, keep: bool) -> None:
    import atheris

    with atheris.instrument_imports(include=["eplogging"]):
        import eplogging.conformance  # noqa: F401 - instruments it
    from tests.fuzz import watching
    from tests.fuzz.inventing import CORPUS

    watching.MAX_SECONDS *= 4  # what its instrumentation costs
    watched = watching.Watched(name)
    corpus = str(CORPUS / name)
    with tempfile.TemporaryDirectory() as found:
        corpora = [corpus] if keep else [found, corpus]  # what is new goes to the first
        options = [
            f"-max_total_time={max(1, int(seconds))}",
            "-max_len=4096",
            "-print_final_stats=1",
            f"-artifact_prefix={tempfile.gettempdir()}/",
            "-verbosity=0",
        ]
        atheris.Setup([sys.argv[0], *options, *corpora], watched)
        atheris.Fuzz()  # ends the process


if __name__ == "__main__":
    sys.exit(main())
