"""Parent and child each deliver their own events once, whatever the fork found half done (P11 to P15)."""

from __future__ import annotations

import json
import os

import pytest

from eplogging.testing import MockKafka
from tests.support.processes import Finished, run_python

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can not fork")

# A fork of a process with threads is what these tests are about; from 3.12 Python warns of it.
ENV = {"PYTHONWARNINGS": "error,ignore::DeprecationWarning"}
PRELUDE = """
import gc, json, logging, logging.config, os, sys, threading, time, weakref
from eplogging import EventPlatformHandler
from eplogging.sinks import MemorySink
from tests.support.application import assert_balanced, basic, dict_config, keywords, to_kafka, wait_until
from tests.support.sinks import HeldSink
KAFKA = sys.argv[1]
def configure(**options):
    logging.config.dictConfig(dict_config(keywords(**{**to_kafka(KAFKA), **options})))
    log = logging.getLogger("app")
    return log, log.handlers[0]
def our_threads():
    return [t.name for t in threading.enumerate() if t.name.startswith("eplogging")]
def in_child(work):
    '''Runs work in a forked child, which then ends as a program does.'''
    child = os.fork()
    if child == 0:
        work()
        sys.exit(0)
    _, status = os.waitpid(child, 0)
    assert status == 0, status
"""


def run(body: str, kafka: str = "", timeout: float = 25) -> Finished:
    finished = run_python(PRELUDE + body, kafka, timeout=timeout, env=ENV)
    assert (finished.code, finished.stderr) == (0, ""), finished
    return finished


def numbers(kafka: MockKafka) -> list[int]:
    return sorted(json.loads(one.value() or b"")["number"] for one in kafka.consume("eqiad.sample.basic"))


@pytest.mark.parametrize("before", [0, 3])
def test_parent_and_child_each_deliver_their_own_events_once(kafka: MockKafka, before: int) -> None:
    """P12, P13: with the parent's producer alive (or not there yet), neither doubles the other's events."""
    run(
        f"""
log, handler = configure()
for n in range({before}): log.info("parent", extra=basic(n))
assert handler.flush() or not {before}
def work():
    for n in range(100, 110): log.info("child", extra=basic(n))
in_child(work)
for n in range(200, 210): log.info("parent", extra=basic(n))
""",
        kafka.bootstrap_servers,
    )
    assert numbers(kafka) == [*range(before), *range(100, 110), *range(200, 210)]


def test_what_the_parent_has_queued_is_sent_once(kafka: MockKafka) -> None:
    """P12: the child starts empty: nothing queued, pending or counted."""
    run(
        """
log, handler = configure()
for n in range(1000): log.info("parent", extra=basic(n))
def work():
    stats = handler.stats()
    assert (stats.accepted, stats.pending, stats.pending_bytes) == (0, 0, 0), stats
    log.info("child", extra=basic(5000))
    assert handler.flush()
    assert handler.stats().accepted == handler.stats().delivered == 1
for _ in range(3): in_child(work)
""",
        kafka.bootstrap_servers,
    )
    assert numbers(kafka) == [*range(1000), 5000, 5000, 5000]


def test_ids_of_parent_and_child_differ(kafka: MockKafka) -> None:
    """P12: `meta.id` is made of randomness that the fork did not copy."""
    run(
        """
log, handler = configure()
log.info("parent", extra=basic(0)); handler.flush()
def work():
    for n in range(300): log.info("child", extra=basic(n))
in_child(work); in_child(work)
for n in range(300): log.info("parent", extra=basic(n))
""",
        kafka.bootstrap_servers,
    )
    ids = [json.loads(one.value() or b"")["meta"]["id"] for one in kafka.consume("eqiad.sample.basic")]
    assert len(ids) == len(set(ids)) == 901


def test_a_child_has_no_thread_until_it_logs(kafka: MockKafka) -> None:
    """P14: the fork hook only resets; a child that logs nothing ends at once."""
    run(
        """
log, handler = configure()
log.info("parent", extra=basic(0)); handler.flush()
assert "eplogging-listener" in our_threads()
def work():
    assert our_threads() == []
    log.info("child", extra=basic(1))
    assert "eplogging-listener" in our_threads()
in_child(work)
in_child(lambda: None)
""",
        kafka.bootstrap_servers,
    )
    assert numbers(kafka) == [0, 1]


def test_locks_that_another_thread_held_are_free_in_the_child(kafka: MockKafka) -> None:
    """P11: a look-up, a start of the listener and a flush may be under way while the process forks."""
    run(
        """
log, handler = configure()
log.info("parent", extra=basic(0)); handler.flush()
conformer, listener = handler._conformer, handler._listener
held = [conformer._streams._lock, listener._starting,
        conformer._schemas._locks.setdefault("/sample/other/1.0.0", threading.Lock())]
for lock in held: lock.acquire()
def work():
    log.info("child", extra={**basic(1, stream="sample.other"), "$schema": "/sample/other/1.0.0"})
    log.info("child", extra=basic(2))
    assert handler.flush(10)
    assert handler.stats().delivered == 2, handler.stats()
in_child(work)
for lock in held: lock.release()
""",
        kafka.bootstrap_servers,
    )
    assert numbers(kafka) == [0, 2]


