"""Stream configs: from an event's `meta.stream` to the settings of its stream (R2), kept up to date.

Sources are asked in order and refreshed when their time to live is over; the last good answer is
kept whenever a refresh fails, so that a source that is down stops no stream that is known.
"""

from __future__ import annotations

import logging
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import (
    ConfigurationError,
    NotCachedError,
    StreamConfigError,
    StreamConfigUnavailableError,
    StreamNameError,
    StreamNotFoundError,
)
from .forking import reset_after_fork
from .notices import LOG, tell
from .resources import Reader, ResourceInvalid, ResourceUnavailable, is_url, to_path
from .secrets import shown
from .settings import TOPIC_NAME, Stream, compile_costed, settings_of

MAX_STREAM_CONFIG_BYTES = 16 * 1024 * 1024

_UNKNOWN_TTL = 30.0
"""Seconds after which an unknown stream is worth asking again: it may have been declared since."""

_FAILED_TTL = 30.0
"""Seconds after which a source that failed is asked again, while its last good answer serves."""

_UNANSWERED_TTL = 1.0
"""The same, while it never gave a good answer; whoever waits for it makes pauses of their own."""

_MAX_RESOLVED = 10_000
_MAX_TRIES = 10_000_000
"""Small steps that all regexes of an answer may take for one name: some 0.1 s, once for each name."""

_MAX_ERROR = 500
_WRONG_SOURCE = "stream_config_uri must be a path, a URL, a mapping, or a list of these"
_RETRY_PAUSE = 0.2

Source = str | os.PathLike[str] | Mapping[str, Any]


@dataclass(frozen=True)
class _Answer:
    """One good answer of a source."""

    exact: Mapping[str, Any] = field(default_factory=dict)
    patterns: tuple[tuple[re.Pattern[str], Any], ...] = ()
    broken: tuple[str, ...] = ()  # why a name between slashes is left out


class _Source:
    """One place that stream configs come from, with its last good answer."""

    def __init__(self, location: Source, reader: Reader, retries: int) -> None:
        self.answer: _Answer | None = None
        self.asked_at = float("-inf")
        self.error = ""
        self._told: set[str] = set()
        self._reader = reader
        self._retries = retries
        self.can_be_asked = not isinstance(location, Mapping)
        self._location = "" if isinstance(location, Mapping) else os.fspath(location)
        self._path: Path | None = None
        if isinstance(location, Mapping):
            self.answer = _parse_answer(location)
            if self.answer.broken:  # it is configuration: whoever wrote it is there to mend it
                raise ConfigurationError(f"stream_config_uri: {self.answer.broken[0]}")
        elif is_url(self._location):
            reader.prepare()
        else:
            self._path = to_path(self._location)
            if not self._path.is_file():
                raise ConfigurationError(
                    f"stream_config_uri: there is no file {shown(self._location)!r}; give a YAML or JSON "
                    "file, a URL, or a mapping"
                )

    def __str__(self) -> str:
        return shown(self._location) or "the mapping given"

    def refresh(self) -> None:
        """Asks the source again; what it says replaces the last good answer, unless it says nothing."""
        try:
            self._ask()
        finally:
            self.asked_at = time.monotonic()  # not before: who comes meanwhile must wait for the answer

    def _ask(self) -> None:
        for attempt in range(1 + (0 if self._path else self._retries)):
            if attempt:
                pause = _RETRY_PAUSE * 2 ** (attempt - 1)
                if time.monotonic() + pause >= self._reader.deadline:
                    return
                time.sleep(pause)
            try:
                answer = _parse_answer(self._read())
            except (ResourceUnavailable, ResourceInvalid, StreamConfigError) as error:
                self.error = self._reader.hide(str(error))[:_MAX_ERROR]
            else:
                self._keep(answer)
                return

    def _keep(self, answer: _Answer) -> None:
        self.error = ""
        for problem in set(answer.broken) - self._told:
            text = self._reader.hide(f"{self}: {problem}; the streams it was meant for are unknown")
            tell(LOG, logging.WARNING, text)
        self._told = set(answer.broken)
        had = self.answer is not None and bool(self.answer.exact or self.answer.patterns)
        if had and not answer.exact and not answer.patterns:
            self.error = f"{self} declares no stream any more; the last good answer is kept"
        else:
            self.answer = answer

    def _read(self) -> Any:
        if self._path is not None:
            document = self._reader.file(self._path, MAX_STREAM_CONFIG_BYTES)
        else:
            document = self._reader.url(self._location, MAX_STREAM_CONFIG_BYTES)
        if document is None:
            raise ResourceUnavailable(f"there is nothing at {self}")
        return document


