"""The shortest way of an event into the queue: one call into C for all that a logging call does with most."""

from __future__ import annotations

import logging
from collections.abc import Callable

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

Take = Callable[[logging.LogRecord], bool]


def make_intake(
    conformer: Conformer,
    formatter: logging.Formatter,
    listener: Listener,
    counters: Counters,
    budget: Budget,
) -> Take | None:
    """What queues the message of a record that carries an event as most do.

    Args:
        conformer: makes messages of events.
        formatter: finds the event in a record.
        listener: whose queue takes the message.
        counters: where the event is counted.
        budget: whose limits hold.

    Returns:
        A function that says of a record whether nothing is left to do: its event is queued and counted, or it
        carries none. Where it says no, nothing has changed. None where there is no such function.
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
        most_messages=budget.max_messages,
        most_bytes=budget.max_bytes,
        overhead=OVERHEAD,
        crowded=CROWDED,
        yield_every=YIELD_EVERY,
    ).take
