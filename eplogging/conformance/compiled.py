"""From a schema document to everything the rest needs to know about it, worked out once."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from .bundling import Bundle, Load, Node, bundle_schema
from .complexity import refuse_costly
from .defaults import compile_defaults, refuse_unsendable
from .errors import SchemaError, SchemaNotFoundError, UnavailableError, Violation
from .metaschemas import check_schema
from .notices import LOG, described, tell
from .patterns import matcher
from .scopes import schema_id
from .secure import refuse_insecure
from .validation import Implementation, Validator, compile_validator, refuse_explosive_patterns

Path = tuple[str, ...]


@dataclass(frozen=True)
class CompiledSchema:
    """A schema, ready to judge and complete events.

    Attributes:
        uri: the schema URI it was looked up by.
        title: its title, which a stream config names (R3).
        validator: judges events (R6).
        is_valid: the validator's own method.
        violations: likewise, bound once, as is `vouches`.
        vouches: True only for a valid event that is plain JSON data, which every encoder writes
            alike; None where the validator can not tell.
        fill_defaults: fills in the schema's defaults, or None where it has none.
        bundle: the self-contained schema.
    """

    uri: str
    title: str
    validator: Validator
    fill_defaults: Callable[[dict[str, Any]], dict[str, Any]] | None
    bundle: Bundle
    is_valid: Callable[[Any], bool] = field(init=False)
    violations: Callable[[Any], list[Violation]] = field(init=False)
    vouches: Callable[[Any], bool] | None = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "is_valid", self.validator.is_valid)
        object.__setattr__(self, "violations", self.validator.violations)
        object.__setattr__(self, "vouches", getattr(self.validator, "vouches", None))

    def declares(self, path: Path) -> bool:
        """Whether some `properties`, reached also through `allOf` and `$ref`, names this path."""
        nodes = list(self._together(self.bundle.schema))
        for name in path:
            declared = [node["properties"][name] for node in nodes if name in node.get("properties", {})]
            if not declared or False in declared:
                return False
            nodes = [inner for node in declared for inner in self._together(node)]
        return True

    def allows(self, path: Path) -> bool:
        """Whether a string may stand at this path, be it declared or merely not excluded."""
        schemas: list[Node] = [self.bundle.schema]
        for name in path:
            if not self._admits(schemas, "object"):
                return False
            schemas = [schema for node in schemas for part in self._together(node)
                       for schema in _schemas_for(name, part)]  # fmt: skip
        return self._admits(schemas, "string")

    def _admits(self, schemas: list[Node], kind: str) -> bool:
        if False in schemas:
            return False
        parts = [part for node in schemas for part in self._together(node)]
        types = [part["type"] for part in parts if "type" in part]
        return all(kind == named or (isinstance(named, list) and kind in named) for named in types)

    def _together(self, node: Node) -> Iterator[dict[str, Any]]:
        """A schema and all that judge the same place in any case: through `$ref` and `allOf`; each once."""
        waiting, seen = [node], set()
        while waiting:
            one = waiting.pop()
            if isinstance(one, bool) or id(one) in seen:
                continue
            seen.add(id(one))
            if "$ref" in one:
                waiting.append(self.bundle.target(one))
            else:
                yield one
                waiting += one.get("allOf", ())


def compile_schema(
    uri: str,
    document: Mapping[str, Any],
    load: Load,
    *,
    allow_insecure: bool = False,
    implementation: Implementation | None = None,
) -> CompiledSchema:
    """Compile a schema document.

    Args:
        uri: the schema URI it was looked up by.
        document: the schema.
        load: gives the document of another schema URI, for `$ref`s; raises where it may not.
        allow_insecure: take schemas that json-schema-secure refuses.
        implementation: the validator to use; the fastest that is installed if None.

    Raises:
        SchemaError: it is no schema that can be used; the message says why.
        InsecureSchemaError: it could make validation slow.
    """
    try:
        return _compile(uri, document, load, allow_insecure, implementation)
    except RecursionError as error:
        raise SchemaError(f"schema {uri} is nested too deep; make it flatter", schema_uri=uri) from error
    except SchemaNotFoundError as error:
        raise SchemaError(
            f"schema {uri} has a $ref that leads nowhere: {error}; add it, or correct the $ref",
            schema_uri=uri,
        ) from error
    except SchemaError as error:
        error.schema_uri = uri  # the one in the event, where the fault is in another that it refers to
        raise
    except (UnavailableError, MemoryError):
        raise
    except Exception as error:  # a schema may hold anything, and whoever asks for it must be told
        raise SchemaError(
            f"schema {uri} can not be compiled ({described(error)[:200]}); correct it", schema_uri=uri
        ) from error


def _compile(
    uri: str,
    document: Mapping[str, Any],
    load: Load,
    allow_insecure: bool,
    implementation: Implementation | None,
) -> CompiledSchema:
    if not isinstance(document, Mapping):
        raise SchemaError(f"schema {uri} is no object; a schema document must be one", schema_uri=uri)

    def check(place: str, node: Node, containing: Mapping[str, Any]) -> None:
        check_schema(place, node, containing, implementation)

    bundle = bundle_schema(uri, document, load, check)
    title = document.get("title")
    if not isinstance(title, str):
        raise SchemaError(f"schema {uri} has no title; add the one that stream configs name", schema_uri=uri)
    refuse_unsendable(bundle)
    refuse_costly(bundle)  # whatever is allowed: it could end the process
    if not allow_insecure:
        for place, node in bundle.sources:
            refuse_insecure(place, node)
    validator = compile_validator(bundle, implementation)
    if not allow_insecure:
        refuse_explosive_patterns(bundle)
    _warn(bundle, document)
    return CompiledSchema(
        uri,
        title,
        validator,
        compile_defaults(bundle, implementation),
        bundle,
    )


def _warn(bundle: Bundle, document: Mapping[str, Any]) -> None:
    identifier = schema_id(document)
    if identifier is not None and identifier.rstrip("#") != bundle.uri.rstrip("#"):
        text = f"schema {bundle.uri} calls itself {identifier[:200]}; it is used all the same"
        tell(LOG, logging.WARNING, text)
    if bundle.unknown_formats:
        names = ", ".join(map(repr, sorted(bundle.unknown_formats)))
        text = f"schema {bundle.uri}: the format {names[:200]} is unknown and judges nothing"
        tell(LOG, logging.WARNING, text)


def _schemas_for(name: str, node: Mapping[str, Any]) -> list[Node]:
    """The schemas that a property of this name must fit."""
    found = [node["properties"][name]] if name in node.get("properties", {}) else []
    patterns = node.get("patternProperties", {})
    found += [schema for pattern, schema in patterns.items() if matcher(pattern)(name)]
    return found or [node.get("additionalProperties", True)]
