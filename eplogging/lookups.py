"""Look-ups that need a file or a server, made beside the listener so that it never waits for them.

Events of a stream whose head needs a look-up are parked, in order; every other stream keeps
flowing. A look-up that gets no answer is tried again with growing pauses.
"""

from __future__ import annotations

import logging
import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import NamedTuple

from .conformance import ConformanceError, Conformer, Message, UnavailableError
from .conformance.allowance import Allowance
from .guard import STATE, enter_own_thread
from .items import Deferred, Item, Kept
from .reports import REPORTS, OncePerMinute, described, report

MAX_THREADS = 4
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 60.0


_MAX_FAILURES = 3
"""How often a look-up may raise what nobody expects, before its event is given up: others wait behind it."""

_UNANSWERED, _UNANSWERED_PERIOD = 30, 15.0


class _Ended(NamedTuple):
    """What became of a look-up: answered, where neither of the texts is set."""

    stream: str
    unanswered: str = ""
    failed: str = ""


class _Parked:
    """The waiting events of one stream."""

    __slots__ = ("asking", "failures", "items", "pause", "try_at")

    def __init__(self) -> None:
        self.items: deque[Item] = deque()
        self.asking = False
        self.failures = 0
        self.try_at = 0.0
        self.pause = FIRST_PAUSE


