"""What eplogging itself says, on the loggers `eplogging` and `eplogging.kafka`.

The listener must never wait for a lock of `logging`: `dictConfig` holds it while it closes the
handler, which waits for the listener. `Logger.log` takes that lock; what is here does not.
"""

from __future__ import annotations

import contextlib
import logging
import sys
import time
import traceback
from collections.abc import Callable
from typing import Any, NamedTuple

from .conformance.conversions import class_name, told_by
from .conformance.notices import MAX_TEXT, described, escaped, tell

REPORTS = logging.getLogger("eplogging")
KAFKA_LOG = logging.getLogger("eplogging.kafka")
REPEAT_INTERVAL = 60.0

__all__ = [
    "KAFKA_LOG",
    "MAX_TEXT",
    "NO_CALL_SITE",
    "REPORTS",
    "CallSite",
    "KafkaLog",
    "OncePerMinute",
    "described",
    "print_error",
    "report",
]


class CallSite(NamedTuple):
    """Where an event was logged."""

    pathname: str = "(eplogging)"
    lineno: int = 0
    function: str = ""

    @classmethod
    def of(cls, record: logging.LogRecord) -> CallSite:
        """The call site of a log record."""
        # What the NamedTuple's own constructor calls.
        return tuple.__new__(cls, (record.pathname, record.lineno, record.funcName or ""))

    def __str__(self) -> str:
        return f"{self.pathname}:{self.lineno}" + (f" in {self.function}" if self.function else "")


NO_CALL_SITE = CallSite()


def report(
    logger: logging.Logger, level: int, text: str, site: CallSite = NO_CALL_SITE, **extra: Any
) -> None:
    """Logs one line; see `notices.tell`.

    Args:
        logger: the logger to log on.
        level: the line's level.
        text: the line.
        site: where the line's cause was logged; becomes the record's file, line and function.
        **extra: attributes for the record.
    """
    tell(logger, level, text, site, **extra)


def print_error(error: BaseException, site: CallSite) -> None:
    """Writes to stderr what was raised where it never should be, without asking the exception itself."""
    told = escaped(f"{class_name(error)}: {told_by(error)}"[:MAX_TEXT])
    with contextlib.suppress(Exception):  # stderr may be closed, or gone
        trace = "".join(traceback.format_tb(error.__traceback__))
        sys.stderr.write(f"--- Logging error ---\n{trace}{told}\nLogged by {escaped(str(site))}\n")


class OncePerMinute:
    """Passes one line of a kind on in a minute, with the number of those before it that were not.

    Used by one thread at a time.

    Args:
        logger: the logger to log on.
    """

    def __init__(self, logger: logging.Logger) -> None:
        self._logger = logger
        self._now = time.monotonic
        self._seen: dict[str, tuple[float, int]] = {}

    def tell(self, level: int, kind: str, text: str) -> None:
        """Logs a line, if it is the first of its kind in a minute."""
        last, withheld = self._seen.get(kind, (float("-inf"), 0))
        if self._now() - last < REPEAT_INTERVAL:
            self._seen[kind] = (last, withheld + 1)
            return
        self._seen[kind] = (self._now(), 0)
        if withheld:
            text += f" ({withheld} more like this since the last one told)"
        report(self._logger, level, text)


class KafkaLog:
    """What librdkafka logs to, in place of a `logging.Logger`.

    While a broker is down, librdkafka repeats itself several times a second; one warning or error of a
    kind is passed on in a minute.

    Args:
        hide: takes secrets out of a line: with `debug`, librdkafka logs its configuration.
    """

    def __init__(self, hide: Callable[[str], str] = str) -> None:
        self._hide = hide
        self._throttled = OncePerMinute(KAFKA_LOG)

    def log(self, level: int, template: str, *args: Any) -> None:
        """Logs on `eplogging.kafka`; called by confluent-kafka from within `poll` and `flush`."""
        self.tell(level, str(args[0]) if args else template, template % args if args else template)

    def tell(self, level: int, kind: str, text: str) -> None:
        """Logs a line of some kind; a warning or an error, if it is the first of its kind in a minute."""
        if level >= logging.WARNING:
            self._throttled.tell(level, kind, self._hide(text))
        else:
            report(KAFKA_LOG, level, self._hide(text))
