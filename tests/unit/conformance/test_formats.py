"""Formats as AJV 6 judges them in its fast mode; the expectations were computed with node."""

import json
from pathlib import Path

import pytest

from eplogging.conformance.bundling import Bundle
from eplogging.conformance.formats import CHECKS
from eplogging.conformance.validation import compile_validator
from tests.unit.conformance.world import both_implementations

VECTORS = json.loads(Path(__file__).with_name("format_vectors.json").read_text())


@pytest.mark.parametrize("name", sorted(CHECKS))
def test_format(name):
    expected = [text for text, formats in VECTORS.items() if name in formats.split()]
    assert expected
    assert [text for text in VECTORS if CHECKS[name](text)] == expected


@both_implementations
@pytest.mark.parametrize("name", sorted(CHECKS))
def test_format_as_the_validators_judge_it(name, implementation):
    validator = compile_validator(Bundle("/t/1.0.0", {"format": name}), implementation)
    expected = [text for text, formats in VECTORS.items() if name in formats.split()]
    assert [text for text in VECTORS if validator.is_valid(text)] == expected
    assert validator.is_valid(7)


@pytest.mark.parametrize("name", sorted(set(CHECKS) - {"uri-template", "ipv6", "json-pointer", "regex"}))
def test_no_format_takes_a_trailing_newline(name):
    for text in VECTORS:
        if not text.endswith("\n"):
            assert name in ("relative-json-pointer",) or not CHECKS[name](text + "\n")
