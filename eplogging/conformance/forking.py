"""What a child process must make anew after `os.fork`, and what a fork must wait for: locks, above all."""

from __future__ import annotations

import importlib
import os
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Generic, TypeVar

T = TypeVar("T")


def reset_after_fork(method: Callable[[], Any]) -> None:
    """Calls a bound method in each child process that is forked from now on, while its object lives.

    `os.register_at_fork` can not be undone, so there is one hook for all, and the object is held weakly: it
    can be collected, and nothing is left of it.

    Args:
        method: a bound method without arguments, one for each object; it must start no thread and take no
            lock.
    """
    bound: Any = method
    _to_reset[bound.__self__] = bound.__func__


_to_reset: weakref.WeakKeyDictionary[object, Callable[[Any], Any]] = weakref.WeakKeyDictionary()


def weakly(method: Callable[[], object]) -> Callable[[], None]:
    """A function that calls a bound method while its object lives, and does not keep it alive."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        alive = reference()
        if alive is not None:
            alive()

    return call


_LONGEST_WAIT = 5.0


class _Gate:
    """Lets in any number of threads, or one that forks.

    A signal handler may raise, log or fork between any two steps: so what is inside can be taken out twice,
    and no thread waits for itself.

    Attributes:
        inside: what is inside, and in which thread.
    """

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self.inside: dict[object, int] = {}
        self._forking: int | None = None

    def enter(self, token: object) -> None:
        thread = threading.get_ident()
        with self._changed:
            if thread not in self.inside.values():
                self._changed.wait_for(lambda: self._forking in (None, thread), _LONGEST_WAIT)
            self.inside[token] = thread

    def tell(self) -> None:
        """Something is inside no more."""
        with self._changed:
            self._changed.notify_all()

    def fork_begins(self) -> None:
        thread = threading.get_ident()
        with self._changed:
            self._changed.wait_for(lambda: self._forking in (None, thread), _LONGEST_WAIT)
            self._forking = thread
            self._changed.wait_for(lambda: {thread}.issuperset(self.inside.values()), _LONGEST_WAIT)

    def fork_ends(self) -> None:
        with self._changed:
            self._forking = None
            self._changed.notify_all()


_gate = _Gate()
_quiet_at = 0.0


@contextmanager
def unforked() -> Iterator[None]:
    """Lets no other thread fork within the block, which must be short and wait for nothing."""
    token = object()
    try:
        _gate.enter(token)
        yield
    finally:
        _gate.inside.pop(token, None)  # one call into C: no signal handler comes in between
        _gate.tell()


def hold_forks(seconds: float) -> None:
    """Lets forks wait until some time has passed, for the sake of threads that are not Python's.

    Args:
        seconds: how long a fork that comes now waits.
    """
    global _quiet_at
    _quiet_at = max(_quiet_at, time.monotonic() + seconds)


class computed_once(Generic[T]):  # noqa: N801 - a decorator, named as functools names its own
    """`functools.cached_property` without the lock that it has before Python 3.12.

    That one is shared by all instances, and a child that is forked while it is held would wait for ever.
    Threads that come at the same time each compute the value.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute = compute
        self.__doc__ = compute.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    def __get__(self, instance: Any, owner: type) -> T:
        value = instance.__dict__[self._name] = self._compute(instance)
        return value


def imported(name: str) -> Any:
    """Imports a module late, in the background: the start of an application need not wait for it.

    A fork in the midst of an import would leave the child with half a module, so it waits for the end.
    """
    with unforked():
        return importlib.import_module(name)


def _before() -> None:
    _gate.fork_begins()
    begun = _quiet_at - time.monotonic()
    if begun > 0:
        time.sleep(begun)


def _after() -> None:
    _gate.fork_ends()


def _anew() -> None:
    global _gate, _quiet_at
    _gate, _quiet_at = _Gate(), 0.0
    for thing, reset in tuple(_to_reset.items()):
        reset(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_anew)