class Lookups:
    """Parked streams, and the threads that look up what they need.

    Only the listener's thread calls its methods, and none of them waits; the threads it starts
    are daemons, end with their look-up, and only hand over a result.

    Args:
        conformer: makes the look-ups.
        wake: called from a look-up's thread when it has ended.

    Attributes:
        parked: the waiting events by stream; later ones of these streams must wait behind them.
    """

    def __init__(self, conformer: Conformer, wake: Callable[[], None]) -> None:
        self._conformer = conformer
        self._wake = wake
        self._now = time.monotonic  # bound here: module globals may be gone at shutdown
        self.parked: dict[str, _Parked] = {}
        self._ended: SimpleQueue[_Ended] = SimpleQueue()
        self._told = OncePerMinute(REPORTS)
        # Look-ups without an answer; past them others wait: a flood of names becomes no flood of requests.
        self._unanswered = Allowance(_UNANSWERED, _UNANSWERED_PERIOD)
        self._look_at = 0.0
        self._threads = 0
        self._refreshing = False
        self._precache_at, self._precache_pause = math.inf, FIRST_PAUSE

    def park(self, item: Item) -> None:
        """Keeps an item behind the others of its stream, the first time because of a look-up.

        What stands on the disk is older than what does not.
        """
        if item.stream not in self.parked:
            self.parked[item.stream] = _Parked()
            self._look_at = 0.0
        items = self.parked[item.stream].items
        newer = []
        if isinstance(item, Kept):
            while items and not isinstance(items[-1], Kept):
                newer.append(items.pop())
        items.append(item)
        items.extend(reversed(newer))

    def take_unkept(self, stream: str) -> list[Message | Deferred]:
        """Gives up the items of a stream that do not stand on the disk, and returns them in order."""
        taken: list[Message | Deferred] = []
        parked = self.parked.get(stream)
        while parked and parked.items and not isinstance(parked.items[-1], Kept):
            taken.append(parked.items.pop())  # type: ignore[arg-type]
        if parked and not parked.items:
            del self.parked[stream]
        return taken[::-1]

    def drain(self) -> list[Item]:
        """Gives up every waiting item, and returns them."""
        items = [item for parked in self.parked.values() for item in parked.items]
        self.parked.clear()
        return items

    def turn(self, pass_on: Callable[[Item], bool], give_up: Callable[[Item, str], None]) -> None:
        """Passes on what waits no more, and starts the look-ups that are due.

        Args:
            pass_on: takes an item; False if it needs a look-up still.
            give_up: takes an item whose look-up fails for no reason that we know, and what was raised.
        """
        while True:
            try:
                ended = self._ended.get_nowait()
            except Empty:
                break
            self._threads -= 1
            self._look_at = 0.0
            self._tell(ended)
            if not ended.stream:
                self._refreshing = False
            elif ended.stream in self.parked:
                self._settle(ended, pass_on, give_up)
        self._start_due()

    def _tell(self, ended: _Ended) -> None:
        if ended.unanswered:
            self._unanswered.spend(self._now())
            self._told.tell(logging.WARNING, "unanswered", ended.unanswered)
        elif ended.failed:
            self._told.tell(logging.ERROR, "failed", f"a look-up failed: {ended.failed}")

    def refresh_if_due(self) -> None:
        """Starts a refresh of stream configs whose time to live is over, or again what failed at first."""
        if not self._refreshing and self._now() >= self._precache_at:
            self.precache()
        if not self._refreshing and self._conformer.refresh_due():
            self._refreshing = True
            self._start("", self._conformer.refresh)

    def precache(self) -> None:
        """Starts the look-ups that the configuration asks for at the start."""
        self._refreshing = True
        self._start("", self._precache)

    def _precache(self) -> None:
        self._precache_at = math.inf
        failed = self._conformer.precache()
        for error in failed:
            report(REPORTS, 30, f"a schema of schema_precache_uris could not be looked up: {error}")
        if any(isinstance(error, UnavailableError) for error in failed):
            self._precache_at = self._now() + self._precache_pause
            self._precache_pause = min(2 * self._precache_pause, LONGEST_PAUSE)

    def _settle(
        self, ended: _Ended, pass_on: Callable[[Item], bool], give_up: Callable[[Item, str], None]
    ) -> None:
        parked = self.parked[ended.stream]
        parked.asking = False
        parked.failures += bool(ended.failed)
        if parked.failures >= _MAX_FAILURES:
            parked.failures = 0
            give_up(parked.items.popleft(), ended.failed)
        if not ended.unanswered and not ended.failed:
            parked.pause = FIRST_PAUSE
            while parked.items and pass_on(parked.items[0]):
                parked.items.popleft()
                parked.failures = 0
        if not parked.items:
            del self.parked[ended.stream]
            return
        if not ended.unanswered and not ended.failed:
            return
        # no secret: it spreads look-ups
        parked.try_at = self._now() + parked.pause * random.uniform(0.8, 1.2)  # nosec B311
        parked.pause = min(parked.pause * 2, LONGEST_PAUSE)

    def _start_due(self) -> None:
        now = self._now()
        if now < self._look_at:
            return  # there may be very many streams
        due = [(stream, one) for stream, one in self.parked.items() if not one.asking and now >= one.try_at]
        for stream, parked in due:
            if self._threads >= MAX_THREADS or self._unanswered.is_spent(now):
                self._look_at = now + FIRST_PAUSE
                return
            head = parked.items[0]
            parked.asking = True
            self._start(stream, lambda head=head: self._look_up(head))  # type: ignore[misc]
        waiting = (one.try_at for one in self.parked.values() if not one.asking)
        self._look_at = min(waiting, default=math.inf)

    def _look_up(self, head: Item) -> None:
        if isinstance(head, Kept):
            head = head.item
        if isinstance(head, Deferred):
            self._conformer.look_up(head.event())

    def _start(self, stream: str, ask: Callable[[], object]) -> None:
        self._threads += 1

        def run() -> None:
            ended = _Ended(stream)
            depth, is_own = STATE.depth, STATE.is_own
            enter_own_thread()
            try:
                ask()
            except UnavailableError as error:
                ended = _Ended(stream, unanswered=str(error))
            except ConformanceError:
                pass  # the event's own rejection says it
            except BaseException as error:  # a panic of a library in Rust is no Exception
                ended = _Ended(stream, failed=described(error))
            finally:
                # It is the application's thread where none could be started.
                STATE.depth, STATE.is_own = depth, is_own
                self._ended.put(ended)
                self._wake()

        try:
            threading.Thread(target=run, name="eplogging-lookup", daemon=True).start()
        except RuntimeError:  # no thread can be started any more: the interpreter is shutting down
            run()
