"""Whether events are delivered, in a form that a readiness probe or an alert can use."""

from __future__ import annotations

from dataclasses import dataclass

from .metrics import Stats

INTERVAL = 5.0
"""Seconds without a delivery, while events wait as long, after which delivery counts as stopped."""


@dataclass(frozen=True)
class Health:
    """The state of delivery at one moment.

    Attributes:
        is_ok: whether there is no problem.
        problems: what is wrong, a sentence each.
    """

    is_ok: bool
    problems: tuple[str, ...]


def health_of(stats: Stats, *, since: float | None, listener_trouble: str, spool_trouble: str) -> Health:
    """Judges a snapshot.

    Args:
        stats: the snapshot.
        since: seconds since the last delivery; None if there was none.
        listener_trouble: why nobody takes what is queued; empty if that is no problem.
        spool_trouble: why the spool can not be written; empty if it can, or if there is none.
    """
    problems = []
    if listener_trouble:
        problems.append(f"{listener_trouble}; configure logging anew")
    waiting = stats.pending + stats.spooled
    if waiting and stats.oldest > INTERVAL and (since is None or since > INTERVAL):
        last = "nothing was delivered yet" if since is None else f"the last delivery was {since:.0f} s ago"
        error = f"; last error: {stats.last_error}" if stats.last_error else ""
        problems.append(
            f"delivery has stopped: {waiting} events wait, the oldest for {stats.oldest:.0f} s, and "
            f"{last}{error}; look at the brokers, and at the log of eplogging.kafka"
        )
    if spool_trouble:
        problems.append(f"the spool can not be written: {spool_trouble}")
    return Health(not problems, tuple(problems))
