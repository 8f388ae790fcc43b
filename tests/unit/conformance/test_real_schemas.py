"""The schema repositories and stream configs of Wikimedia as they are: all compile, all examples conform."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import ConformanceError, Conformer, SchemaError
from eplogging.conformance.documents import parse
from tests.unit.conformance.world import both_validators

BASE = "no schema repository has the schema /analytics/product_metrics/app/base/1.2.1"
TOOLS_ONLY = "properties/$ref: must be object or boolean"
UNUSABLE = {
    "/analytics/mobile_apps/product_metrics/android_article_toc_interaction/current.yaml": BASE,
    "/analytics/mobile_apps/product_metrics/android_find_in_page_interaction/current.yaml": BASE,
    "/fragment/rdf_streaming_updater/side_output_common/current.yaml": TOOLS_ONLY,
}
"""Sources that refer to a schema that is not among the data, or in a way that no validator knows."""

CURRENT = {(): 10, ("additionalProperties",): 68}
"""By broken keywords, the examples of sources: parts of an `allOf` there forbid each other's fields, and only
the versioned files have them merged. AJV 6.15 was asked once: the same 78 verdicts, places and keywords."""


def repositories(wmf: Path) -> list[Path]:
    return [wmf / name / "jsonschema" for name in ("primary", "secondary")]


def uris(wmf: Path, *, current: bool) -> list[str]:
    """Schema URIs of the versioned files, or of the sources that they are made from."""
    found = []
    for repository in repositories(wmf):
        for path in sorted(repository.rglob("*.yaml")):
            if path.stem != "latest" and (path.stem == "current") is current:
                uri = "/" + path.relative_to(repository).as_posix()
                found.append(uri if current else uri.removesuffix(".yaml"))
    return found


def examples(wmf: Path, uri: str) -> list[dict[str, Any]]:
    for repository in repositories(wmf):
        path = repository / (uri[1:] if uri.endswith(".yaml") else uri[1:] + ".yaml")
        if path.is_file():
            return list(parse(path.read_bytes()).get("examples", ()))
    raise AssertionError(uri)


@both_validators
@pytest.mark.parametrize("current", [False, True], ids=["versioned", "current"])
def test_all_schemas_compile_and_their_examples_are_valid(current: bool, validator: str, wmf: Path) -> None:
    """Sources are named by the configuration alone; their `$ref`s lead from secondary to primary, too."""
    sources = uris(wmf, current=current)
    conformer = Conformer(
        repositories(wmf),
        {},
        schema_precache_uris=sources,
        schema_file_extension=".yaml",
        validator=validator,  # type: ignore[arg-type]
    )
    failed = {error.schema_uri or "": str(error) for error in conformer.precache()}
    assert sorted(failed) == (sorted(UNUSABLE) if current else [])
    assert all(UNUSABLE[uri] in text for uri, text in failed.items())
    judged: Counter[tuple[str, ...]] = Counter()
    for uri in sources:
        # the examples of fragments are no events
        for example in (
            example for example in examples(wmf, uri) if "$schema" in example and uri not in failed
        ):
            found = conformer.violations({**example, "$schema": uri})
            judged[tuple(sorted({violation.keyword for violation in found}))] += 1
    assert judged == (CURRENT if current else {(): 219})


def test_secondary_needs_the_fragments_of_primary(wmf: Path) -> None:
    sources = [uri for uri in uris(wmf, current=True) if (repositories(wmf)[1] / uri[1:]).is_file()]
    alone = Conformer(repositories(wmf)[1:], {}, schema_precache_uris=sources)
    failed = {error.schema_uri: error for error in alone.precache() if error.schema_uri not in UNUSABLE}
    assert len(failed) > 10
    assert all(
        type(error) is SchemaError and "no schema repository has the schema /fragment/" in str(error)
        for error in failed.values()
    )
    both = Conformer(repositories(wmf), {}, schema_precache_uris=list(failed))  # type: ignore[arg-type]
    assert both.precache() == []


@both_validators
def test_every_example_that_a_stream_allows_becomes_a_message(validator: str, wmf: Path) -> None:
    configs = json.loads((wmf / "streamconfigs.json").read_text("utf-8"))["streams"]
    conformer = Conformer(
        repositories(wmf),
        wmf / "streamconfigs.json",
        topic_prefix="eqiad.",
        validator=validator,  # type: ignore[arg-type]
    )  # fmt: skip
    by_title: dict[str, list[str]] = {}
    for name, settings in configs.items():
        if not name.startswith("/"):
            by_title.setdefault(settings.get("schema_title", ""), []).append(name)
    sent, refused = 0, []
    for uri in uris(wmf, current=False):
        for example in examples(wmf, uri):
            for name in by_title.get(uri.rpartition("/")[0][1:], ()):
                event = {**example, "$schema": uri, "meta": {**example["meta"], "stream": name}}
                try:
                    message = conformer.conform(event)
                except ConformanceError as error:
                    refused.append((uri, name, error.reason))
                    continue
                sent += 1
                assert message.topic in configs[name]["topics"]
                fields = configs[name].get("message_key_fields") or {}
                assert (message.key is None) is (not fields)
                assert list(json.loads(message.key or b"{}")) == list(fields)
                assert conformer.violations(json.loads(message.value)) == []
    assert sent > 100
    assert [row for row in refused if row[2] != "message_key_missing"] == []
