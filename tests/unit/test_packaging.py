"""What is shipped, and what must not be: the parts of a release that no other test would miss."""

from __future__ import annotations

import re
import subprocess
from importlib import resources
from pathlib import Path

import pytest

from tests.support.processes import ROOT

COMMAND = re.compile(r"<!-- command: (\w+) -->\n+```\w*\n(.*?)\n```", re.DOTALL)
# In parts, so that this file does not name them.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("crates", "io"),
        ("rubygems", "org"),
        ("maven", "org"),
        ("repo", "maven", "apache", "org"),
        ("golang", "org"),
    )
]


def readme_commands() -> dict[str, str]:
    return dict(COMMAND.findall((ROOT / "README.md").read_text(encoding="utf-8")))


def project_files() -> list[Path]:
    """What git tracks, and what it would if all were added."""
    if not (ROOT / ".git").exists():
        pytest.skip("not a git checkout")
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    paths = (ROOT / name for name in listing.stdout.split("\0") if name)
    return [path for path in paths if path.is_file()]


def test_type_hints_are_shipped() -> None:
    assert resources.files("eplogging").joinpath("py.typed").is_file()
    assert '"py.typed"' in (ROOT / "setup.py").read_text(encoding="utf-8")


def test_the_readme_has_the_command_that_shows_it_working() -> None:
    command = readme_commands()["quickstart"]
    assert "pip install -e '.[fast]'" in command
    assert command.endswith("python examples/quickstart.py")


def test_the_readme_has_the_command_that_tests_it() -> None:
    command = readme_commands()["test"]
    assert command.count(".venv-test") == 3
    assert command.count("[fast,test]") == 1
    assert command.endswith("python -m pytest")


def test_no_file_names_this_machine_or_a_package_registry() -> None:
    unwanted = list(REGISTRIES)
    if len(ROOT.parts) > 2:  # "/" and one more is no path to tell a machine by
        unwanted.append(str(ROOT))
    named = re.compile("|".join(re.escape(name) for name in unwanted).encode())

    found = {
        str(path.relative_to(ROOT)): m[0]
        for path in project_files()
        if (m := named.search(path.read_bytes()))
    }

    assert not found
