"""Processes that share a spool, and end in every way: each keeps or sends its own, the next the rest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from eplogging.testing import MockKafka
from tests.support.accounts import FATES, consumed, ids_of, read_back
from tests.support.application import application, keywords, to_kafka, wait_until
from tests.support.processes import run_python, start_python
from tests.support.spooling import TOPIC, log, show
from tests.support.webload import WebLoad

pytestmark = [
    pytest.mark.faults,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system can not fork"),
]

PATIENCE = 60.0
# Forks of a process with threads are what these tests are about; from 3.12 Python warns of it.
ENV = {"PYTHONWARNINGS": "error,ignore::DeprecationWarning"}

PROGRAM = '''
import json, logging, logging.config, multiprocessing, os, signal, sys, threading
from multiprocessing import util
from tests.support.accounts import after_logging, fates, write_down
from tests.support.application import dict_config, page
from tests.support.exitprocess import import_late

WAY, OPTIONS, ACCOUNTS, FIRST = json.loads(os.environ["ORDER"])

def configure():
    import_late()  # what is imported in the midst of the end holds it up
    logging.config.dictConfig(dict_config(OPTIONS))
    logging.getLogger("eplogging").setLevel("CRITICAL")

def handler():
    return logging.getLogger("app").handlers[0]

def log(numbers):
    for number in numbers:
        event = page(page={"id": number % 5 + 1}, comment=str(FIRST + number))
        logging.getLogger("app").info("x", extra=event)

def account():
    stats = handler().stats()
    write_down(ACCOUNTS, way=WAY, **fates(stats), taken_over=stats.taken_over)

def leave():
    handler().flush()
    account()
    os._exit(5)

def fork(work):
    log(range(10))
    child = os.fork()
    if child == 0:
        work()
        return
    _, status = os.waitpid(child, 0)
    log(range(10, 20))
    sys.exit(os.waitstatus_to_exitcode(status))

def work_and_leave():
    log(range(100, 120))
    leave()

def child(method):
    """A child of multiprocessing runs no exit handlers."""
    if method != "fork":
        configure()
    util.Finalize(None, account, exitpriority=-100_000)
    log(range(100, 120))

def multi(method):
    log(range(10))
    process = multiprocessing.get_context(method).Process(target=child, args=(method,))
    process.start()
    process.join()
    log(range(10, 20))
    sys.exit(process.exitcode)

def returns():
    log(range(20))

def exits():
    log(range(20))
    sys.exit(3)

def raises():
    log(range(20))
    raise RuntimeError("told to raise")

def terminated():
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    log(range(20))
    os.kill(os.getpid(), signal.SIGTERM)
    threading.Event().wait(60)

def leaves():
    log(range(20))
    leave()

def forks():
    fork(lambda: log(range(100, 120)))

def forks_and_leaves():
    fork(work_and_leave)

def multiprocesses_by_fork():
    multi("fork")

def multiprocesses_by_spawn():
    multi("spawn")

if __name__ == "__main__":
    configure()
    after_logging(account)
    globals()[WAY]()
'''

ENDS = {"returns": 0, "exits": 3, "raises": 1, "terminated": 143, "leaves": 5}
"""Ways in which a single process ends, with the code to which they lead."""

PARENTS = {"forks": 0, "forks_and_leaves": 5, "multiprocesses_by_fork": 0, "multiprocesses_by_spawn": 0}
"""The same of processes with a child, whose code they pass on."""

WAYS = {**ENDS, **PARENTS}
LEAVES = {"leaves", "forks_and_leaves"}
"""Ways without exit handlers: what `flush` could not send is lost, unless it is on disk."""


@pytest.fixture
def accounts(tmp_path: Path) -> Path:
    return tmp_path / "accounts.ndjson"


def logged(way: str) -> list[int]:
    """The numbers that the processes of a way log."""
    first = [*WAYS].index(way) * 1000
    numbers = [*range(20), *range(100, 120)] if way in PARENTS else [*range(20)]
    return [first + number for number in numbers]


def run_all(ways: list[str], options: dict[str, Any], accounts: Path) -> list[dict[str, Any]]:
    """Runs a process for each way, all at once, each to its end; their accounts."""
    program = accounts.with_name("program.py")
    program.write_text(PROGRAM)
    with ExitStack() as stack:
        children: dict[str, subprocess.Popen[str]] = {}
        for way in ways:
            order = json.dumps([way, options, str(accounts), [*WAYS].index(way) * 1000])
            children[way] = stack.enter_context(start_python(program, env={**ENV, "ORDER": order}))
        for way, child in children.items():
            stderr = child.communicate(timeout=PATIENCE)[1]
            assert child.returncode == WAYS[way], f"{way}: {stderr}"
            assert ("told to raise" in stderr) == (stderr != "") == (way == "raises"), f"{way}: {stderr}"
    return read_back(accounts)


def check_each(ends: list[dict[str, Any]]) -> dict[str, int]:
    """Prints the invariant over all processes, and checks it for each; the sums."""
    sums = {name: sum(one[name] for one in ends) for name in ("accepted", "taken_over", *FATES)}
    parts = " + ".join(f"{name} {sums[name]}" for name in FATES)
    print(f"{len(ends)} processes: accepted {sums['accepted']} + taken over {sums['taken_over']} = {parts}")
    for one in ends:
        assert one["accepted"] + one["taken_over"] == sum(one[name] for name in FATES), one
    return sums


def check_arrived(kafka: MockKafka, expected: list[int]) -> None:
    """Each number once, by `meta.id`, and those of one process and key in order."""
    events = consumed(kafka, TOPIC)
    assert set(ids_of(events).values()) <= {1}
    numbers = [int(event["comment"]) for event in events]
    assert sorted(numbers) == sorted(expected)
    latest: dict[tuple[int, int], int] = {}
    for number in numbers:
        of = (number // 100, number % 5)
        assert number > latest.get(of, -1), f"{number} came after {latest[of]}"
        latest[of] = number


@pytest.mark.parametrize("durable", [False, True])
def test_every_way_to_end_without_a_broker(
    kafka: MockKafka, nobody: str, spool: Path, accounts: Path, durable: bool
) -> None:
    """Parents and children keep their own, or take over what one left that ended before; none is lost."""
    ways = [way for way in WAYS if durable or way not in LEAVES]
    kept: dict[str, Any] = {"spool": str(spool), "durable": durable}
    ends = run_all(ways, keywords(**to_kafka(nobody), **kept, flush_timeout=0.3), accounts)
    sums = check_each(ends)
    expected = [number for way in ways for number in logged(way)]
    assert len(ends) == len(ways) + sum(way in PARENTS for way in ways)
    assert (sums["accepted"], sums["delivered"], sums["dropped"]) == (len(expected), 0, 0)
    assert sums["pending"] == 0
    with application(**keywords(**to_kafka(kafka), **kept, flush_timeout=60)) as app:
        log(app, [99_999])
        assert app.handler.flush()
        show(app)
        assert (app.stats.taken_over, app.stats.delivered) == (len(expected), len(expected) + 1)
    check_arrived(kafka, [*expected, 99_999])
    assert not [*spool.iterdir()]


def test_every_way_to_end_with_a_broker(kafka: MockKafka, spool: Path, accounts: Path) -> None:
    """Everything is sent by whom it belongs to, and nothing is left."""
    options = keywords(**to_kafka(kafka), spool=str(spool), flush_timeout=30)
    ends = run_all([*WAYS], options, accounts)
    sums = check_each(ends)
    expected = [number for way in WAYS for number in logged(way)]
    assert sums["delivered"] == sums["accepted"] + sums["taken_over"]
    assert (sums["accepted"], sums["taken_over"]) == (len(expected), 0)
    check_arrived(kafka, expected)
    # A process that ends by `os._exit` leaves its file behind, empty.
    with application(**options) as app:
        log(app, [0])
        assert app.handler.flush()
        show(app)
        assert app.stats.taken_over == 0
    assert not [*spool.iterdir()]


FORKS_OFTEN = """
import json, os, sys, threading
from tests.support.application import application, wait_until
from tests.support.spooling import log, show
options = json.loads(sys.argv[1])
stop, logged = threading.Event(), []
def keep_logging(app):
    while not stop.wait(0.001):
        log(app, [len(logged)])
        logged.append(1)
