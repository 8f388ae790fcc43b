"""All verdicts of EventGate's own validator, reached through `Conformer.violations`, with both validators.

The differences that are wanted are named here, each with its reason; anything else fails.
"""

from __future__ import annotations

import gzip
import json
from collections import Counter
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import ConformanceError, Conformer, SchemaURIError, Violation
from tests.unit.conformance.world import both_validators

REFUSED_FORMS = (".yaml", "#", "/latest")
"""Forms of a schema URI that EventGate takes and that are refused here, as nobody publishes under them."""

IMPOSSIBLE = {
    "2020-02-30T00:00:00Z": "no such day",
    "2020-13-01T00:00:00Z": "no such month",
    "2020-19-39T00:00:00Z": "no such month and day",
    "2020-07-01T24:00:00Z": "no such hour",
    "2020-07-01T29:59:59Z": "no such hour",
    "2020-07-01T00:00:00+99:99": "no such offset",
    "0000-01-01T00:00:00Z": "no such year",
}
"""What EventGate takes in `dt` and `meta.dt`, and no consumer could read as an instant."""

WANTED = {"a refused form of a schema URI": 3 * 194, "an impossible instant": 7 * 349}
"""How often each reason occurs in the file; numbers beyond 2^53 make no difference to any verdict of it."""


@lru_cache
def verdicts(path: Path) -> list[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]


def conformer(wmf: Path, validator: str) -> Conformer:
    bases = [wmf / name / "jsonschema" for name in ("primary", "secondary")]
    return Conformer(bases, {}, validator=validator)  # type: ignore[arg-type]


def wanted_difference(verdict: dict[str, Any], found: list[Violation] | ConformanceError) -> str | None:
    """The reason why an event is judged otherwise than by EventGate, where there is a good one."""
    event = verdict["event"]
    if isinstance(found, SchemaURIError) and event["$schema"].endswith(REFUSED_FORMS):
        return "a refused form of a schema URI"
    if isinstance(found, ConformanceError) or not verdict["valid"]:
        return None
    given = {"/dt": event.get("dt"), "/meta/dt": event["meta"].get("dt")}
    impossible = [
        violation.keyword == "format" and given.get(violation.path) in IMPOSSIBLE for violation in found
    ]
    return "an impossible instant" if all(impossible) else None


@pytest.mark.timeout(300)
@both_validators
def test_every_verdict(validator: str, wmf: Path) -> None:
    judge = conformer(wmf, validator)
    wanted: Counter[str] = Counter()
    different: list[tuple[str, Any]] = []
    judged = 0
    for verdict in verdicts(wmf / "eventgate-verdicts.ndjson.gz"):
        judged += 1
        error = verdict.get("error")
        try:
            found: list[Violation] | ConformanceError = judge.violations(verdict["event"])
        except ConformanceError as refusal:
            found = refusal
        refused = isinstance(found, ConformanceError)
        if error in ("schema", "schema_uri"):
            same = refused
        else:
            same = not refused and (found == []) is verdict["valid"]
        if not same:
            reason = wanted_difference(verdict, found)
            if reason is None:
                different.append((verdict["id"], found))
            else:
                wanted[reason] += 1
    assert not different, (len(different), different[:10])
    assert judged == 39_926
    assert wanted == WANTED


@both_validators
def test_the_defaults_that_eventgate_fills_in(validator: str, wmf: Path) -> None:
    judge = conformer(wmf, validator)
    filled = 0
    for verdict in verdicts(wmf / "eventgate-verdicts.ndjson.gz"):
        uri = verdict["event"].get("$schema")
        if verdict["valid"] and not uri.endswith(REFUSED_FORMS):
            before = json.dumps(verdict["event"])
            schema = judge._schemas.get(uri)
            fill = schema.compiled.fill_defaults
            with_defaults = verdict["event"] if fill is None else fill(verdict["event"])
            assert with_defaults == verdict.get("with_defaults", verdict["event"]), verdict["id"]
            assert json.dumps(verdict["event"]) == before
            filled += "with_defaults" in verdict
    assert filled == 3


def test_both_validators_name_the_same_places(wmf: Path) -> None:
    pytest.importorskip("jsonschema_rs")
    fast, slow = conformer(wmf, "jsonschema-rs"), conformer(wmf, "jsonschema")
    compared = 0
    for verdict in verdicts(wmf / "eventgate-verdicts.ndjson.gz"):
        if verdict.get("error") == "validation" and not verdict["event"]["$schema"].endswith(REFUSED_FORMS):
            assert fast.violations(verdict["event"]) == slow.violations(verdict["event"]), verdict["id"]
            compared += 1
    assert compared > 20_000


@both_validators
def test_valid_events_become_messages_that_are_valid(validator: str, wmf: Path) -> None:
    """Fields that are set and defaults make no valid event invalid; what is sent is judged once more."""
    valid = [
        verdict["event"] for verdict in verdicts(wmf / "eventgate-verdicts.ndjson.gz") if verdict["valid"]
    ]
    events = [event for event in valid if not event["$schema"].endswith(REFUSED_FORMS)]
    titles = {
        uri: conformer(wmf, validator)._schemas.get(uri).title for uri in {e["$schema"] for e in events}
    }
    names = {title: f"test.{number}" for number, title in enumerate(sorted(set(titles.values())))}
    bases = [wmf / name / "jsonschema" for name in ("primary", "secondary")]
    configs = {name: {"schema_title": title} for title, name in names.items()}
    whole = Conformer(bases, configs, validator=validator)  # type: ignore[arg-type]
    sent = 0
    for event in events[:: 1 if validator == "jsonschema-rs" else 25]:
        meta = event.get("meta")
        if isinstance(meta, dict):
            mine = {**event, "meta": {**meta, "stream": names[titles[event["$schema"]]]}}
            try:
                message = whole.conform(mine)
            except ConformanceError:
                assert whole.violations(mine)
            else:
                assert whole.violations(json.loads(message.value)) == []
                assert message.topic == mine["meta"]["stream"]
                sent += 1
    assert sent > len(events) / 30
