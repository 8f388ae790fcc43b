"""Inputs from hypothesis: those of the corpus, changed here and there, JSON, and bytes that are anything."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.fuzz.targets import TARGETS
from tests.fuzz.watching import Watched

CORPUS = Path(__file__).parent / "corpus"
_BATCH = 100

_TEXTS = (
    "$ref $id # #/definitions/a pattern ^(a+)+$ maxLength uniqueItems title properties allOf not enum const "
    "default if then type items { } [ ] : , \" ' &a *a !! << --- 1e999 NaN -0 null true / .. %2e \\ // "
    "2020-02-30T00:00:00Z \\ud800 \\u0000 http:// file:/// \u2028 ( )+ schema_title topics /^a/ sample.basic "
    "message_key_fields"
)
_WORDS = [
    *_TEXTS.encode().split(b" "),
    *(b"\n", b"  ", b"- ", b"\xff", b"\x00", b"9" * 400, b"[" * 200, b'{"a":' * 200),
]


def seeds(name: str) -> list[bytes]:
    """The corpus of one target."""
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def inputs(name: str) -> st.SearchStrategy[bytes]:
    """Inputs for one target."""
    edit = st.tuples(
        st.integers(0, 2000), st.integers(0, 12), st.sampled_from(_WORDS) | st.binary(max_size=6)
    )
    values = st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
        lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
        max_leaves=12,
    )
    return (
        st.builds(_edited, st.sampled_from(seeds(name)), st.lists(edit, max_size=6))
        | values.map(lambda value: json.dumps(value).encode())
        | st.binary(max_size=300)
    )


def _edited(seed: bytes, edits: list[tuple[int, int, bytes]]) -> bytes:
    for place, removed, added in edits:
        at = place % (len(seed) + 1)
        seed = seed[:at] + added + seed[at + removed :]
    return seed


def invent(name: str, seconds: float) -> Watched:
    """Give a target inputs for so many seconds, its corpus first.

    Raises:
        Exception: what the target raised, for the smallest input that hypothesis found.
    """
    watched = Watched(name)
    for seed in seeds(name):
        watched(seed)

    @settings(max_examples=_BATCH, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(inputs(name))
    def batch(data: bytes) -> Any:
        watched(data)

    end = time.monotonic() + seconds
    while time.monotonic() < end:
        batch()
    return watched


assert set(TARGETS) == {path.name for path in CORPUS.iterdir()}, "each target has a corpus"