with application(**options) as app:
    thread = threading.Thread(target=keep_logging, args=(app,))
    thread.start()
    for child in range(6):
        before = len(logged)
        wait_until(lambda: len(logged) > before + 5, "events flow")
        pid = os.fork()
        if pid == 0:
            log(app, range(100_000 + child * 100, 100_010 + child * 100))
            os._exit(0 if app.handler.flush(20) and app.stats.delivered == 10 else 1)
        assert os.waitpid(pid, 0)[1] == 0
    stop.set()
    thread.join()
    assert app.handler.flush()
show(app)
print(len(logged))
"""


def test_a_process_that_forks_while_its_threads_log(kafka: MockKafka, spool: Path) -> None:
    """A fork finds the spool's file between two transactions, never within one; the child makes its own."""
    options = keywords(**to_kafka(kafka), spool=str(spool), durable=True, flush_timeout=30)
    ended = run_python(FORKS_OFTEN, json.dumps(options), env=ENV, timeout=PATIENCE)
    assert (ended.code, ended.stderr) == (0, ""), ended
    print(ended.stdout)
    children = [100_000 + child * 100 + number for child in range(6) for number in range(10)]
    check_arrived(kafka, [*range(int(ended.stdout.splitlines()[-1])), *children])


ORPHANED = """
import json, os, signal, sys
from tests.support.application import application, wait_until
from tests.support.spooling import log
options = json.loads(sys.argv[1])
with application(**options) as app:
    log(app, range(10))
    reader, writer = os.pipe()
    if os.fork() == 0:
        os.close(writer)
        os.read(reader, 1)  # until the parent is gone
        log(app, [100])
        wait_until(lambda: app.stats.taken_over == 10, "it takes over what its parent left", 0.5)
        print("taken over", flush=True)
        os._exit(0)
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.xfail(
    reason="SQLite can not be told of a fork: in the child its parent's lock counts as held while the child "
    "lives; another process takes the file over"
)
def test_a_child_takes_over_what_its_parent_left(nobody: str, spool: Path) -> None:
    """The parent is killed; the child does not wait for another process to come."""
    options = keywords(**to_kafka(nobody), spool=str(spool), durable=True, flush_timeout=0.3)
    ended = run_python(ORPHANED, json.dumps(options), env=ENV)
    assert ended.code == -signal.SIGKILL
    assert ended.stdout == "taken over\n"


RECONFIGURED = """
import json, sys
from tests.support import reconfiguring
from tests.support.accounts import fates
from tests.support.application import dict_config
import logging.config
options, times = json.loads(sys.argv[1]), int(sys.argv[2])
def configure():
    config = dict_config(options)
    config["handlers"]["nothing"] = {"class": "logging.NullHandler"}
    config["loggers"]["eplogging"] = {"handlers": ["nothing"], "propagate": False}
    logging.config.dictConfig(config)
    return logging.getLogger("app").handlers[0]
