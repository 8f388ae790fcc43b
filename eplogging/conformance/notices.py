"""Log lines that wait for no lock of `logging`, for the background threads that this package runs in.

`Logger.log` takes the lock that `dictConfig` holds while it closes handlers; a handler that waits for its
background threads then, while they wait for that lock, would wait in vain until its deadline.
"""

from __future__ import annotations

import logging
import sys
from typing import Any

LOG = logging.getLogger("eplogging.conformance")
MAX_TEXT = 2000


def escaped(text: str) -> str:
    """A text on one line that drives no terminal, turns no direction and has no lone surrogates."""
    if text.isprintable():
        return text
    return "".join(letter if letter.isprintable() else _escape(ord(letter)) for letter in text)


def _escape(code: int) -> str:
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def described(error: BaseException) -> str:
    """An exception's class and text, whatever its own methods do."""
    name = type(error).__name__
    try:
        return f"{name}: {error}"
    except Exception:
        return name


def tell(
    logger: logging.Logger,
    level: int,
    text: str,
    site: tuple[str, int, str] = ("(eplogging)", 0, ""),
    **extra: Any,
) -> None:
    """Logs one line, however hostile its text: control characters are escaped and its length is bounded.

    Called from any thread; never raises, and waits for no lock but those of the application's own
    handlers. A logger that `dictConfig` disabled, since it did not name it, is heard all the same.

    Args:
        logger: the logger to log on; made before, since `getLogger` takes the lock too.
        level: the line's level.
        text: the line.
        site: file, line and function for the record.
        **extra: attributes for the record.
    """
    if level < logger.getEffectiveLevel() or level <= logger.manager.disable:
        return
    text = escaped(text[: MAX_TEXT + 1])
    if len(text) > MAX_TEXT:
        text = text[:MAX_TEXT] + "..."
    try:
        record = logger.makeRecord(
            logger.name, level, site[0], site[1], text, (), None, site[2] or None, extra
        )
        if logger.filter(record):
            _handle(logger, record)
    except Exception as error:  # the application's handlers and filters may do anything
        try:
            if logging.raiseExceptions and sys.stderr is not None:
                what = escaped(described(error))
                print(f"eplogging: {what} was raised when this was reported: {text}", file=sys.stderr)
        except Exception:  # stderr may be closed, or gone; at shutdown, even `contextlib` may be
            pass  # nosec B110


def _handle(logger: logging.Logger, record: logging.LogRecord) -> None:
    """As `Logger.callHandlers`; a handler that passes over reports does not count as one that heard it."""
    here: logging.Logger | None = logger
    while here is not None:
        if any(getattr(handler, "takes_reports", True) for handler in here.handlers):
            logger.callHandlers(record)
            return
        here = here.parent if here.propagate else None
    if logging.lastResort is not None and record.levelno >= logging.lastResort.level:
        logging.lastResort.handle(record)