def test_the_parent_s_producer_is_neither_used_nor_freed_in_the_child(kafka: MockKafka) -> None:
    """P13: a child that drops the handler must not wait for threads that it does not have."""
    run(
        """
log, handler = configure()
log.info("parent", extra=basic(0)); handler.flush()
def work():
    global handler
    started = time.monotonic()
    log.handlers.clear()
    handler.close()
    del handler
    gc.collect()
    assert time.monotonic() - started < 2
in_child(work)
""",
        kafka.bootstrap_servers,
    )


def test_a_fork_waits_until_a_new_producer_has_begun(kafka: MockKafka) -> None:
    """Its threads hold locks of OpenSSL while they begin, which would stay locked in the child for ever."""
    run(
        """
from eplogging.conformance import forking
log, handler = configure()
log.info("parent", extra=basic(1))
wait_until(lambda: handler._sink._producer is not None, "a producer is made")
wait_until(lambda: forking._quiet_at > 0, "it begins")
begun = forking._quiet_at
def work():
    assert time.monotonic() >= begun
    assert forking._quiet_at == 0, "the child has no producer yet"
    log.info("child", extra=basic(2))
    assert handler.flush()
in_child(work)
assert handler.flush()
""",
        kafka.bootstrap_servers,
    )
    assert numbers(kafka) == [1, 2]


def test_a_failed_flush_of_the_parent_costs_the_child_no_events() -> None:
    """P12: what the parent waited for in vain must not make the child hurry."""
    run(
        """
sink = HeldSink()
log, handler = configure(kafka=None, sink=sink, flush_timeout=1)
log.info("parent", extra=basic(0))
assert not handler.flush()
def work():
    sink.released.set()
    log.info("child", extra=basic(1))
    handler.close()
    assert handler.stats().delivered == 1, handler.stats()
in_child(work)
sink.released.set()
"""
    )


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(kafka: MockKafka, method: str, tmp_path_factory: pytest.TempPathFactory) -> None:
    """P17: a child of multiprocessing ends without `logging.shutdown`, and yet loses nothing."""
    program = tmp_path_factory.mktemp("program") / "program.py"
    program.write_text(
        PRELUDE.replace("KAFKA = sys.argv[1]", "KAFKA = os.environ['KAFKA']")
        + """
import multiprocessing
def work(start):
    if multiprocessing.get_start_method() != "fork":
        configure()
    for n in range(start, start + 5): logging.getLogger("app").info("child", extra=basic(n))
if __name__ == "__main__":
    multiprocessing.set_start_method(sys.argv[1])
    log, handler = configure()
    log.info("parent", extra=basic(0)); handler.flush()
    children = [multiprocessing.Process(target=work, args=(start,)) for start in (100, 200)]
    for child in children: child.start()
    for child in children: child.join()
    assert [child.exitcode for child in children] == [0, 0]
    log.info("parent", extra=basic(1))
"""
    )
    finished = run_python(program, method, env={**ENV, "KAFKA": kafka.bootstrap_servers})
    assert (finished.code, finished.stderr) == (0, ""), finished
    assert numbers(kafka) == [0, 1, *range(100, 105), *range(200, 205)]


def test_a_closed_handler_can_be_collected_and_a_fork_after_it_says_nothing() -> None:
    """P15: `register_at_fork` can not be undone, so it must not hold the handler."""
    run(
        """
handler = EventPlatformHandler(sink=MemorySink(), **keywords())
log = logging.getLogger("app"); log.setLevel("INFO"); log.addHandler(handler)
log.info("x", extra=basic(0))
assert handler.flush()
handler.close()
log.removeHandler(handler)
references = [weakref.ref(part) for part in (handler, handler._conformer, handler._listener)]
del handler
gc.collect()
assert [reference() for reference in references] == [None, None, None], references
in_child(lambda: None)
"""
    )


def test_a_file_is_written_by_parent_and_child(tmp_path: os.PathLike[str]) -> None:
    """P12 for `output`: whole lines, each once, and no file left open."""
    path = os.path.join(tmp_path, "events.ndjson")
    run(
        f"""
log, handler = configure(kafka=None, output={path!r})
log.info("parent", extra=basic(0)); handler.flush()
def work():
    for n in range(100, 300): log.info("child", extra=basic(n))
in_child(work)
for n in range(1, 200): log.info("parent", extra=basic(n))
"""
    )
    with open(path, encoding="utf-8") as file:
        written = sorted(json.loads(line)["number"] for line in file)
    assert written == sorted([*range(200), *range(100, 300)])