def _parse_answer(document: Any) -> _Answer:
    """Takes a file's, a mapping's or the MediaWiki API's answer, with or without its `streams` wrapper."""
    if _is_of_the_api(document, "error"):
        # whole, since a header that it echoes could not be hidden when it is cut
        raise StreamConfigError(f"the stream config API answered with an error: {document['error']}")
    if _is_of_the_api(document, "streams"):
        document = document["streams"]
    if document == []:  # PHP writes an empty map as a list
        document = {}
    if not isinstance(document, Mapping):
        raise StreamConfigError("stream configs must be a mapping from stream names to their settings")
    exact, patterns, broken, tries = {}, [], [], 0
    for name, settings in document.items():
        try:
            compiled = compile_costed(name)
        except StreamConfigError as error:
            broken.append(str(error))
            continue
        if compiled is None:
            exact[name] = settings
            continue
        tries += compiled[1]
        if tries > _MAX_TRIES:
            broken.append("the regexes of its streams could take long together; use fewer or simpler ones")
            break
        patterns.append((compiled[0], settings))
    return _Answer(exact, tuple(patterns), tuple(broken))


def _is_of_the_api(document: Any, name: str) -> bool:
    """Whether a name is one of the API's own in its answer, and no stream that happens to have it."""
    if not isinstance(document, Mapping) or name not in document:
        return False
    value = document[name]
    return not (isinstance(value, Mapping) and "schema_title" in value)


