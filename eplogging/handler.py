"""The logging handler: takes events out of log records, and wires everything else together."""

from __future__ import annotations

import inspect
import logging
import math
import os
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from .awaited import InterruptedPut
from .budget import Budget
from .configuration import (
    DELIVERY_KEYWORDS,
    DeliverySettings,
    check_conformance,
    check_delivery,
    check_redaction,
    reject_unknown,
)
from .conformance import ConfigurationError, Conformer, RejectedError, UnavailableError
from .conformance.forking import reset_after_fork
from .context import bound_event_fields
from .guard import STATE, is_own_doing
from .health import Health, health_of
from .intake import Handle, make_intake
from .items import Deferred, Item, defer
from .ledger import Ledger
from .listener import Listener
from .metrics import Counters, Stats
from .options import plain_options
from .records import Event, EventFormatter
from .redaction import Redaction
from .rejections import Rejections
from .reports import CallSite, print_error
from .sinks import Sink
from .wiring import ERROR_KEYWORDS, make_error_events, make_sink, max_message_bytes, with_spool

_CONFORMANCE_KEYWORDS = tuple(
    name for name in inspect.signature(Conformer).parameters if name not in ("max_message_bytes", "validator")
)
_KEYWORDS = (*_CONFORMANCE_KEYWORDS, *DELIVERY_KEYWORDS, *ERROR_KEYWORDS, "redact_fields")
_BLOCK_PAUSE = 0.005


