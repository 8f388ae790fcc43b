"""ECMA-262 patterns mean what they mean in JavaScript; the expectations were computed with node."""

import json
import time
from pathlib import Path

import pytest

from eplogging.conformance.backtracking import written_out
from eplogging.conformance.bundling import Bundle
from eplogging.conformance.characters import PatternError
from eplogging.conformance.patterns import matcher, searcher, translate
from eplogging.conformance.validation import compile_validator
from tests.unit.conformance.world import needs_rust

VECTORS = json.loads(Path(__file__).with_name("pattern_vectors.json").read_text())
STRINGS = VECTORS["strings"]
VALID = {pattern: matched for pattern, matched in VECTORS["patterns"].items() if matched is not None}
INVALID = [pattern for pattern, matched in VECTORS["patterns"].items() if matched is None]


def fast(pattern):
    bundle = Bundle("/t/1.0.0", {"pattern": pattern}, patterns=frozenset([pattern]))
    return compile_validator(bundle, "jsonschema-rs")


@pytest.mark.parametrize("pattern", VALID)
def test_matches_what_javascript_matches(pattern):
    search = searcher(pattern)
    assert [text for text in STRINGS if search(text)] == VALID[pattern]


@needs_rust
@pytest.mark.parametrize("pattern", [pattern for pattern in VALID if pattern != r"^(a)?\1b$"])
def test_the_fast_engine_matches_the_same(pattern):
    validator = fast(pattern)
    assert [text for text in STRINGS if validator.is_valid(text)] == VALID[pattern]


@pytest.mark.parametrize("pattern", INVALID)
def test_refuses_what_javascript_refuses(pattern):
    with pytest.raises(PatternError):
        translate(pattern)


@needs_rust
@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(a|aa)*$", "^(?=a)(a+)+$", r"^(a+)+\1$"])
def test_the_fast_engine_is_not_held_up(pattern):
    validator = fast(pattern)
    start = time.perf_counter()
    assert not validator.is_valid("a" * 60 + "!")
    assert time.perf_counter() - start < 1


def test_deep_nesting_is_no_trouble():
    assert searcher("(" * 50 + "a" + ")" * 50)("a")
    assert translate("(" * 900 + "a" + ")" * 900)
    with pytest.raises(PatternError, match="40,001 characters, and 2,000 are allowed"):
        translate("(" * 20_000 + "a" + ")" * 20_000)


def test_what_is_counted_is_bounded():
    assert searcher("^a{1,65535}$")("a")
    with pytest.raises(PatternError, match="count to more than 70,000 together"):
        translate("a{60000}b{60000}")


@needs_rust
def test_what_rusts_engine_does_not_take_goes_to_pythons():
    pattern = "^.{1,65535}$"
    assert [text for text in ("", "a", "a\n") if fast(pattern).is_valid(text)] == ["a"]
    assert [found.keyword for found in fast(pattern).violations("")] == ["pattern"]


def test_a_look_behind_of_varying_width_is_refused():
    with pytest.raises(PatternError):
        searcher("(?<=a+)b")


@pytest.mark.parametrize("pattern", VALID)
def test_a_matcher_matches_the_same_whichever_engine_it_has(pattern):
    matches = matcher(pattern)
    assert [text for text in STRINGS if matches(text)] == VALID[pattern]


@pytest.mark.parametrize(
    ("pattern", "size"),
    [("abc", 3), ("a{3}", 3), ("(?:a{10}b{2,5}){20}", 300), ("a{7,}", 7), ("a|bc", 3), ("(?=a{4})[bc]*", 5)],
)
def test_what_a_pattern_has_when_it_is_written_out(pattern, size):
    assert written_out(pattern) == size