def account(handler):
    stats = handler.stats()
    reasons = sorted({reason for reason, _ in stats.dropped})
    return {**fates(stats), "taken_over": stats.taken_over, "reasons": reasons}
def configure_often(times):
    ends = []
    with reconfiguring.Flow() as flow:
        handler = configure()
        for _ in range(times):
            flow.go_on(20)
            successor = configure()
            flow.go_on(2)
            ends.append(account(handler))
            handler = successor
    handler.close()
    logging.getLogger("app").handlers.clear()
    ends.append(account(handler))
    return ends
ends = configure_often(2)
before = reconfiguring.held()
ends += configure_often(times)
print(json.dumps({"ends": ends, "before": before, "after": reconfiguring.held()}))
"""


@pytest.mark.skipif(
    not Path("/proc/self/task").is_dir(), reason="this system does not list threads and files"
)
@pytest.mark.parametrize("durable", [False, True])
def test_logging_is_configured_again_and_again(
    kafka: MockKafka, nobody: str, spool: Path, durable: bool
) -> None:
    """Each handler takes over what the one before left; no thread, no file and no object is left over."""
    kafka.create_topic("eqiad.sample.basic", 4)
    kept: dict[str, Any] = {"spool": str(spool), "durable": durable}
    options = keywords(**to_kafka(nobody), **kept, flush_timeout=0.1)
    ended = run_python(RECONFIGURED, json.dumps(options), "6", env=ENV, timeout=PATIENCE)
    assert (ended.code, ended.stderr) == (0, ""), ended
    told = json.loads(ended.stdout)
    for what in ("objects", "threads", "files"):
        assert told["after"][what] == told["before"][what], what
    sums = check_each(told["ends"])
    assert {one["pending"] for one in told["ends"]} == {0}
    assert told["ends"][-1]["taken_over"] > 0
    kept_events = sums["accepted"] - sums["dropped"]
    assert told["ends"][-1]["spooled"] == kept_events
    assert {reason for one in told["ends"] for reason in one["reasons"]} <= {"closed"}, "amid a change"
    with application(**keywords(**to_kafka(kafka), **kept, flush_timeout=60)) as app:
        app.handler.start()
        wait_until(lambda: app.stats.delivered == kept_events, "the last one sends it all", PATIENCE)
        show(app)
    ids = ids_of(consumed(kafka))
    assert (len(ids), ids.total()) == (kept_events, kept_events)


GUNICORN = "from gunicorn.app.wsgiapp import run; run()"


def said(child: subprocess.Popen[str], word: str) -> int:
    """The number that a child prints after a word, next."""
    assert child.stdout is not None
    for line in child.stdout:
        if line.startswith(f"{word} "):
            return int(line.split()[1])
    raise AssertionError(child.communicate(timeout=PATIENCE)[1])


def test_gunicorn_with_a_spool(kafka: MockKafka, nobody: str, spool: Path, accounts: Path) -> None:
    """Preloaded workers share the directory; one ends, and the one in its place takes over what it left."""
    total = 200
    module = "tests.support.spoolapp"
    arguments = ("-c", f"python:{module}", "--preload", "--workers", "2", f"{module}:create()")
    env = {"KAFKA": nobody, "SPOOL": str(spool), "ACCOUNTS": str(accounts)}
    with start_python(GUNICORN, *arguments, env=env) as child:
        port = said(child, "port")
        first, _ = said(child, "worker"), said(child, "worker")
        with WebLoad(port, total, 4).running() as load:
            load.allow(total // 2)
            load.wait_answered(total // 2)
            os.kill(first, signal.SIGTERM)
            said(child, "worker")
            load.allow(total)
            load.wait_answered(total)
        child.terminate()
        stderr = child.communicate(timeout=PATIENCE)[1]
        assert child.returncode == 0, stderr
    ends = read_back(accounts)
    sums = check_each(ends)
    assert len(ends) == 4
    assert not load.uncertain
    assert (sums["accepted"], sums["delivered"], sums["dropped"]) == (total + 1, 0, 0)
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        app.handler.start()
        wait_until(lambda: app.stats.delivered == total + 1, "all is sent", PATIENCE)
        show(app)
    events = consumed(kafka)
    assert set(ids_of(events).values()) == {1}
    found = Counter(event["text"] for event in events if not event["text"].startswith("start"))
    assert found == Counter(load.answered)
    assert not [*spool.iterdir()]
