"""Tells what was dropped: one line in a minute, however many events that were, with what could be done."""

from __future__ import annotations

import logging
import threading
import time

from .metrics import Counters
from .reports import REPORTS, report

INTERVAL = 60.0

_REMEDIES = {
    "queue_full": "queue_size or queue_bytes was reached: raise them, set on_full to block, or look why "
    "messages are not delivered",
    "closed": "the handler was closed before: raise flush_timeout, or log before it is closed",
    "not_delivered": "the log of eplogging.kafka tells why",
}


class DropReports:
    """Compares the counters with what was told before.

    Args:
        counters: of the handler.
    """

    def __init__(self, counters: Counters) -> None:
        self._counters = counters
        self._now = time.monotonic
        self._told: dict[tuple[str, str], int] = {}
        self._undurable_told = 0
        self._told_at = float("-inf")
        self._telling = threading.Lock()

    def tell(self, last_error: str, *, now: bool = False) -> None:
        """One line on what was dropped since the last one, at most once a minute; from any thread.

        Args:
            last_error: why the last one was.
            now: whether the minute need not be over.
        """
        if not now and self._now() - self._told_at < INTERVAL:
            return
        dropped, undurable = self._counters.dropped(), self._counters.undurable.value
        if (dropped, undurable) == (self._told, self._undurable_told):
            return
        if not self._telling.acquire(timeout=1.0 if now else 0.0):
            return
        try:
            if now or self._now() - self._told_at >= INTERVAL:
                self._tell_undurable(undurable)
                self._tell(dropped, last_error)
        finally:
            self._telling.release()

    def _tell_undurable(self, undurable: int) -> None:
        fresh, self._undurable_told = undurable - self._undurable_told, undurable
        if fresh:
            report(
                REPORTS,
                logging.ERROR,
                f"durable: {fresh} events were not on disk when their logging call returned, and are in "
                "memory until they are; look at the disk of the spool, or raise block_timeout",
            )

    def _tell(self, dropped: dict[tuple[str, str], int], last_error: str) -> None:
        fresh = {key: number - self._told.get(key, 0) for key, number in dropped.items()}
        fresh = {key: number for key, number in fresh.items() if number}
        parts = [", ".join(f"{number} of {stream} ({reason})" for (reason, stream), number in fresh.items())]
        parts += sorted({_REMEDIES[reason] for reason, _ in fresh if reason in _REMEDIES})
        if last_error:
            parts.append(f"last error: {last_error}")
        self._told, self._told_at = dropped, self._now()
        if fresh:
            report(REPORTS, logging.ERROR, f"events dropped: {'; '.join(parts)}")
