"""What becomes of an event that can never be sent: it is counted, reported, and may become an error event."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from .conformance import Message, RejectedError, SchemaNotFoundError, SchemaTitleError, StreamNotFoundError
from .errorevents import ErrorEvents
from .items import Deferred, defer, stream_of
from .metrics import Counters
from .records import Event
from .redaction import STREAM, Redaction
from .reports import NO_CALL_SITE, REPORTS, CallSite, OncePerMinute, report

_MAX_NAME = 250

_CONFIGURED = (SchemaNotFoundError, SchemaTitleError, StreamNotFoundError)
"""What is wrong with an error event when `error_stream` or `error_schema_uri` is."""


class Rejections:
    """Rejects events, and messages that no broker takes.

    Args:
        counters: where each is counted.
        error_events: makes error events; None if none are wanted.
        redaction: what reports shall not show.
        put: queues an error event; must not wait.
    """

    def __init__(
        self,
        counters: Counters,
        error_events: ErrorEvents | None,
        redaction: Redaction,
        put: Callable[[Deferred], None],
    ) -> None:
        self._counters = counters
        self._error_events = error_events
        self._redaction = redaction
        self._put = put
        self._refusals = OncePerMinute(REPORTS)

    def reject(
        self, event: Event, error: RejectedError, site: CallSite, *, is_error_event: bool = False
    ) -> None:
        """Rejects an event; called in the thread that conformed it, the caller's or the listener's.

        Args:
            event: the event as it was logged.
            error: why.
            site: where it was logged.
            is_error_event: whether it tells of another one, so that it is only reported.
        """
        stream = error.stream or stream_of(event)
        self._counters.reject(error.reason, stream)
        shown = self._redaction.error(error)
        what = "error event" if is_error_event else "event"
        text = f"{what} rejected ({error.reason}) by {site}: {shown}"
        if is_error_event and isinstance(error, _CONFIGURED):
            text += "; an error event has error_schema_uri and error_stream of the configuration"
        if stream:
            text += f" [stream {self._redaction.shown(STREAM, stream)[:_MAX_NAME]}]"
        report(REPORTS, logging.ERROR, text, site, conformance_error=shown)
        if self._error_events is not None and not is_error_event:
            self._tell(self._error_events.make(event, shown), site)

    def reject_deferred(self, item: Deferred, error: RejectedError) -> None:
        """Rejects a deferred event; called in the listener's thread."""
        self.reject(item.event(), error, item.site, is_error_event=item.is_error_event)

    def refuse(self, message: Message, reason: str, error: str) -> None:
        """Rejects what no broker will take; called in the listener's thread.

        Args:
            message: the message.
            reason: the kind of refusal as one stable word.
            error: what the broker, or librdkafka, said.
        """
        self._counters.reject(reason, message.stream)
        stream, topic = (self._redaction.shown(STREAM, name) for name in (message.stream, message.topic))
        self._refusals.tell(
            logging.ERROR,
            f"{reason} {message.topic}",
            f"message refused ({reason}) on topic {topic}: {error} [stream {stream}]",
        )
        if self._error_events is not None and message.stream != self._error_events.stream:
            self._tell(self._error_events.of_message(message, reason, error), NO_CALL_SITE)

    def _tell(self, error_event: Event, site: CallSite) -> None:
        self._counters.accepted.add(1)
        self._counters.error_events.add(1)
        self._put(defer(error_event, {}, time.time(), site, is_error_event=True))
