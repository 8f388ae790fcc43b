"""Real schemas with their examples, each paired with a stream that allows it."""

from __future__ import annotations

import copy
import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import yaml

_VERSION = re.compile(r"\d+\.\d+\.\d+")
REPOSITORIES = ("primary/jsonschema", "secondary/jsonschema")


class _JSONLoader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
    """YAML without dates: a schema's text stays a text."""


_JSONLoader.yaml_implicit_resolvers = {
    letter: [(tag, pattern) for tag, pattern in resolvers if tag != "tag:yaml.org,2002:timestamp"]
    for letter, resolvers in _JSONLoader.yaml_implicit_resolvers.items()
}


class Example(NamedTuple):
    """An example event, as it is logged, beside what it is judged by."""

    uri: str
    event: dict[str, Any]
    schema: dict[str, Any]
    stream: str
    stream_config: dict[str, Any]


def stream_configs(wmf: Path) -> dict[str, Any]:
    configs: dict[str, Any] = json.loads((wmf / "streamconfigs.json").read_text())["streams"]
    return configs


def examples(wmf: Path) -> list[Example]:
    """Every example of every versioned schema whose title a stream allows, once for each stream."""
    by_title: dict[str, list[tuple[str, dict[str, Any]]]] = defaultdict(list)
    for name, config in stream_configs(wmf).items():
        by_title[config.get("schema_title", "")].append((_a_name_for(name), config))
    found = []
    for repository in REPOSITORIES:
        root = wmf / repository
        for path in sorted(root.rglob("*.yaml")):
            if _VERSION.fullmatch(path.stem):
                schema = yaml.load(path.read_text(), Loader=_JSONLoader)
                uri = f"/{path.relative_to(root).with_suffix('').as_posix()}"
                for stream, config in by_title.get(schema.get("title", ""), ()):
                    found += [Example(uri, e, schema, stream, config) for e in _events(schema, uri, stream)]
    return found


def _a_name_for(name: str) -> str:
    """A stream's name; for the one regex among them, a name that it matches."""
    if not name.startswith("/"):
        return name
    return re.sub(r"\(.*\)\?", "", name.strip("/").strip("^$")).replace("\\", "")


def _events(schema: dict[str, Any], uri: str, stream: str) -> list[dict[str, Any]]:
    """The examples, to be sent to a stream by the URI that the file has."""
    events = copy.deepcopy(schema.get("examples") or [])
    for event in events:
        event["$schema"] = uri
        event["meta"]["stream"] = stream
    return events
