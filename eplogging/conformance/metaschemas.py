"""Whether a document is a JSON schema at all, under the metaschema that its `$schema` names.

Versioned schemas spell the metaschema in several ways, and a validator that guesses the draft
from the spelling guesses wrong; here the draft is chosen once, before any validator sees it.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema_specifications import REGISTRY

from .bundling import Bundle, bundle_schema
from .errors import SchemaError
from .forking import unforked
from .validation import Implementation, Validator, compile_validator

MAX_DEPTH = 100
"""Levels of nesting that a schema may have; real ones have at most 11 levels of schemas."""

_DRAFTS = ("draft-07", "draft-06", "draft-04")
_SPELLING = re.compile(r"https?://json-schema\.org/(draft-0[467])/schema#?")


def draft_of(uri: str, document: Mapping[str, Any]) -> str:
    """The draft a document is written in; draft-07 where it does not say (AJV's default).

    Raises:
        SchemaError: `$schema` names something else.
    """
    named = document.get("$schema")
    if named is None or named == "":
        return "draft-07"
    spelling = _SPELLING.fullmatch(named) if isinstance(named, str) else None
    if spelling is None:
        raise SchemaError(
            f"schema {uri}: its $schema {str(named)[:200]!r} is no metaschema that is supported; use"
            " https://json-schema.org/draft-07/schema#",
            schema_uri=uri,
        )
    return spelling[1]


def check_schema(
    uri: str,
    node: Any,
    document: Mapping[str, Any],
    implementation: Implementation | None = None,
) -> None:
    """Refuse what is no schema: a document, or a part of one that a `$ref` names.

    Raises:
        SchemaError: too deep, of an unknown draft, or not valid under its metaschema.
    """
    if _deeper_than(node, MAX_DEPTH):
        raise SchemaError(
            f"schema {uri} is nested more than {MAX_DEPTH} levels deep; make it flatter", schema_uri=uri
        )
    with unforked():  # a child would wait for ever for what jsonschema-rs then holds locked
        violations = _validator(draft_of(uri, document), implementation).violations(node)
    if violations:
        raise SchemaError(
            f"schema {uri} is no valid JSON schema: at {violations[0]}; correct it", schema_uri=uri
        )


@lru_cache
def _validator(draft: str, implementation: Implementation | None) -> Validator:
    return compile_validator(_metaschema(draft), implementation)


def _metaschema(draft: str) -> Bundle:
    document = copy.deepcopy(REGISTRY.contents(f"http://json-schema.org/{draft}/schema"))
    assert isinstance(document, dict)
    # AJV's copies ask for this in every draft
    document["properties"]["enum"] |= {"minItems": 1, "uniqueItems": True}
    return bundle_schema(f"http://json-schema.org/{draft}/schema", document, _nothing_else)


def _nothing_else(uri: str) -> Mapping[str, Any]:
    raise AssertionError(f"a metaschema refers to {uri}")


def _deeper_than(value: Any, levels: int) -> bool:
    """Measured breadth first, so that a hostile depth can not exhaust the stack."""
    layer = [value]
    for _ in range(levels):
        layer = [inner for outer in layer for inner in _values(outer)]
        if not layer:
            return False
    return True


def _values(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        return [inner for inner in value.values() if isinstance(inner, (Mapping, list))]
    if isinstance(value, list):
        return [inner for inner in value if isinstance(inner, (Mapping, list))]
    return []
