"""The shortest way of an event into the queue: one call into C for all that a logging call does with most."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from .budget import OVERHEAD, Budget
from .conformance import Conformer
from .conformance.accelerated import is_pure, selected
from .context import BOUND
from .guard import STATE
from .listener import CROWDED, YIELD_EVERY, Listener
from .metrics import Counters
from .records import EventFormatter

try:
    if is_pure:
        raise ImportError
    from ._intake import Intake as Intake
except ImportError:
    Intake = None  # type: ignore[assignment,misc]

Handle = Callable[[logging.LogRecord], Any]


def make_intake(
    conformer: Conformer,
    formatter: logging.Formatter,
    listener: Listener,
    counters: Counters,
    budget: Budget,
    *,
    pid: int,
    otherwise: Handle,
    raised: Callable[[BaseException, logging.LogRecord, bool], None],
) -> Handle | None:
    """What queues the message of a record that carries an event as most do.

    Args:
        conformer: makes messages of events.
        formatter: finds the event in a record.
        listener: whose queue takes the message.
        counters: where the event is counted.
        budget: whose limits hold.
        pid: the process that the listener's thread is in; in another one, every record is for `otherwise`.
        otherwise: handles each other record, nothing of which was counted.
        raised: called with what was raised, the record, and whether its event is queued and counted by then.

    Returns:
        A function that handles a record; None where there is none, since C was not built or the handler asks
        for more.
    """
    if Intake is None or conformer.warm is None or not conformer.conforms_fast:
        return None
    if type(formatter) is not EventFormatter or formatter.adds:
        return None
    return Intake(
        selected=selected,
        conform=conformer.warm,
        wanted=formatter.is_field,
        state=STATE,
        bound=BOUND,
        listener=listener,
        queue=listener.queue,
        accepted=counters.accepted,
        pending=counters.pending,
        pending_bytes=counters.pending_bytes,
        otherwise=otherwise,
        raised=raised,
        pid=pid,
        most_messages=budget.max_messages,
        most_bytes=budget.max_bytes,
        overhead=OVERHEAD,
        crowded=CROWDED,
        yield_every=YIELD_EVERY,
    ).handle