class EventPlatformHandler(logging.Handler):
    """Makes events of log records that carry `$schema` and `meta.stream`, and sends them to Kafka.

    Every other record passes by. A logging call never waits for the network: schemas and stream
    configs that are not known yet are looked up in the background, and a background listener
    sends. The listener starts with the first event. `logging.shutdown`, which runs at exit,
    delivers what is queued within `flush_timeout`.

    Args:
        level: as for every handler.
        sink: where messages go, in place of `kafka` or `output`.
        **options: the keywords below.

    Keywords:
        schema_base_uris: schema repositories in order of look-up; required.
        schema_file_extension: such as `.yaml`; tried after the bare schema URI.
        schema_precache_uris: schema URIs to look up when the listener starts.
        allow_absolute_schema_uris: whether `$schema` may be a `http(s)://` URI; False.
        allow_insecure_schemas: whether schemas that could make validation slow are used; False.
        stream_config_uri: a path, a URL, a mapping, or a list of these; required.
        stream_config_ttl: seconds after which stream configs are asked for again; 300.
        stream_config_retries: how often a source that gave no good answer is asked again at once; 3.
        http: options of look-ups: `headers`, `timeout`, `verify`, `cert`, `proxies`.
        kafka: librdkafka's configuration; or
        allow_kafka_plugins: whether `kafka` may name libraries that librdkafka loads; False.
        output: `stdout`, `stderr` or a path, for NDJSON instead of Kafka.
        topic_prefix: the datacenter, such as `eqiad.`.
        dt_field: dotted path of the field that becomes the message timestamp; `meta.dt`.
        error_stream: where rejected events go as error events.
        error_schema_uri: `$schema` of error events; `/error/2.1.0`.
        emitter_id: who says so in error events; the program's name.
        redact_fields: dotted paths of fields that reports and error events shall not show.
        on_rejected: `report` (a line on the logger `eplogging`), or `raise` for tests.
        queue_size: messages held in memory at most; 100,000.
        queue_bytes: bytes held in memory at most; 64 MiB.
        on_full: `drop` the newest event, `block` for at most `block_timeout`, or `spool`; `spool` where
            there is one, else `drop`.
        block_timeout: seconds; 5.
        flush_timeout: seconds that `flush` and `close` may take; 10.
        spool: a directory where messages are kept that memory has no room for, or that are not acknowledged
            when the handler is closed; they are sent when they can be, also by the next process.
        spool_bytes: what this process's files in it may grow to, with those it took over; 1 GiB.
        durable: whether every message is in the spool before its logging call returns; False, True (it
            outlives the process), or `fsync` (it outlives the machine's power).

    Raises:
        ConfigurationError: an unknown keyword or a wrong value; the message names both.
    """

    takes_reports = False
    """What eplogging reports is no event: `reports` looks for other handlers to tell it to."""

    def __init__(
        self, level: int | str = logging.NOTSET, *, sink: Sink | None = None, **options: Any
    ) -> None:
        super().__init__(level)
        # What fails below is closed in effect: `logging.shutdown` may still see it.
        self._closed = True
        self._counters = Counters()
        try:
            self._configure(plain_options(options), sink)
        except ConfigurationError:
            logging.Handler.close(self)
            raise
        self.setFormatter(None)
        self._closed = False
        self._shorten()
        reset_after_fork(self._forked)

    def _configure(self, options: dict[str, Any], sink: Sink | None) -> None:
        reject_unknown(options, _KEYWORDS)
        for name in ("schema_base_uris", "stream_config_uri"):
            if not options.get(name):
                raise ConfigurationError(f"{name} is required")
        self._settings = settings = DeliverySettings(
            **{k: options[k] for k in DELIVERY_KEYWORDS if k in options}
        )
        check_delivery(settings, has_sink=sink is not None)
        check_conformance(options)
        self._max_message_bytes = max_bytes = max_message_bytes(settings.kafka)
        self._conformer = Conformer(
            **{name: options[name] for name in _CONFORMANCE_KEYWORDS if name in options},
            max_message_bytes=max_bytes,
        )
        self._raises = settings.on_rejected == "raise"
        self._blocks = settings.on_full == "block"
        self._is_durable = bool(settings.durable)
        check_redaction(options.get("redact_fields", ()))
        self._redaction = Redaction(options.get("redact_fields", ()))
        self._error_events = make_error_events(options, max_bytes, self._redaction)
        self._sink = sink or make_sink(settings)
        self._spooled = None if settings.spool is None else with_spool(self._sink, settings)
        self._sink = self._spooled or self._sink
        self._wire()

    def _wire(self) -> None:
        self._pid = os.getpid()
        self._counters = Counters()
        self._budget = Budget(self._counters, self._settings.queue_size, self._settings.queue_bytes)
        self._waited_in_vain: tuple[int, int] | None = None
        self._rejections = Rejections(self._counters, self._error_events, self._redaction, self._put_at_once)
        self._ledger = Ledger(self._counters, self._budget, self._rejections.refuse)
        self._listener = Listener(
            self._conformer,
            self._sink,
            self._ledger,
            self._rejections.reject_deferred,
            self._settings.flush_timeout,
            self._spooled if self._sink is self._spooled else None,
        )
        self._shorten()

    def _shorten(self) -> None:
        """Has most events handled in C, where nothing asks for more."""
        self._short: Handle | None = None
        is_own_emit = type(self).emit is EventPlatformHandler.emit and "emit" not in self.__dict__
        if is_own_emit and not (self._closed or self._raises or self._is_durable):
            self._short = make_intake(
                self._conformer,
                self.formatter,
                self._listener,
                self._counters,
                self._budget,
                pid=self._pid,
                otherwise=self._handle,
                raised=self._raised,
            )

    def __setattr__(self, name: str, value: Any) -> None:
        super().__setattr__(name, value)
        if name in ("formatter", "emit") and "_listener" in self.__dict__:
            self._shorten()

    def _forked(self) -> None:
        """In a child process: starts empty, and starts no thread before the child's first event."""
        self._sink.forked()
        self._wire()

    def setFormatter(self, fmt: logging.Formatter | None) -> None:  # noqa: N802 - logging's name
        """Takes what finds the event in a record and adds to it.

        Args:
            fmt: an `EventFormatter`; None for one that adds nothing.

        Raises:
            ConfigurationError: a formatter of another kind, which could have no effect here.
        """
        if fmt is not None and not isinstance(fmt, EventFormatter):
            raise ConfigurationError(
                f"formatter must be an eplogging.EventFormatter; it is a {type(fmt).__name__}, which finds "
                "no events"
            )
        self.formatter: EventFormatter = fmt or EventFormatter()

    def createLock(self) -> None:  # noqa: N802 - logging's name
        """Needs no lock: what `emit` shares between threads is shared without one."""
        self.lock = None

    def handle(self, record: logging.LogRecord) -> Any:
        """Emits the record, unless it is eplogging's own doing or a filter stops it. Takes no lock."""
        short = self._short
        return self._handle(record) if short is None or self.filters else short(record)

    def _handle(self, record: logging.LogRecord) -> Any:
        depth = STATE.depth
        if is_own_doing(record.name, depth):
            return False
        passed = self.filter(record) if self.filters else True
        if passed:
            STATE.depth = depth + 1
            try:
                self.emit(passed if isinstance(passed, logging.LogRecord) else record)
            finally:
                STATE.depth = depth
        return passed

    def _raised(self, error: BaseException, record: logging.LogRecord, is_queued: bool) -> None:
        """Sees to what was raised on the short way, by a signal handler above all."""
        if is_queued:  # it will be counted
            self._pass_on(error.__cause__ if isinstance(error, InterruptedPut) else error, record)
        else:
            self._not_made(error, record)

    def emit(self, record: logging.LogRecord) -> None:
        """Makes an event of a record that carries one, and queues its message.

        Called in the application's thread. With `on_full: block` it may wait `block_timeout`
        seconds, and with `on_rejected: raise` for look-ups; otherwise it does not wait, but for callers
        that outrun the listener (see `Listener.put`).

        Raises:
            ConformanceError: the event can not be sent, and `on_rejected` is `raise`.
        """
        event: Event | None = None
        try:
            if self._pid != os.getpid():  # forked by something that runs no hooks
                self._forked()
            event = self.formatter.event(record)
            if event is not None:
                self._counters.accepted.add(1)
                if self._raises:
                    self._put(
                        self._conformer.conform(event, event_time=record.created, bound=bound_event_fields())
                    )
                else:
                    self._accept(event, record)
        except (RejectedError, UnavailableError) as error:
            self._counters.reject(error.reason, error.stream)
            raise
        except InterruptedPut as interrupted:
            self._pass_on(interrupted.__cause__, record)  # its event is queued, and will be counted
        except BaseException as error:  # a signal handler may raise any
            self._not_made(error, record, is_accepted=event is not None)

    def _not_made(
        self, error: BaseException, record: logging.LogRecord, *, is_accepted: bool = False
    ) -> None:
        """Counts an event that was not made, or that may have been one."""
        if not is_accepted:
            self._counters.accepted.add(1)
        self._counters.drop("internal_error" if isinstance(error, Exception) else "interrupted", None)
        self._pass_on(error, record)

    def _pass_on(self, error: BaseException | None, record: logging.LogRecord) -> None:
        """Does with what was raised what every handler does."""
        try:
            if error is not None:
                raise error
        except Exception:
            self.handleError(record)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Tells on stderr what was raised and where, as every handler does.

        It does not show the message, as `logging.Handler` does: its `repr` may be code of others.
        """
        error = sys.exc_info()[1]
        if logging.raiseExceptions and error is not None:
            print_error(error, CallSite.of(record))

    def _accept(self, event: Event, record: logging.LogRecord) -> None:
        bound = bound_event_fields()
        try:
            try:
                if not self._conformer.conforms_fast:
                    self._defer(event, bound, record)
                    return
                self._put(
                    self._conformer.conform(event, event_time=record.created, bound=bound, cached_only=True)
                )
            except UnavailableError:
                self._defer(event, bound, record)
        except RejectedError as error:
            self._rejections.reject(event, error, CallSite.of(record))

    def _defer(self, event: Event, bound: Mapping[str, Any], record: logging.LogRecord) -> None:
        """Queues a snapshot of an event."""
        site = CallSite.of(record)
        self._put(defer(event, bound, record.created, site, max_bytes=self._max_message_bytes))

    def _put(self, item: Item) -> None:
        """Queues what a logging call made."""
        if self._closed:
            self._drop("closed", item.stream)
        elif self._budget.take(item.size) or (
            self._blocks and not STATE.is_own and self._wait_for_room(item.size)
        ):
            if self._is_durable and not STATE.is_own:
                if not self._listener.put_durably(item, self._settings.block_timeout):
                    self._counters.undurable.add(1)
            else:
                self._listener.put(item)
        else:
            self._drop("queue_full", item.stream)

    def _put_at_once(self, item: Deferred) -> None:
        """Queues an error event without waiting: the listener, which may do this, would wait for itself."""
        if self._budget.take(item.size):
            self._listener.put(item)
        else:
            self._drop("queue_full", item.stream)

    def _drop(self, reason: str, stream: str) -> None:
        self._counters.drop(reason, stream)
        self._ledger.report_drops()

    def _wait_for_room(self, size: int) -> bool:
        """Waits by looking again: a lock could be held by the code that a signal handler interrupted."""
        deadline = time.monotonic() + self._settings.block_timeout
        while time.monotonic() < deadline and not self._closed:
            time.sleep(_BLOCK_PAUSE)
            if self._budget.take(size):
                return True
        return False

    @contextmanager
    def redirected(self, sink: Sink) -> Iterator[None]:
        """Sends to another sink within the block, with a listener and counters of its own; for tests."""
        kept = self._sink, self._counters, self._budget, self._ledger, self._rejections, self._listener
        durable, self._is_durable = self._is_durable, False
        self._sink = sink
        self._wire()
        try:
            yield
        finally:
            self._listener.close(self._settings.flush_timeout)
            self._conformer.hurry(math.inf)  # the handler goes on, and with it its look-ups
            (
                self._sink,
                self._counters,
                self._budget,
                self._ledger,
                self._rejections,
                self._listener,
            ) = kept
            self._is_durable = durable
            self._shorten()

    def start(self) -> None:
        """Starts the listener now, for a worker that wants its look-ups done before its first event."""
        self._listener.start()

    def stats(self) -> Stats:
        """What became of the events of this process, at this moment."""
        return self._counters.snapshot()

    def health(self) -> Health:
        """Whether events are delivered, at this moment, and if not, why."""
        last = self._counters.last_delivery_tick
        return health_of(
            self.stats(),
            since=None if last is None else time.monotonic() - last,
            listener_trouble="" if self._closed else self._listener.trouble,
            spool_trouble=self._spooled.trouble if self._spooled is not None else "",
        )

    def flush(self, timeout: float | None = None) -> bool:  # type: ignore[override]
        """Waits until every event logged before is delivered, rejected or dropped.

        Args:
            timeout: seconds to wait at most; `flush_timeout`, if not given.

        Returns:
            Whether none is left.
        """
        if self._closed:
            return self._counters.pending.value == 0
        settled = self._listener.flush(self._time_to_deliver() if timeout is None else timeout)
        # Without a thread (at interpreter shutdown) it did not wait: close() has all the time still.
        in_vain = not settled and timeout is None and self._listener.is_alive
        self._waited_in_vain = self._progress() if in_vain else None
        return settled

    def _time_to_deliver(self) -> float:
        """What `flush_timeout` leaves when there is a spool, which `close` may have to fill."""
        limit = self._settings.flush_timeout
        return limit - min(self._listener.keeping_time, limit / 2)

    def _progress(self) -> tuple[int, int]:
        return self._counters.accepted.value, self._counters.delivered.value

    def close(self) -> None:
        """Delivers what is queued within `flush_timeout`, counts and reports the rest, and ends the listener.

        `logging.shutdown` calls `flush` and then this: where that `flush` waited in vain and nothing
        was delivered since, this does not wait a second time.
        """
        if not self._closed:
            self._closed = True
            self._short = None
            waited_in_vain = self._waited_in_vain == self._progress()
            depth, STATE.depth = STATE.depth, STATE.depth + 1
            try:
                self._listener.close(0.0 if waited_in_vain else self._settings.flush_timeout)
            finally:
                STATE.depth = depth
        super().close()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} to {self._sink!r} ({logging.getLevelName(self.level)})>"
