"""What is written in C: it is there where it can be, compiles without a warning, and is never needed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
from pathlib import Path

import pytest

from eplogging.conformance.accelerated import PURE_PYTHON, WarmPath, is_pure
from eplogging.intake import Intake
from tests.support.processes import ROOT

SOURCES = sorted((ROOT / "eplogging").rglob("*.c"))
COMPILER = shutil.which("cc")
INCLUDE = Path(sysconfig.get_paths()["include"])
SUFFIX = sysconfig.get_config_var("EXT_SUFFIX")
WARNINGS = ("-Wall", "-Wextra", "-Werror", "-Wno-missing-field-initializers")
SANITIZERS = ("-g", "-O1", "-fno-omit-frame-pointer", "-fsanitize=address,undefined")

needs_compiler = pytest.mark.skipif(
    COMPILER is None or not (INCLUDE / "Python.h").exists(),
    reason="a C compiler and Python's headers are needed",
)


def compile_to(target: Path, source: Path, *options: str) -> None:
    assert COMPILER is not None
    command = [COMPILER, "-std=gnu11", *options, "-fPIC", "-shared", f"-I{INCLUDE}", source, "-o", target]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@needs_compiler
@pytest.mark.skipif(is_pure, reason=f"{PURE_PYTHON} is set")
def test_it_is_there() -> None:
    assert WarmPath is not None and Intake is not None, "pip install -e . builds it"


@needs_compiler
@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.stem)
def test_it_compiles_without_a_warning(source: Path, tmp_path: Path) -> None:
    compile_to(tmp_path / "out.so", source, "-O2", *WARNINGS)


def test_an_installation_does_without_a_compiler(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    command = [sys.executable, "setup.py", "build", "--build-base", str(tmp_path)]
    environment = {**os.environ, "CC": "no-such-compiler"}
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [package] = tmp_path.glob("lib*/eplogging")
    assert (package / "handler.py").exists() and not list(package.rglob("*.so"))


def test_all_of_it_is_in_the_source_distribution(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    command = [
        sys.executable,
        "setup.py",
        "-q",
        "egg_info",
        "-e",
        str(tmp_path),
        "sdist",
        "-d",
        str(tmp_path),
    ]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    [archive] = tmp_path.glob("*.tar.gz")
    with tarfile.open(archive) as opened:
        names = {name.partition("/")[2] for name in opened.getnames()}
    sources = {
        str(path.relative_to(ROOT)) for kind in "ch" for path in (ROOT / "eplogging").rglob(f"*.{kind}")
    }
    assert len(sources) >= 7 and sources <= names


@needs_compiler
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_no_memory_is_misused(tmp_path: Path) -> None:
    """The tests of what is written in C, once more under AddressSanitizer and UBSan."""
    libraries = [
        subprocess.run(
            [str(COMPILER), f"-print-file-name={name}"], capture_output=True, text=True
        ).stdout.strip()
        for name in ("libasan.so", "libubsan.so")
    ]
    if not all(os.path.isabs(library) for library in libraries):
        pytest.skip("the sanitizers' libraries are needed")
    for name in ("eplogging", "tests", "pyproject.toml"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, tmp_path / name, ignore=shutil.ignore_patterns("*.so", "__pycache__"))
        else:
            shutil.copy(source, tmp_path)
    for source in SOURCES:
        target = tmp_path / source.relative_to(ROOT)
        compile_to(target.with_name(target.stem + SUFFIX), source, *SANITIZERS)
    tests = ("conformance/test_warm.py", "conformance/test_properties.py", "test_intake.py", "test_tally.py")
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *(f"tests/unit/{test}" for test in tests)],
        cwd=tmp_path,
        env={
            **os.environ,
            "LD_PRELOAD": ":".join(libraries),
            "ASAN_OPTIONS": "detect_leaks=0",  # Python leaves its own to the system
            "PYTHONMALLOC": "malloc",
        },
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0 and " passed" in done.stdout, done.stdout + done.stderr
