"""The ways in which a process can end that has logged events, each a function that ends it so.

A function that returns stands for the end of a program's text.
"""

from __future__ import annotations

import atexit
import concurrent.futures
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from typing import Any, NoReturn

from tests.support.exitprocess import (
    Given,
    account,
    at_the_end,
    begin_child,
    begin_child_of_multiprocessing,
    ended,
    ending,
    given,
    handler,
    log,
)

_PATIENCE = 60.0


def exits(code: int) -> NoReturn:
    log()
    sys.exit(code)


def exception() -> NoReturn:
    log()
    raise RuntimeError("told to raise")


def exception_in_a_thread() -> None:
    thread = threading.Thread(target=exception)
    thread.start()
    thread.join()
    log()


def sigterm() -> None:
    def stop(*_: object) -> NoReturn:
        log()
        sys.exit(143)

    signal.signal(signal.SIGTERM, stop)
    log()
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(_PATIENCE)


def sigint() -> None:
    # A shell that runs the tests in its background has them ignore the signal.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    log()
    os.kill(os.getpid(), signal.SIGINT)
    threading.Event().wait(_PATIENCE)


def os_exit_after_flush() -> NoReturn:
    log()
    ending()
    handler().flush()
    account()
    os._exit(5)


def daemon_threads() -> None:
    """Threads that log until the very end; what comes after `close` is counted as dropped."""
    stop, begun = threading.Event(), threading.Barrier(4)

    def keep_logging() -> None:
        log(1)
        begun.wait(_PATIENCE)
        while not stop.wait(0.002):
            log(1)

    threads = [threading.Thread(target=keep_logging, daemon=True) for _ in range(3)]
    for thread in threads:
        thread.start()
    begun.wait(_PATIENCE)
    at_the_end[:0] = [stop.set, *(partial(thread.join, _PATIENCE) for thread in threads)]


def atexit_before_logging() -> None:
    """What is logged after `logging.shutdown` is counted as dropped."""
    log()
    at_the_end.insert(0, log)


def atexit_after_logging() -> None:
    log()
    atexit.register(log)


def only_at_exit() -> None:
    """From 3.12 no thread can start then."""
    atexit.register(log)


def fork(child: Callable[[], NoReturn]) -> None:
    log()
    pid = os.fork()
    if pid == 0:
        begin_child()
        child()
    _, status = os.waitpid(pid, 0)
    ended(pid, code=os.waitstatus_to_exitcode(status))
    log()


def fork_and_exit() -> None:
    """The child ends as a program does; the parent's exit handlers are the child's, too."""

    def child() -> NoReturn:
        log()
        ending()
        sys.exit(5)

    fork(child)


def work(_: object = None) -> None:
    log()
    ending()


def work_and_flush(_: object = None) -> None:
    log()
    handler().flush()
    account()


def _process_work(given: Given | None) -> None:
    begin_child_of_multiprocessing(given)
    work()


def process(context: Any, options: Given | None) -> float:
    children = [context.Process(target=_process_work, args=(options,)) for _ in range(2)]
    for child in children:
        child.start()
    for child in children:
        child.join()
    assert [child.exitcode for child in children] == [0, 0]
    return 0.0


def pool(context: Any, options: Given | None) -> float:
    with context.Pool(2, begin_child_of_multiprocessing, (options,)) as workers:
        workers.map(work, range(4), chunksize=1)
        since = time.monotonic()
        workers.close()
        workers.join()
    return since


def terminated_pool(context: Any, options: Given | None) -> float:
    """The end of its `with` block kills a pool's workers: they have to flush before."""
    with context.Pool(2, begin_child_of_multiprocessing, (options,)) as workers:
        workers.map(work_and_flush, range(2), chunksize=1)
        return time.monotonic()


def executor(context: Any, options: Given | None) -> float:
    with concurrent.futures.ProcessPoolExecutor(
        2, context, begin_child_of_multiprocessing, (options,)
    ) as workers:
        list(workers.map(work, range(4)))
        return time.monotonic()


def with_children(kind: Callable[[Any, Given | None], float], method: str) -> None:
    context = multiprocessing.get_context(method)
    log()
    since = kind(context, None if method == "fork" else given())
    ended(None, since=since)
    log()


METHODS = ("fork", "spawn", "forkserver")
_SIMPLE: dict[str, tuple[Callable[[], None], int]] = {
    "returns": (log, 0),
    "only_at_exit": (only_at_exit, 0),
    "exit_0": (partial(exits, 0), 0),
    "exit_3": (partial(exits, 3), 3),
    "exception": (exception, 1),
    "exception_in_a_thread": (exception_in_a_thread, 0),
    "sigterm": (sigterm, 143),
    "sigint": (sigint, -signal.SIGINT),
    "os_exit_after_flush": (os_exit_after_flush, 5),
    "daemon_threads": (daemon_threads, 0),
    "atexit_before_logging": (atexit_before_logging, 0),
    "atexit_after_logging": (atexit_after_logging, 0),
    "fork_and_exit": (fork_and_exit, 0),
    "fork_and_os_exit": (partial(fork, os_exit_after_flush), 0),
}
_CHILDREN: dict[str, tuple[Callable[[], None], int]] = {
    f"{kind.__name__}_{method}": (partial(with_children, kind, method), 0)
    for kind in (process, pool, terminated_pool, executor)
    for method in METHODS
}
PATHS = {**_SIMPLE, **_CHILDREN}
"""Each path with the exit code to which it leads."""

COMPACT = (
    *_SIMPLE,
    "process_fork",
    "process_spawn",
    "pool_forkserver",
    "terminated_pool_fork",
    "executor_fork",
)
"""Each way once, and each kind of children once."""

FEW = (
    "returns",
    "only_at_exit",
    "atexit_after_logging",
    "exception",
    "sigterm",
    "os_exit_after_flush",
    "daemon_threads",
    "fork_and_exit",
    "process_fork",
    "process_spawn",
    "executor_fork",
)
"""The ways in which one release of Python differs from another."""
