"""Every row of the list of hostile input has a test that is named by the row's id."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.support.processes import ROOT

LIST = ROOT.parent / "shared" / "hostile-input.md"
_NAMED = re.compile(r"def test_([sce]\d+)_|\"([SCE]\d+) ")


def test_every_row_has_a_test() -> None:
    if not LIST.is_file():
        pytest.skip("the list (../shared/hostile-input.md) is not here")
    rows = re.findall(r"^\| ([SCE]\d+) \|", LIST.read_text(encoding="utf-8"), re.MULTILINE)
    tests = "".join(path.read_text(encoding="utf-8") for path in Path(__file__).parent.glob("test_*.py"))
    named = {name.upper() for found in _NAMED.findall(tests) for name in found}
    assert len(rows) == 39
    assert set(rows) - named == set()