class Streams:
    """Settings by stream name.

    Safe from any thread. `get` with `cached_only` takes no lock and does not wait; without it, it
    may wait for a source.

    Args:
        sources: where stream configs are: a path, a URL, a mapping, or a list of these; the first
            that declares a stream has it.
        reader: reads the documents.
        topic_prefix: the datacenter, such as `eqiad.`.
        ttl: seconds after which a source is asked again.
        retries: how often a source that gave no good answer is asked again at once.

    Raises:
        ConfigurationError: a source that is no file, URL or mapping.
    """

    def __init__(
        self,
        sources: Source | Iterable[Source],
        reader: Reader,
        *,
        topic_prefix: str | None = None,
        ttl: float = 300.0,
        retries: int = 3,
    ) -> None:
        alone = isinstance(sources, (str, os.PathLike, Mapping))
        if not alone and not isinstance(sources, Iterable):
            raise ConfigurationError(_WRONG_SOURCE)
        several: list[Any] = [sources] if alone else list(sources)  # type: ignore[arg-type]
        if not all(isinstance(source, (str, os.PathLike, Mapping)) and source != "" for source in several):
            raise ConfigurationError(_WRONG_SOURCE)
        if not several:
            raise ConfigurationError("stream_config_uri: at least one source of stream configs is needed")
        try:
            self._sources = [_Source(source, reader, retries) for source in several]
        except StreamConfigError as error:
            raise ConfigurationError(f"stream_config_uri: {str(error)[:_MAX_ERROR]}") from None
        self._prefix = topic_prefix or ""
        self._ttl = ttl
        self._lock = threading.RLock()
        self._resolved: dict[str, Stream] = {}
        self._missed: set[str] = set()  # names that no answer declares, until one is asked for anew
        reset_after_fork(self._unlock)

    def get(self, name: str, *, cached_only: bool = False) -> Stream:
        """The settings of a stream.

        Args:
            name: an event's `meta.stream`.
            cached_only: ask no source; else those are asked again whose time to live is over.

        Raises:
            StreamNameError: the name can be no stream's.
            StreamNotFoundError: no source declares it.
            StreamConfigError: its settings are missing or wrong.
            TopicError: no topic of it may be written to with the configured prefix.
            StreamConfigUnavailableError: a source that may declare it never answered.
            NotCachedError: a source must be asked first, and `cached_only` is set.
        """
        if not cached_only and self.has_old_answer():
            self.refresh()
        stream = self._resolved.get(name)
        if stream is None:
            stream = self._find(name, cached_only)
        if stream.error is not None:
            kind, text = stream.error
            raise kind(text, stream=name)
        return stream

    def has_old_answer(self) -> bool:
        """Whether a source's answer serves whose time to live is over."""
        return any(source.answer is not None and self._is_due(source, self._ttl) for source in self._sources)

    def refresh_due(self) -> bool:
        """Whether a source's time to live is over."""
        return any(self._is_due(source, self._ttl) for source in self._sources)

    def refresh(self) -> None:
        """Asks every source whose time to live is over; may wait for each of them."""
        self._refresh(self._ttl)

    def _unlock(self) -> None:
        self._lock = threading.RLock()

    def _refresh(self, ttl: float) -> None:
        with self._lock:
            due = [source for source in self._sources if self._is_due(source, ttl)]
            for source in due:
                source.refresh()
            if due:
                self._resolved, self._missed = {}, set()

    @staticmethod
    def _is_due(source: _Source, ttl: float) -> bool:
        if source.answer is None:
            ttl = _UNANSWERED_TTL
        elif source.error:
            ttl = min(ttl, _FAILED_TTL)
        return source.can_be_asked and time.monotonic() - source.asked_at >= ttl

    def _find(self, name: str, cached_only: bool) -> Stream:
        if not TOPIC_NAME.fullmatch(name):
            raise StreamNameError(
                f"meta.stream {name[:100]!r} can name no stream; letters, digits, '.', '_' and '-' only, at "
                "most 249"
            )
        stream = self._resolve(name)
        if stream is not None:
            return stream
        if any(self._is_due(source, _UNKNOWN_TTL) for source in self._sources):
            if cached_only:
                raise NotCachedError(f"the stream config of {name} was not looked up yet", stream=name)
            self._refresh(_UNKNOWN_TTL)
            stream = self._resolve(name)
            if stream is not None:
                return stream
        missing = [f"{source}: {source.error}" for source in self._sources if source.answer is None]
        if missing:
            raise StreamConfigUnavailableError(
                f"the stream config of {name} could not be looked up, and is tried again: "
                f"{'; '.join(missing)}",
                stream=name,
            )
        raise StreamNotFoundError(
            f"no stream config declares the stream {name} (asked: {', '.join(map(str, self._sources))}); "
            "declare it "
            "there, or check the event's meta.stream",
            stream=name,
        )

    def _resolve(self, name: str) -> Stream | None:
        resolved, missed = self._resolved, self._missed
        if name in missed:
            return None
        for source in self._sources:
            if source.answer is None:
                return None  # it may declare the stream, and would have the first say
            settings, found = _settings(source.answer, name)
            if found:
                stream = settings_of(name, settings, self._prefix)
                if len(resolved) >= _MAX_RESOLVED:
                    resolved.clear()
                resolved[name] = stream
                return stream
        if len(missed) >= _MAX_RESOLVED:
            missed.clear()
        missed.add(name)
        return None


def _settings(answer: _Answer, name: str) -> tuple[Any, bool]:
    if name in answer.exact:
        return answer.exact[name], True
    for pattern, settings in answer.patterns:
        if pattern.search(name):
            return settings, True
    return None, False
