"""A small world for the conformance core to work in: schemas, stream configs and a clock that stands."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import fields, instants

HERE = Path(__file__).parent
VECTORS = HERE / "vectors"
REPOSITORY = VECTORS / "repository"
STREAMS = VECTORS / "streams.yaml"

NOW = 1_600_000_000_123
NOW_TEXT = "2020-09-13T12:26:40.123Z"
NEW_ID = "11111111-2222-4333-8444-555555555555"

needs_rust = pytest.mark.skipif(find_spec("jsonschema_rs") is None, reason="jsonschema-rs is not installed")
needs_fast = pytest.mark.skipif(
    find_spec("jsonschema_rs") is None or find_spec("orjson") is None,
    reason="the extra fast is not installed",
)
IMPLEMENTATIONS = ["jsonschema"] + ["jsonschema-rs"] * (find_spec("jsonschema_rs") is not None)
both_implementations = pytest.mark.parametrize(
    "implementation", ["jsonschema", pytest.param("jsonschema-rs", marks=needs_rust)]
)
both_validators = pytest.mark.parametrize(
    "validator", ["jsonschema", pytest.param("jsonschema-rs", marks=needs_rust)]
)

EVENT_SCHEMA = {
    "title": "test/event",
    "type": "object",
    "properties": {"$schema": {"type": "string"}, "meta": {"type": "object"}},
}


def write(directory: Path, uri: str, content: Any) -> Path:
    """Put a document at a schema URI of a repository: text as it is, anything else as JSON."""
    path = directory / uri.strip("/")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")
    return path


def event(schema: str = "/test/event/1.0.0", stream: str = "test.event", **fields: Any) -> dict[str, Any]:
    """A small event."""
    return {"$schema": schema, "meta": {"stream": stream}, **fields}


def stand_still(patch: pytest.MonkeyPatch) -> None:
    """For conformers that are made from now on: in C they keep what they are given here."""
    patch.setattr(instants, "clock", lambda: (NOW + 0.5) / 1000)
    patch.setattr(fields, "ids", [])
    patch.setattr(fields, "new_id", lambda: NEW_ID)
