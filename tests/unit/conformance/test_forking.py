"""What a child process gets after a fork: locks of its own, ids of its own, and nothing kept alive for it."""

from __future__ import annotations

import gc
import os
import signal
import weakref

import pytest

from eplogging.conformance.forking import reset_after_fork
from tests.support.processes import run_python
from tests.unit.conformance.world import REPOSITORY

needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")

IDS = """
import os, sys
from eplogging.conformance import fields
before = [fields.new_id() for _ in range(3)]
read, write = os.pipe()
child = os.fork()
ids = [fields.new_id() for _ in range(1000)]
if child == 0:
    os.write(write, " ".join(ids[:800]).encode())
    os._exit(0)
got = b""
os.close(write)
while part := os.read(read, 65536):
    got += part
os.waitpid(child, 0)
theirs = got.decode().split()
assert len(theirs) == 800
assert len({*before, *ids, *theirs}) == 1803, "an id was given twice"
print("unique")
"""

LOCKS = """
import os, sys
from eplogging.conformance import Conformer
event = {"$schema": "/test/event/1.0.0", "meta": {"stream": "test.event"}}
conformer = Conformer([sys.argv[1]], sys.argv[1] + "/../streams.yaml", schema_file_extension=".yaml")
schemas, streams = conformer._schemas, conformer._streams
import threading
for locks in (schemas._locks, schemas._fetching):  # as if other threads held them all
    locks["/test/event/1.0.0"] = threading.Lock()
    locks["/test/event/1.0.0"].acquire()
streams._lock.acquire()
child = os.fork()
if child == 0:
    assert conformer.conform(event).topic == "test.event"
    os._exit(7)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""

GATE = """
import os, threading, time
from eplogging.conformance.forking import unforked
both, left = threading.Barrier(3), []
def work():
    with unforked():
        both.wait(10)  # the other one is inside, too
        time.sleep(0.3)
        left.append(1)
threads = [threading.Thread(target=work) for _ in range(2)]
for thread in threads: thread.start()
both.wait(10)
child = os.fork()
if child == 0:
    assert len(left) == 2, "it was forked while others were inside"
    with unforked():
        os._exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
before = time.monotonic()
with unforked():
    child = os.fork()  # it waits for no other
if child == 0:
    with unforked():
        second = os.fork()
    if second == 0:
        os._exit(0)
    os.waitpid(second, 0)
    os._exit(8)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
assert time.monotonic() - before < 4, "nor for itself"
"""

INTERRUPTED = """
import os, signal, time
from eplogging.conformance import forking
class Interrupt(Exception): pass
def interrupt(*_): raise Interrupt
signal.signal(signal.SIGALRM, interrupt)
interrupts, until = 0, time.monotonic() + 2
while time.monotonic() < until:
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.0002)
        while True:
            with forking.unforked():
                pass
    except Interrupt:
        interrupts += 1
signal.setitimer(signal.ITIMER_REAL, 0)
assert interrupts > 100, interrupts
assert not forking._gate.inside
forking.hold_forks(0.3)
signal.signal(signal.SIGALRM, lambda *_: os.fork() or os._exit(0))  # while the other one waits
signal.setitimer(signal.ITIMER_REAL, 0.1)
before = time.monotonic()
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
assert time.monotonic() - before < 4
print("nothing")
"""

COMPUTED = """
import os, threading, warnings
warnings.simplefilter("ignore", DeprecationWarning)  # of threads, from 3.12
from eplogging.conformance.forking import computed_once
computing, go_on = threading.Event(), threading.Event()
class Thing:
    @computed_once
    def value(self):
        computing.set()
        go_on.wait()
        return []
slow = Thing()
thread = threading.Thread(target=lambda: slow.value, daemon=True)
thread.start()
computing.wait()
child = os.fork()
go_on.set()
if child == 0:
    other = Thing()
    os._exit(7 if other.value is other.value else 8)
_, status = os.waitpid(child, 0)
print(os.waitstatus_to_exitcode(status))
"""

COLLECTED = """
import gc, os
from eplogging.conformance.forking import reset_after_fork
class Thing:
    def reset(self):
        print("reset", flush=True)
kept, dropped = Thing(), Thing()
reset_after_fork(kept.reset)
reset_after_fork(dropped.reset)
del dropped
gc.collect()
child = os.fork()
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""


def printed(program: str, *arguments: str) -> str:
    """What a program prints that ends well, and has nothing to say on stderr."""
    done = run_python(program, *arguments)
    assert (done.code, done.stderr) == (0, "")
    return done.stdout


@needs_fork
def test_ids_of_parent_and_child_differ() -> None:
    assert printed(IDS) == "unique\n"


@needs_fork
def test_a_lock_that_was_held_at_the_fork_is_free_in_the_child() -> None:
    assert printed(LOCKS, str(REPOSITORY)) == "7\n"


@needs_fork
def test_a_child_of_a_fork_in_the_midst_of_a_computation_computes_for_itself() -> None:
    assert printed(COMPUTED) == "7\n"


@needs_fork
def test_a_fork_waits_for_those_that_let_none_happen_and_they_do_not_wait_for_each_other() -> None:
    assert printed(GATE) == "7\n8\n"


@needs_fork
@pytest.mark.skipif(not hasattr(signal, "setitimer"), reason="this system has no timers")
def test_signal_handlers_that_raise_or_fork_leave_nothing_behind() -> None:
    assert printed(INTERRUPTED) == "nothing\n"


@needs_fork
def test_what_is_collected_is_not_called_and_prints_nothing() -> None:
    assert printed(COLLECTED) == "reset\n"


def test_the_object_can_be_collected() -> None:
    class Thing:
        def reset(self) -> None:
            """Nothing to do."""

    thing = Thing()
    reset_after_fork(thing.reset)
    reference = weakref.ref(thing)
    del thing
    gc.collect()
    assert reference() is None


def test_a_system_without_fork_is_no_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "register_at_fork", raising=False)

    class Thing:
        def reset(self) -> None:
            raise AssertionError("nothing was forked")

    reset_after_fork(Thing().reset)
