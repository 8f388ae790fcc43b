"""A program that ends in one of many ways, for every interpreter that is installed.

    exitprogram.py ACCOUNTS KAFKA FLUSH_TIMEOUT PATH...

goes the one path itself; of several, a fork of it goes each, a few at a time. That spares them the
imports. Every process writes its account at the last moment that it has.
"""

# ruff: noqa: E402 - what is registered before logging is imported runs after logging.shutdown

from __future__ import annotations

import atexit


@atexit.register
def _end() -> None:
    for step in at_the_end:
        step()


import os
import sys

from tests.support.exitpaths import PATHS
from tests.support.exitprocess import Given, account, at_the_end, configure, ended, ending, import_late

AT_A_TIME = 3
COLD = 3
"""As many forks import for themselves what eplogging imports late, which it then does as they end."""


def go(given: Given) -> None:
    configure(given)
    at_the_end.append(account)
    try:
        PATHS[given.path][0]()
    finally:
        ending()


def main(accounts: str, kafka: str, flush_timeout: str, *paths: str) -> None:
    each = [Given(path, accounts, kafka, float(flush_timeout)) for path in paths]
    if len(each) == 1:
        go(each[0])
        return
    children: dict[int, Given] = {}
    for number, given in enumerate(each):
        if number == COLD:
            import_late()
        if len(children) == AT_A_TIME:
            reap(children)
        pid = os.fork()
        if pid == 0:
            go(given)
            return
        children[pid] = given
    while children:
        reap(children)


def reap(children: dict[int, Given]) -> None:
    pid, status = os.wait()
    ended(pid, code=os.waitstatus_to_exitcode(status), of=children.pop(pid))


if __name__ == "__main__":
    main(*sys.argv[1:])
