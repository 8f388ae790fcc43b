"""The other Pythons of this machine, each with what eplogging needs installed beside it.

What happens at the end of a process differs from one release of Python to the next, so one
interpreter shows little. Their virtual environments are made once and kept in the user's cache.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import json
import os
import platform
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.support.processes import ROOT

OLDEST, NEWEST = 10, 14
"""Minor versions of Python 3 that are looked for."""

_RUN = """
import json, platform
print(json.dumps([platform.python_implementation(), platform.python_version()]))
"""
_START_TIMEOUT = 20.0
_INSTALL_TIMEOUT = 100.0

EXECUTE = "import os, sys; os.execv(sys.argv[1], sys.argv[1:])"
"""Given to `start_python` with an interpreter and its arguments, runs that interpreter as the child."""


@functools.cache
def others() -> dict[str, Path]:
    """One CPython for each minor version but the running one, by its whole version."""
    found: dict[str, Path] = {}
    for minor in range(OLDEST, NEWEST + 1):
        if minor != sys.version_info.minor:
            for candidate in _candidates(minor):
                if version := _version(candidate, minor):
                    found[version] = candidate
                    break
    return found


def _candidates(minor: int) -> list[Path]:
    """The installed ones first: what is on the path may be a shim, which is slow or does not start."""
    root = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv") / "versions"
    installed = [path for path in root.glob(f"3.{minor}.*") if re.fullmatch(r"[\d.]+", path.name)]
    installed.sort(key=lambda path: int(path.name.split(".")[2]), reverse=True)
    on_path = shutil.which(f"python3.{minor}")
    return [*(path / "bin" / "python" for path in installed), *([Path(on_path)] if on_path else [])]


def _version(python: Path, minor: int) -> str | None:
    """An interpreter's version, if it starts and is a CPython as wanted."""
    try:
        run = subprocess.run(
            [python, "-I", "-c", _RUN], capture_output=True, text=True, timeout=_START_TIMEOUT
        )
        implementation, version = json.loads(run.stdout)
    except (OSError, ValueError, subprocess.TimeoutExpired):
        return None
    if implementation != "CPython" or not version.startswith(f"3.{minor}."):
        return None
    return str(version)


def ready(version: str) -> Path:
    """An interpreter that has the project's dependencies, though not the project itself.

    Args:
        version: a key of `others()`, or the running interpreter's version.

    Raises:
        AssertionError: they can not be installed; with what pip says.
    """
    if version == platform.python_version():
        return Path(sys.executable)
    requirements = _requirements()
    key = hashlib.sha256("\n".join(requirements).encode()).hexdigest()[:12]
    place = _cache() / f"{version}-{platform.machine()}-{key}"
    if not place.exists():
        _make(others()[version], place, requirements)
    return place / "bin" / "python"


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "eplogging-tests"


def _requirements() -> list[str]:
    """What setup.py requires, with the extra `fast`."""
    tree = ast.parse((ROOT / "setup.py").read_text())
    lists = {
        target.id: ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    return [*lists["REQUIRED"], *lists["FAST"]]


def _make(python: Path, place: Path, requirements: list[str]) -> None:
    """Make a virtual environment under another name first: another test run may make it at the same time."""
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f"{place.name}.") as folder:
        made = Path(folder) / "venv"
        _run(python, "-m", "venv", str(made))
        _run(made / "bin" / "python", "-m", "pip", "install", "--quiet", *requirements)
        try:
            made.rename(place)
        except OSError:
            assert place.exists(), f"{made} can not become {place}"


def _run(python: Path, *args: str) -> None:
    env = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    run = subprocess.run(
        [python, *args],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=_INSTALL_TIMEOUT,
        env=env,
    )
    assert run.returncode == 0, f"{python} {' '.join(args)}:\n{run.stdout}"
