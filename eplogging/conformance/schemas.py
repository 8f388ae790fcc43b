"""Schema repositories: from an event's `$schema` to a compiled schema, looked up once (R1).

A versioned schema never changes, so a compiled one is kept for good; a URI that no repository
knows is remembered for a while, so that bad events cost no request each.
"""

from __future__ import annotations

import json
import os
import random
import re
import threading
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from .allowance import Allowance
from .errors import (
    ConfigurationError,
    NotCachedError,
    RejectedError,
    SchemaError,
    SchemaNotFoundError,
    SchemaUnavailableError,
    SchemaURIError,
    TooManyLookUpsError,
)
from .fields import FieldRules
from .forking import imported, reset_after_fork
from .resources import Reader, ResourceInvalid, ResourceUnavailable, is_url, to_path
from .secrets import shown

if TYPE_CHECKING:
    from .compiled import CompiledSchema

MAX_SCHEMA_BYTES = 256 * 1024
"""The largest of Wikimedia's 510 schemas has 29.5 KB."""

_NOT_FOUND_TTL = 60.0
"""Seconds that a URI which led nowhere is remembered, more or less, lest all fall due at once."""

_MAX_REMEMBERED = 1000
_MAX_NOWHERE = 100
"""Look-ups in a minute that may lead nowhere: whoever makes up schema URIs gets no request each."""

_MAX_LINKS = 3

_MAX_REFERRED = 4 * 1024 * 1024
"""Bytes, as JSON, of all that one schema may refer to: Wikimedia's largest fragment has 24 KB."""

_MAX_SECONDS = 30.0
"""Seconds in which everything that one schema refers to must have come: each answer may take some."""

_NAME = r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}"
_VERSION = r"(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})\.(?:0|[1-9][0-9]{0,8})"
_SCHEMA_URI = re.compile(rf"/?(?:{_NAME}/)+{_VERSION}", re.ASCII)
_REFERENCE = re.compile(rf"/(?:{_NAME}/)*{_NAME}", re.ASCII)
_LINK = re.compile(_NAME, re.ASCII)
_MAX_URI = 512


class Schema(NamedTuple):
    """A schema that events are judged by; what is in C reads it by position.

    Attributes:
        title: the schema's `title`.
        rules: which fields a producer may set in events of this schema.
        vouches: see `CompiledSchema`.
        fill_defaults: likewise.
        compiled: the whole of it.
    """

    title: str
    rules: FieldRules
    vouches: Callable[[Any], bool] | None
    fill_defaults: Callable[[dict[str, Any]], dict[str, Any]] | None
    compiled: CompiledSchema


class _Repository:
    """One base URI: a directory, or the address of a server."""

    def __init__(self, base_uri: str | os.PathLike[str], reader: Reader) -> None:
        self.base_uri = os.fspath(base_uri)
        self.shown = shown(self.base_uri)
        self._reader = reader
        self._directory: Path | None = None
        if not self.base_uri:
            raise ConfigurationError(
                "schema_base_uris: a schema repository is an empty text; give its path or URI"
            )
        if is_url(self.base_uri):
            reader.prepare()
        else:
            self._directory = to_path(base_uri)
            if not self._directory.is_dir():
                raise ConfigurationError(
                    f"schema_base_uris: {self.shown!r} is no directory; give the directory of a schema "
                    "repository that its schema URIs start from (often .../jsonschema)"
                )

    def read(self, uri: str) -> Any | None:
        """The document at a URI of this repository, or None; links checked out as text are followed."""
        for _ in range(_MAX_LINKS):
            document = self._read_once(uri)
            if not isinstance(document, str):
                return document
            # Git writes a link as a file that holds its target where the file system has no links.
            if not _LINK.fullmatch(document):
                break
            uri = uri.rpartition("/")[0] + "/" + document
        raise ResourceInvalid(f"{self.shown}{uri} holds a text where a schema should be")

    def _read_once(self, uri: str) -> Any | None:
        if self._directory is None:
            return self._reader.url(self.base_uri.rstrip("/") + uri, MAX_SCHEMA_BYTES)
        path = os.path.realpath(self._directory / uri.lstrip("/"))
        root = os.path.realpath(self._directory)
        if os.path.commonpath((root, path)) != root:
            raise ResourceInvalid(f"{self.shown}{uri} is a link that leads out of its schema repository")
        return self._reader.file(Path(path), MAX_SCHEMA_BYTES)


