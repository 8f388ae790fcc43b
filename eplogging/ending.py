"""Children of `multiprocessing` end by `os._exit`, and so without `logging.shutdown`."""

from __future__ import annotations

import sys
from collections.abc import Callable

from .conformance.forking import weakly

_LAST = -1_000


def at_child_end(method: Callable[[], object]) -> None:
    """Calls a bound method at the end of this process, if `multiprocessing` started it.

    What is registered before a fork is forgotten in the child, so this belongs to what a process
    does first; the object is held weakly.

    Args:
        method: a bound method without arguments.
    """
    processes, util = sys.modules.get("multiprocessing.process"), sys.modules.get("multiprocessing.util")
    if processes is None or util is None or processes.parent_process() is None:
        return
    util.Finalize(None, weakly(method), exitpriority=_LAST)
