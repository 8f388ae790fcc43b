"""What a child process must make anew after `os.fork`, and what a fork must wait for: locks, above all."""

from __future__ import annotations

import importlib
import os
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any


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
_busy = threading.RLock()
_held = threading.local()


@contextmanager
def unforked() -> Iterator[None]:
    """Lets no other thread fork within the block, which must be short and wait for nothing."""
    with _busy:
        yield


def imported(name: str) -> Any:
    """Imports a module late, in the background: the start of an application need not wait for it.

    A fork in the midst of an import would leave the child with half a module, so it waits for the end.
    """
    with unforked():
        return importlib.import_module(name)


def _before() -> None:
    _held.forking = _busy.acquire(timeout=_LONGEST_WAIT)


def _after() -> None:
    if _held.forking:
        _busy.release()


def _anew() -> None:
    global _busy
    _busy = threading.RLock()
    for thing, reset in tuple(_to_reset.items()):
        reset(thing)


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_anew)
