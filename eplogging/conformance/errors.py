"""What can be wrong with an event, its schema or its stream, as exceptions that carry data.

A caller may want to count, route or show a failure: every error therefore names its reason
in one stable word, beside the schema URI, the stream and the violations it is about.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from .secrets import shown

MAX_TEXT_BYTES = 2000
"""Bytes of an error's text, in UTF-8: what it tells of must not fill a log, however large an event is."""


@dataclass(frozen=True)
class Violation:
    """One place where an event breaks its schema.

    Attributes:
        path: where in the event, as a JSON Pointer (RFC 6901); empty for the event itself, and cut
            where keys of the event make it longer than a few hundred characters.
        keyword: the schema keyword that is broken, such as `required` or `format`.
        message: what is wrong, in words; never longer than a few hundred characters.
    """

    path: str
    keyword: str
    message: str

    def __str__(self) -> str:
        return f"{self.path or '/'}: {self.message} ({self.keyword})"


def bounded(text: str, limit: int = MAX_TEXT_BYTES) -> str:
    """A text that is at most so many bytes of UTF-8; what is cut off shows as `...` at its end.

    A lone surrogate, which has no bytes, shows as a question mark.
    """
    start = text[: limit + 1].encode(errors="replace")
    return start.decode() if len(start) <= limit else start[: limit - 3].decode(errors="ignore") + "..."


class ConfigurationError(ValueError):
    """A keyword or a value of the configuration is wrong; raised at configuration time."""


class ConformanceError(Exception):
    """An event that can not be made a message.

    Attributes:
        reason: the kind of failure as one stable word, for counters and error events.
        schema_uri: the event's `$schema`, where it has one that is a string.
        stream: the event's `meta.stream`, where it has one that is a string.
        violations: every place where the event breaks its schema; empty for other failures.
    """

    reason: ClassVar[str] = "not_conformant"

    def __init__(
        self,
        message: str,
        *,
        schema_uri: str | None = None,
        stream: str | None = None,
        violations: Iterable[Violation] = (),
    ) -> None:
        super().__init__(bounded(shown(message)))
        self.schema_uri = schema_uri
        self.stream = stream
        self.violations = tuple(violations)


class RejectedError(ConformanceError):
    """The event can never be sent as it is: trying again would fail again."""

    reason = "rejected"


class SchemaURIError(RejectedError):
    """`$schema` is missing, is no string, or is no URI that may be looked up."""

    reason = "schema_uri_invalid"


class StreamNameError(RejectedError):
    """`meta.stream` is missing, is no string, or can name no stream."""

    reason = "stream_name_invalid"


class SchemaNotFoundError(RejectedError):
    """No schema repository has the schema."""

    reason = "schema_not_found"


class TooManyLookUpsError(RejectedError):
    """The schema is not known, and too many look-ups of the last minute found no usable schema.

    A limit of its own kind: the event might have passed at another time. It is not deferred, for
    the good events of its stream would then wait behind those of whoever makes up schema URIs.
    """

    reason = "too_many_look_ups"


class SchemaError(RejectedError):
    """The schema was found, and can not be used: not a schema, no title, a `$ref` that leads nowhere."""

    reason = "schema_invalid"


class InsecureSchemaError(SchemaError):
    """The schema could make validation slow (json-schema-secure), and such schemas are not allowed."""

    reason = "schema_insecure"


class StreamNotFoundError(RejectedError):
    """No stream config declares the stream."""

    reason = "stream_not_found"


class StreamConfigError(RejectedError):
    """The stream's config has no settings, no `schema_title`, or settings of the wrong type."""

    reason = "stream_config_invalid"


class SchemaTitleError(RejectedError):
    """The stream allows events of another schema (R3)."""

    reason = "schema_title_mismatch"


class NotJSONError(RejectedError):
    """The event holds something that JSON has no form for."""

    reason = "not_json"


class ValidationError(RejectedError):
    """The event breaks its schema (R6); `violations` says where."""

    reason = "schema_violation"


class MessageKeyError(RejectedError):
    """A value that `message_key_fields` asks for is missing (R7)."""

    reason = "message_key_missing"


class TopicError(RejectedError):
    """The stream config's `topics` lists neither the prefixed nor the bare stream name (R8)."""

    reason = "topic_not_allowed"


class MessageTooLargeError(RejectedError):
    """Key and value together exceed librdkafka's `message.max.bytes`."""

    reason = "message_too_large"


class UnavailableError(ConformanceError):
    """A look-up got no answer (timeout, 5xx, refused connection): the same event may pass later."""

    reason = "look_up_unavailable"


class SchemaUnavailableError(UnavailableError):
    """No schema repository had the schema, and at least one could not be asked."""

    reason = "schema_unavailable"


class StreamConfigUnavailableError(UnavailableError):
    """No stream config was ever read, and the source could not be asked."""

    reason = "stream_config_unavailable"


class NotCachedError(UnavailableError):
    """A look-up is needed, and the caller asked for none to be made."""

    reason = "not_cached"
