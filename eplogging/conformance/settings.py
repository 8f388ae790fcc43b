"""The settings of one stream, worked out once: which schema it allows, its message key and its topic (R8)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, NamedTuple

from .backtracking import cost_of
from .errors import RejectedError, StreamConfigError, TopicError
from .message import KeyFields

TOPIC_NAME = re.compile(r"[A-Za-z0-9._-]{1,249}", re.ASCII)
"""What Kafka takes as the name of a topic."""

_MAX_REGEX = 1000
_MAX_NAME = 249
_MAX_STEPS = 20_000
_MAX_TRIES = 1_000_000
"""Small steps that a regex may take for one name: some 10 ms, in the thread that logs."""

_REGEX = re.compile(r"/(?P<pattern>.*)/(?P<flags>[imsux]*)", re.DOTALL)


class Stream(NamedTuple):
    """What a stream's config says, worked out for one stream name; what is in C reads it by position.

    Attributes:
        name: the stream's name.
        schema_title: the title of the only schema that it allows.
        key_fields: its `message_key_fields`, in order.
        topic: the topic that its events go to.
        error: why nothing can be sent to it; everything else is then without meaning.
    """

    name: str
    schema_title: str = ""
    key_fields: KeyFields = ()
    topic: str = ""
    error: tuple[type[RejectedError], str] | None = None


def compile_regex(text: str) -> re.Pattern[str] | None:
    r"""A name written as a regex between slashes (`/^mediawiki\.job\..+/`), or None for a plain name.

    Raises:
        StreamConfigError: the text between the slashes is no regex, or one that could take for ever.
    """
    compiled = compile_costed(text)
    return None if compiled is None else compiled[0]


def compile_costed(text: str) -> tuple[re.Pattern[str], int] | None:
    """As `compile_regex`, with the small steps that it may take for one name.

    Raises:
        StreamConfigError: as `compile_regex`.
    """
    match = _REGEX.fullmatch(text) if isinstance(text, str) and text.startswith("/") else None
    if match is None:
        return None
    if len(text) > _MAX_REGEX:
        raise StreamConfigError(f"stream configs: {text[:100]!r} is longer than {_MAX_REGEX} characters")
    return _compiled(text, match["pattern"], match["flags"])


@lru_cache(maxsize=1024)
def _compiled(text: str, pattern: str, letters: str) -> tuple[re.Pattern[str], int]:
    flags = sum(getattr(re, flag.upper()) for flag in set(letters) if flag != "u")
    try:
        compiled = re.compile(pattern, flags)
    except (re.error, OverflowError, RecursionError) as error:
        raise StreamConfigError(f"stream configs: {text[:100]!r} is no valid regex: {error}") from None
    cost = cost_of(pattern, flags, _MAX_STEPS)
    if cost is None:
        raise StreamConfigError(
            f"stream configs: {text[:100]!r} could take exponential time; let no loop in it be ambiguous"
        )
    if (tries := cost.tries(_MAX_NAME)) > _MAX_TRIES:
        raise StreamConfigError(
            f"stream configs: {text[:100]!r} could take long, as its loops share out one text; begin it with "
            "^, or use fewer of them"
        )
    return compiled, tries


def settings_of(name: str, settings: Any, prefix: str) -> Stream:
    """Works out a stream's settings.

    Args:
        name: the stream's name.
        settings: what a stream config says of it.
        prefix: `topic_prefix`.

    Returns:
        The settings; where they are missing or wrong, with the error that each event is refused with.
    """
    try:
        if not isinstance(settings, Mapping) or not settings:
            raise StreamConfigError(
                f"the stream config of {name} has no settings; give it at least a schema_title"
            )
        title = settings.get("schema_title")
        if not isinstance(title, str) or not title:
            raise StreamConfigError(
                f"the stream config of {name} has no schema_title, so no event may be sent there; set it to "
                "the "
                "title of the stream's schema"
            )
        return Stream(name, title, _key_fields(name, settings), _topic(name, settings, prefix))
    except RejectedError as error:
        return Stream(name, error=(type(error), str(error)))


def _key_fields(name: str, settings: Mapping[str, Any]) -> KeyFields:
    fields = settings.get("message_key_fields")
    if fields in (None, [], {}):
        return ()
    if not isinstance(fields, Mapping) or not all(isinstance(path, str) and path for path in fields.values()):
        raise StreamConfigError(
            f"the stream config of {name}: message_key_fields must be a mapping from names to dotted paths"
        )
    return tuple((key, tuple(path.split("."))) for key, path in fields.items())


def _topic(name: str, settings: Mapping[str, Any], prefix: str) -> str:
    """`topic_prefix` + stream where the stream's topics have it, or have no say; else the bare stream."""
    topics = _topics(name, settings)
    prefixed = prefix + name
    if topics is None:
        return _usable(name, prefixed)
    for candidate in (prefixed, name):
        if any(_matches(topic, candidate) for topic in topics):
            return _usable(name, candidate)
    remedy = (
        "set topic_prefix to the part before the stream" if not prefix else f"change topic_prefix {prefix!r}"
    )
    raise TopicError(
        f"the stream {name} goes to {', '.join(map(repr, topics))}, and to neither {prefixed!r} nor "
        f"{name!r}; {remedy}"
    )


def _topics(name: str, settings: Mapping[str, Any]) -> list[str] | None:
    """The topics of a stream as MediaWiki's EventStreamConfig works them out; None: it has no say."""
    topics = settings.get("topics")
    if topics:
        if not isinstance(topics, list) or not all(isinstance(topic, str) for topic in topics):
            raise StreamConfigError(f"the stream config of {name}: topics must be a list of topic names")
        return topics
    if "topic_prefixes" not in settings:
        return None
    prefixes = settings["topic_prefixes"]
    if not prefixes:
        return [name]
    if not isinstance(prefixes, list) or not all(isinstance(prefix, str) for prefix in prefixes):
        raise StreamConfigError(
            f"the stream config of {name}: topic_prefixes must be a list of texts, or null"
        )
    return [prefix + name for prefix in prefixes]


def _matches(topic: str, candidate: str) -> bool:
    pattern = compile_regex(topic)
    return topic == candidate if pattern is None else pattern.search(candidate) is not None


def _usable(name: str, topic: str) -> str:
    if not TOPIC_NAME.fullmatch(topic):
        raise TopicError(f"the stream {name} would go to {topic[:300]!r}, which is no name of a Kafka topic")
    return topic
