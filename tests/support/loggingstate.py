"""Puts the logging module back as it was: its state is global, and every test here changes it."""

from __future__ import annotations

import logging
from typing import Any

# The stubs of the standard library do not know these two.
_HANDLERS: Any = vars(logging)["_handlers"]
_HANDLER_LIST: list[Any] = vars(logging)["_handlerList"]
_NEW_LOGGER = {"level": logging.NOTSET, "propagate": True, "disabled": False}


class LoggingState:
    """What `logging` held at one moment, beyond what a test may leave behind."""

    def __init__(self) -> None:
        self._loggers = {logger: _settings(logger) for logger in _all_loggers()}
        self._handlers = dict(_HANDLERS)
        self._handler_list = _HANDLER_LIST[:]
        self._disable = logging.root.manager.disable
        self._factory = logging.getLogRecordFactory()
        self._logger_class = logging.getLoggerClass()
        self._raise_exceptions = logging.raiseExceptions

    def restore(self) -> None:
        """Put everything back; loggers that are new since then become blank ones."""
        logging.captureWarnings(False)
        for logger in _all_loggers():
            settings = self._loggers.get(logger) or {**_NEW_LOGGER, "handlers": [], "filters": []}
            for name, value in settings.items():
                setattr(logger, name, value[:] if isinstance(value, list) else value)
        _HANDLERS.clear()
        _HANDLERS.update(self._handlers)
        _HANDLER_LIST[:] = self._handler_list
        logging.disable(self._disable)  # also empties the loggers' caches of enabled levels
        logging.setLogRecordFactory(self._factory)
        logging.setLoggerClass(self._logger_class)
        logging.raiseExceptions = self._raise_exceptions


def _all_loggers() -> list[logging.Logger]:
    known = logging.root.manager.loggerDict.values()
    return [logging.root, *(logger for logger in known if isinstance(logger, logging.Logger))]


def _settings(logger: logging.Logger) -> dict[str, Any]:
    return {
        "level": logger.level,
        "propagate": logger.propagate,
        "disabled": logger.disabled,
        "handlers": logger.handlers[:],
        "filters": logger.filters[:],
    }
