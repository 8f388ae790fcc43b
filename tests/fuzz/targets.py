"""The places where input of others comes in, each as a function that takes any bytes.

A target returns normally, or raises one of our own errors, which is as good; everything else that
it raises is a fault.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

from eplogging.conformance import ConfigurationError, ConformanceError, Conformer, SchemaNotFoundError
from eplogging.conformance.compiled import compile_schema
from eplogging.conformance.documents import DocumentError, parse
from eplogging.errorevents import raw_event
from tests.support.application import SCHEMAS, STREAMS, basic, keywords

OURS = (ConformanceError, ConfigurationError, DocumentError)
FAST = all(find_spec(name) is not None for name in ("jsonschema_rs", "orjson"))
MAX_SECONDS = 0.05 if FAST else 1.0
MAX_INPUT = 4096

_conformer = Conformer(**keywords())


def event(data: bytes) -> None:
    """An event, as JSON that others wrote, with what JSON allows and we do not."""
    try:
        fields = json.loads(data)
    except (ValueError, RecursionError):
        return
    if not isinstance(fields, dict):
        fields = {"text": fields}
    hostile = {**basic(), **fields}
    raw_event(hostile)
    message = _conformer.conform(hostile)
    sent = json.loads(message.value, parse_constant=_no_constant)
    assert sent["$schema"] == hostile["$schema"]
    _conformer.violations(sent)


def schema(data: bytes) -> None:
    """A schema document, from a repository."""
    document: Any = parse(data)
    compiled = compile_schema("/fuzz/1.0.0", document, _nowhere)
    for instance in ({}, basic(), {"a": ["a" * 60 + "!", 1, None]}):
        compiled.violations(compiled.fill_defaults(dict(instance)) if compiled.fill_defaults else instance)


def uri(data: bytes) -> None:
    """`$schema` and `meta.stream`, which may come from a browser."""
    text = data.decode(errors="surrogateescape")
    for hostile in ({**basic(), "$schema": text}, basic(stream=text)):
        Conformer(**keywords()).conform(hostile)


def yaml(data: bytes) -> None:
    """A document of any kind."""
    value = parse(data)
    assert json.loads(json.dumps(value)) == value


def stream_config(data: bytes) -> None:
    """Stream configs, from a file or an API."""
    given = parse(data)
    conformer = Conformer(
        [SCHEMAS], given if isinstance(given, dict) else STREAMS, schema_file_extension=".yaml"
    )
    for stream in ("sample.basic", "a" * 249):
        try:
            conformer.conform(basic(stream=stream))
        except ConformanceError as error:
            assert len(str(error).encode()) <= 2000


TARGETS: dict[str, Callable[[bytes], None]] = {
    "event": event,
    "schema": schema,
    "uri": uri,
    "yaml": yaml,
    "stream_config": stream_config,
}


def _nowhere(where: str) -> Any:
    raise SchemaNotFoundError(f"{where} is nowhere")


def _no_constant(name: str) -> Any:
    raise AssertionError(f"{name} was sent")