class _Referred:
    """What one schema refers to, within bounds: whoever answers could refer ever on, and slowly.

    Args:
        load: gives the document at a URI.
    """

    def __init__(self, load: Callable[[str], Mapping[str, Any]]) -> None:
        self.uris: list[str] = []
        self._load = load
        self._left = _MAX_REFERRED
        self._until = time.monotonic() + _MAX_SECONDS

    def __call__(self, uri: str) -> Mapping[str, Any]:
        if time.monotonic() > self._until:  # what has come is kept, so the next try gets further
            raise SchemaUnavailableError(
                f"what the schema refers to did not come within {_MAX_SECONDS:g} seconds; it is tried again"
            )
        self.uris.append(uri)
        document = self._load(uri)
        self._left -= len(json.dumps(document))
        if self._left < 0:
            raise SchemaError(
                f"what the schema refers to is larger than {_MAX_REFERRED:,} bytes together; refer to less"
            )
        return document


class Schemas:
    """Compiled schemas by schema URI.

    Safe from any thread. `get` with `cached_only` takes no lock and does not wait; without it, it
    may wait for a repository, and each schema is fetched once however many threads ask.

    Args:
        base_uris: schema repositories, in order of look-up: paths, `file://` or `http(s)://`.
        reader: reads the documents.
        file_extension: such as `.yaml`; tried after the bare URI.
        allow_absolute: whether an event may name its schema by a `http(s)://` URI of its own.
        allow_insecure: whether schemas that could make validation slow are used.
        opted_in: schema URIs that the configuration names itself, so that they need no version.
        implementation: the validator to use; the fastest that is installed, if not given.

    Raises:
        ConfigurationError: no base URI, or one that is no directory and no URL.
    """

    def __init__(
        self,
        base_uris: Iterable[str | os.PathLike[str]],
        reader: Reader,
        *,
        file_extension: str | None = None,
        allow_absolute: bool = False,
        allow_insecure: bool = False,
        opted_in: Iterable[str] = (),
        implementation: Any = None,
    ) -> None:
        self._reader = reader
        self._repositories = [_Repository(base_uri, reader) for base_uri in base_uris]
        if not self._repositories:
            raise ConfigurationError("schema_base_uris: at least one schema repository is needed")
        self._file_extension = file_extension
        self._allow_absolute = allow_absolute
        if allow_absolute:
            reader.prepare()
        self._allow_insecure = allow_insecure
        self._opted_in = frozenset(opted_in)
        self._implementation = implementation
        self.known: dict[str, Schema] = {}
        self._nowhere = Allowance(_MAX_NOWHERE, 60.0)
        self._refused: dict[str, tuple[float, Callable[[], RejectedError]]] = {}
        self._documents: dict[str, Any] = {}
        self._locks: dict[str, threading.RLock] = {}
        self._fetching: dict[str, threading.RLock] = {}
        reset_after_fork(self._unlock)

    def get(self, uri: str, *, cached_only: bool = False) -> Schema:
        """The compiled schema of a schema URI.

        Args:
            uri: an event's `$schema`.
            cached_only: look nothing up.

        Raises:
            SchemaURIError: the URI may not be looked up.
            SchemaNotFoundError: no repository has it.
            SchemaError: it can not be used.
            TooManyLookUpsError: it is not known, and too many look-ups of late led nowhere.
            SchemaUnavailableError: a repository that may have it could not be asked.
            NotCachedError: it was not looked up yet, and `cached_only` is set.
        """
        schema = self.known.get(uri)
        if schema is not None:
            return schema
        self._raise_refused(uri)
        self._check(uri)
        if uri not in self._opted_in and self._nowhere.is_spent(time.monotonic()):
            raise TooManyLookUpsError(
                f"the schema {uri} is not known, and {_MAX_NOWHERE} look-ups of the last minute led nowhere; "
                "check the events' $schema, or name this schema in schema_precache_uris",
                schema_uri=uri,
            )
        if cached_only:
            raise NotCachedError(f"the schema {uri} was not looked up yet", schema_uri=uri)
        with self._locks.setdefault(uri, threading.RLock()):
            try:
                self._raise_refused(uri)
                return self.known.get(uri) or self._look_up(uri)
            finally:
                self._locks.pop(uri, None)

    def _unlock(self) -> None:
        self._locks = {}
        self._fetching = {}

    def _raise_refused(self, uri: str) -> None:
        refused = self._refused.get(uri)
        if refused is not None and time.monotonic() < refused[0]:
            raise refused[1]()

    def _check(self, uri: str) -> None:
        if len(uri) <= _MAX_URI:
            if _SCHEMA_URI.fullmatch(uri) or uri in self._opted_in:
                return
            if is_url(uri) and self._allow_absolute:
                return
        if "://" in uri[:16] or uri.startswith("//"):
            raise SchemaURIError(
                f"$schema {uri[:100]!r} is absolute, and absolute schema URIs are not allowed; use the part "
                "below the schema repository, such as /test/event/1.0.0, or set allow_absolute_schema_uris",
                schema_uri=uri,
            )
        raise SchemaURIError(
            f"$schema {uri[:100]!r} is no schema URI; it must be a path of names with a version at the end, "
            "such as /test/event/1.0.0, without extension, fragment or 'latest'",
            schema_uri=uri,
        )

    def _look_up(self, uri: str) -> Schema:
        referred = _Referred(self._referred)
        try:
            document = self._document(uri)
            schema = self._compile(uri, document, referred)
        except RejectedError as error:
            error.schema_uri = uri
            for one in (uri, *referred.uris):
                self._documents.pop(one, None)  # so that it is read again once it is mended
            kind, text = type(error), str(error)
            if len(self._refused) >= _MAX_REMEMBERED:
                self._refused.clear()
            now = time.monotonic()
            self._nowhere.spend(now)
            # no secret: it spreads look-ups
            until = now + _NOT_FOUND_TTL * random.uniform(0.8, 1.2)  # nosec B311
            self._refused[uri] = (until, lambda: kind(text, schema_uri=uri))
            raise
        self.known[uri] = schema
        return schema

    def _compile(self, uri: str, document: Any, referred: _Referred) -> Schema:
        if not isinstance(document, Mapping):
            raise SchemaError(f"the schema {uri} is no JSON object; a schema needs at least title and type")
        compiled: CompiledSchema = imported("eplogging.conformance.compiled").compile_schema(
            uri,
            document,
            referred,
            allow_insecure=self._allow_insecure,
            implementation=self._implementation,
        )
        rules = FieldRules(
            dt=compiled.allows(("dt",)),
            meta_dt=compiled.allows(("meta", "dt")),
            meta_id=compiled.allows(("meta", "id")),
            declares=compiled.declares,
        )
        return Schema(compiled.title, rules, compiled.vouches, compiled.fill_defaults, compiled)

    def _referred(self, uri: str) -> Mapping[str, Any]:
        """A schema that another one refers to; only URIs within the schema repositories lead anywhere."""
        if not _REFERENCE.fullmatch(uri) or len(uri) > _MAX_URI:
            raise SchemaError(
                f"$ref to {uri[:100]!r} leads out of the schema repositories; refer to a path such as "
                "/fragment/common/1.0.0#"
            )
        try:
            document = self._document(uri)
        except SchemaNotFoundError as error:
            raise SchemaError(f"$ref leads nowhere: {error}") from None
        if not isinstance(document, Mapping):
            raise SchemaError(f"$ref to {uri} leads to something that is no schema")
        return document

    def _document(self, uri: str) -> Any:
        """A document, fetched once even where schemas that other threads compile refer to it too."""
        with self._fetching.setdefault(uri, threading.RLock()):
            try:
                document = self._documents.get(uri)
                if document is None:
                    document = self._read(uri)
                    if len(self._documents) >= _MAX_REMEMBERED:
                        self._documents.clear()  # they only spare requests
                    self._documents[uri] = document
                return document
            finally:
                self._fetching.pop(uri, None)

    def _read(self, uri: str) -> Any:
        if is_url(uri):
            return self._read_absolute(uri)
        path = uri if uri.startswith("/") else "/" + uri
        unavailable: list[str] = []
        for repository in self._repositories:
            try:
                for candidate in self._candidates(path):
                    document = repository.read(candidate)
                    if document is not None:
                        return document
            except ResourceUnavailable as error:
                unavailable.append(str(error))
            except ResourceInvalid as error:
                raise SchemaError(f"the schema {uri} can not be used: {error}") from None
        if unavailable:
            raise SchemaUnavailableError(
                f"the schema {uri} could not be looked up, and is tried again: {'; '.join(unavailable)}",
                schema_uri=uri,
            )
        tried = ", ".join(repository.shown for repository in self._repositories)
        names = " or ".join(self._candidates(path))
        extension = (
            "" if self._file_extension else ", set schema_file_extension where its file has one (.yaml)"
        )
        raise SchemaNotFoundError(
            f"no schema repository has the schema {uri} (asked: {tried}; for {names}); check the event's "
            f"$schema{extension}, or add the repository that has it to schema_base_uris",
            schema_uri=uri,
        )

    def _read_absolute(self, uri: str) -> Any:
        try:
            bases = [repository.base_uri.rstrip("/") + "/" for repository in self._repositories]
            foreign = not uri.startswith(tuple(bases))
            document = self._reader.url(uri, MAX_SCHEMA_BYTES, foreign)
        except ResourceUnavailable as error:
            raise SchemaUnavailableError(
                f"the schema {uri} could not be looked up: {error}", schema_uri=uri
            ) from error
        except ResourceInvalid as error:
            raise SchemaError(f"the schema {uri} can not be used: {error}") from None
        if document is None:
            raise SchemaNotFoundError(
                f"there is no schema at {uri}; check the event's $schema", schema_uri=uri
            )
        return document

    def _candidates(self, path: str) -> Iterable[str]:
        yield path
        last = urlsplit(path).path.rpartition("/")[2]
        if self._file_extension and not last.endswith((".yaml", ".yml", ".json")):
            yield path + self._file_extension
