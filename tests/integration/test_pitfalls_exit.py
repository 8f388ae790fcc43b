"""Processes that end or are interrupted neither hang nor lose events (P7, P8, P10, P16 to P19)."""

from __future__ import annotations

import gc
import json
import logging
import logging.config
import signal
import socket
import threading
import time
from typing import Any

import pytest

from eplogging.conformance import Message
from eplogging.sinks import MemorySink
from eplogging.testing import MockKafka
from tests.support.application import (
    Collected,
    application,
    assert_balanced,
    basic,
    dict_config,
    keywords,
    page,
    to_kafka,
    wait_until,
)
from tests.support.processes import Finished, run_python
from tests.support.proxy import TcpProxy
from tests.support.sinks import HeldSink

pytestmark = pytest.mark.faults

STRICT = {"PYTHONWARNINGS": "error"}
PRELUDE = """
import atexit, logging, logging.config, os, signal, sys, threading
from tests.support.application import basic, dict_config, keywords, to_kafka
KAFKA = sys.argv[1]
def configure(**options):
    logging.config.dictConfig(dict_config(keywords(**{**to_kafka(KAFKA), **options}), root=True))
    return logging.getLogger("app")
"""


def run(body: str, kafka: str, timeout: float = 20) -> Finished:
    """A program that ends by itself, in time, without a word on stderr."""
    finished = run_python(PRELUDE + body, kafka, timeout=timeout, env=STRICT)
    assert (finished.code, finished.stderr) == (0, ""), finished
    return finished


def numbers(kafka: MockKafka) -> list[int]:
    return sorted(json.loads(one.value() or b"")["number"] for one in kafka.consume("eqiad.sample.basic"))


def test_nothing_is_lost_at_exit(kafka: MockKafka) -> None:
    """P17: the thread is a daemon, and yet 50 of 50 arrive, through `logging.shutdown` alone."""
    run("log = configure()\nfor n in range(50): log.info('x', extra=basic(n))", kafka.bootstrap_servers)
    assert numbers(kafka) == list(range(50))


def test_events_first_logged_at_exit_arrive(kafka: MockKafka) -> None:
    """P16: from 3.12 no thread can start at interpreter shutdown; the closing thread does the work."""
    run(
        """
log = configure()
atexit.register(lambda: [log.info('x', extra=basic(n)) for n in range(5)])
""",
        kafka.bootstrap_servers,
    )
    assert numbers(kafka) == list(range(5))


def test_sys_exit_and_exceptions_lose_nothing(kafka: MockKafka) -> None:
    """P17: the other ways in which a program ends."""
    run("log = configure(); log.info('x', extra=basic(1)); sys.exit(0)", kafka.bootstrap_servers)
    failed = run_python(
        PRELUDE + "log = configure(); log.info('x', extra=basic(2)); raise SystemExit(3)",
        kafka.bootstrap_servers,
        env=STRICT,
    )
    assert failed.code == 3
    assert numbers(kafka) == [1, 2]


def test_the_listener_may_log_while_logging_shuts_down(kafka: MockKafka) -> None:
    """P7: `shutdown` holds handlers' locks while it closes them, and the listener logs through them."""
    run(
        """
log = configure(flush_timeout=5)
logging.getLogger("eplogging").setLevel("DEBUG")
stream = logging.StreamHandler(open(os.devnull, "w"))
logging.getLogger().addHandler(stream)
class Chatty:
    def open(self, outcomes): self.outcomes = outcomes
    def send(self, message, mark=None):
        logging.getLogger("app.sink").info("sending", extra=basic(99))
        self.outcomes.delivered(1, message.size)
    def poll(self): logging.getLogger("app.sink").info("polling")
    def flush(self, timeout): logging.getLogger("app.sink").info("flushing"); return True
    def close(self): logging.getLogger("app.sink").info("closing", extra=basic(99)); return []
    def barrier(self): return None
    def is_past(self, barrier): return True
    def forked(self): pass
handler = next(h for h in logging.getLogger().handlers if hasattr(h, "stats"))
handler._sink = handler._listener._delivery._sink = Chatty()
for n in range(20): log.info("x", extra=basic(n))
log.error("rejected", extra={**basic(), "number": "x"})
atexit.register(lambda: print(handler.stats().accepted))
logging.shutdown()
assert handler.stats().accepted == 21, handler.stats()
assert handler.stats().delivered == 20, handler.stats()
stream.stream.close()
logging.getLogger().removeHandler(stream)
""",
        kafka.bootstrap_servers,
    )


@pytest.mark.parametrize("how", ["close", "shutdown"])
@pytest.mark.parametrize("broker", ["dead", "black hole", "was there"])
def test_close_keeps_its_deadline(broker: str, how: str, kafka: MockKafka, kafka_proxy: TcpProxy) -> None:
    """P18: without a broker `flush` and `close` together take `flush_timeout`, and tell what is lost."""
    servers = kafka_proxy.host_port
    if broker == "dead":
        with socket.create_server(("127.0.0.1", 0)) as unused:
            servers = f"127.0.0.1:{unused.getsockname()[1]}"
    with application(**keywords(**to_kafka(servers), flush_timeout=1)) as app:
        if broker == "was there":
            app.logger.info("first", extra=basic(0))
            assert app.handler.flush(10)
        kafka_proxy.black_hole()
        before = app.stats.accepted
        for number in range(20):
            app.logger.info("lost", extra=basic(number))
        started = time.monotonic()
        if how == "shutdown":
            app.handler.flush()
        app.handler.close()
        took = time.monotonic() - started
        kafka_proxy.restore()
        assert 0.9 < took < 1.5
        assert app.stats.pending == 0
        assert sum(app.stats.dropped.values()) == 20
        assert app.stats.delivered == before
    [line] = [line for line in app.reports.lines if "dropped" in line]
    assert "20 of sample.basic" in line


def test_close_keeps_its_deadline_when_the_sink_blocks() -> None:
    """P18: what the sink holds up is told as pending, once; what is queued behind it is dropped."""

    class Blocking(MemorySink):
        def send(self, message: Message, mark: Any = None) -> None:
            if not gate.is_set():
                blocked.set()
                gate.wait(30)
            super().send(message, mark)

    gate, blocked, sink = threading.Event(), threading.Event(), Blocking()
    gate.set()
    with application(sink=sink, **keywords(flush_timeout=0.5)) as app:
        for event in (basic(), page()):
            app.logger.info("known", extra=event)
        assert app.handler.flush(10)
        gate.clear()
        try:
            for event in (basic(1), basic(2), page(), basic(3), page()):
                app.logger.info("held up", extra=event)
            assert blocked.wait(10)
            started = time.monotonic()
            app.handler.close()
            took = time.monotonic() - started
            stats = app.stats
        finally:
            gate.set()
        wait_until(lambda: app.stats.pending == 0, "what was pending is sent after all")
    assert 0.5 <= took < 1.4
    assert (stats.accepted, stats.delivered, stats.pending) == (7, 2, 1)
    assert stats.dropped == {("closed", "sample.basic"): 2, ("closed", "sample.page"): 2}
    [dropped, pending] = app.reports.lines
    assert "2 of sample.basic (closed)" in dropped and "2 of sample.page (closed)" in dropped
    assert "did not end in time" in pending and "1 events are pending" in pending
    assert (app.stats.delivered, app.stats.dropped) == (3, stats.dropped)


def test_flush_keeps_its_deadline_and_says_so(kafka: MockKafka, kafka_proxy: TcpProxy) -> None:
    """P18: `flush` gives up in time, and a later one delivers."""
    with application(**keywords(**to_kafka(kafka_proxy.host_port))) as app:
        kafka_proxy.black_hole()
        app.logger.info("held", extra=basic())
        started = time.monotonic()
        assert not app.handler.flush(0.3)
        assert 0.3 <= time.monotonic() - started < 0.8
        kafka_proxy.restore()
        assert app.handler.flush(10)
        assert app.stats.delivered == 1


def test_deadlines_are_not_on_the_wall_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    """P19: a clock that is set back or forward neither ends nor prolongs a wait."""
    sink = HeldSink()
    with application(sink=sink, **keywords(flush_timeout=0.3)) as app:
        app.logger.info("held", extra=basic())
        clock = iter(range(10**9, 0, -(10**5)))
        monkeypatch.setattr(time, "time", lambda: float(next(clock)))
        started = time.monotonic()
        assert not app.handler.flush(0.3)
        app.handler.close()
        assert 0.3 <= time.monotonic() - started < 1.2
        monkeypatch.undo()


def test_reconfiguring_while_events_flow_and_the_listener_logs(kafka: MockKafka) -> None:
    """P8: `dictConfig` closes the old handler while it holds logging's lock; nothing waits for ever."""
    stop = threading.Event()
    logged = []

    def keep_logging() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            logging.getLogger("app").info("x", extra=basic(number if number % 10 else "bad"))  # type: ignore[arg-type]
            logged.append(number)
            stop.wait(0.0005)

    handlers = []
    config = dict_config(keywords(**to_kafka(kafka, enable_idempotence=False), flush_timeout=5))
    config["handlers"]["console"] = {"class": "logging.NullHandler"}
    config["loggers"]["eplogging"] = {"handlers": ["console"], "level": "DEBUG"}
    logging.config.dictConfig(config)
    thread = threading.Thread(target=keep_logging)
    thread.start()
    try:
        for _ in range(5):
            handlers.append(logging.getLogger("app").handlers[0])
            seen = len(logged)
            wait_until(lambda seen=seen: len(logged) > seen + 50, "events flow")  # type: ignore[misc]
            started = time.monotonic()
            logging.config.dictConfig(config)
            assert time.monotonic() - started < 3
    finally:
        stop.set()
        thread.join(10)
        handlers.append(logging.getLogger("app").handlers[0])
        handlers[-1].close()
    assert not thread.is_alive()
    statistics = [handler.stats() for handler in handlers]  # type: ignore[attr-defined]
    for stats in statistics:
        assert_balanced(stats)
    delivered = sum(stats.delivered for stats in statistics)
    assert delivered == len(kafka.consume("eqiad.sample.basic"))
    assert all({reason for reason, _ in stats.dropped} <= {"closed"} for stats in statistics)


def test_a_signal_handler_that_logs_within_a_logging_call(kafka: MockKafka) -> None:
    """P10: no lock is held that the interrupted code holds; both events arrive."""
    options = keywords(**to_kafka(kafka, enable_idempotence=False))
    interrupted = []

    def on_signal(*_: object) -> None:
        interrupted.append(1)
        logging.getLogger("app").info("signal", extra=basic(10_000_000 + len(interrupted)))

    def keep_signalling() -> None:
        while not stop.wait(0.001):
            # To this thread alone: the embedded Kafka's own thread would end on a signal.
            signal.pthread_kill(main, signal.SIGUSR1)

    stop, main = threading.Event(), threading.get_ident()
    previous = signal.signal(signal.SIGUSR1, on_signal)
    signalling = threading.Thread(target=keep_signalling)
    with application(**options) as app:
        signalling.start()
        try:
            deadline = time.monotonic() + 10
            number = 0
            while len(interrupted) < 100 and time.monotonic() < deadline:
                number += 1
                app.logger.info("x", extra=basic(number))
        finally:
            stop.set()
            signalling.join()
            signal.signal(signal.SIGUSR1, previous)
        assert app.handler.flush()
        assert len(interrupted) >= 100
        assert app.stats.delivered == app.stats.accepted == number + len(interrupted)
    assert len(set(numbers(kafka))) == number + len(interrupted)


def test_destructors_that_log_within_logging_calls(kafka: MockKafka) -> None:
    """P10: garbage is collected wherever memory is taken, in the midst of `put` and of a thread's start, too.

    What a destructor logs in a thread of eplogging's own is the next test's.
    """
    finished = run(
        """
import gc, json
from eplogging.guard import STATE
THREADS, LOOPS = 4, 2_000
within, logged = [], []

class Cycle:
    def __init__(self, number):
        self.itself, self.number = self, number
    def __del__(self):
        if threading.current_thread().name.startswith("eplogging"):
            return
        within.append(STATE.depth)
        log(self.number)

def log(number):
    logged.append(number)
    logger.info("x", extra=basic(number))

def work(thread):
    for number in range(thread * LOOPS, (thread + 1) * LOOPS):
        Cycle(1_000_000 + number)
        log(number)

logger = configure(on_full="block", block_timeout=30)
gc.set_threshold(20, 2, 2)
threads = [threading.Thread(target=work, args=(number,)) for number in range(THREADS)]
for thread in threads: thread.start()
for thread in threads: thread.join()
gc.collect()
gc.set_threshold(700, 10, 10)
handler = logging.getLogger().handlers[0]
assert handler.flush(20), handler.stats()
print(json.dumps([sorted(logged), sum(map(bool, within)), handler.stats().accepted]))
""",
        kafka.bootstrap_servers,
        timeout=60,
    )
    logged, within, accepted = json.loads(finished.stdout)
    assert within > 500
    assert len(logged) == accepted >= 8000 + within
    assert numbers(kafka) == logged


def test_a_destructor_that_logs_in_the_listener_s_thread() -> None:
    """P10: garbage of the application's is collected in any thread; what it logs is an event, or counted."""

    class Cycle:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            threads.append(threading.current_thread().name)
            logging.getLogger("app").info("collected", extra=basic(2))

    class Collecting(MemorySink):
        def send(self, message: Message, mark: Any = None) -> None:
            super().send(message, mark)
            gc.collect()

    threads: list[str] = []
    sink = Collecting()
    gc.disable()
    try:
        with application(sink=sink, **keywords()) as app:
            Cycle()
            app.logger.info("x", extra=basic(1))
            wait_until(lambda: threads, "it is collected")
            assert app.handler.flush()
            assert app.stats.accepted == 2
    finally:
        gc.enable()
    assert threads == ["eplogging-listener"]
    assert [json.loads(message.value)["number"] for message in sink.messages] == [1, 2]


def test_destructors_that_log_while_the_interpreter_ends(kafka: MockKafka) -> None:
    """P25: the handler is closed then; what they log is counted, and nothing is raised."""
    finished = run_python(
        PRELUDE
        + """
from eplogging.conformance import instants
class Late:
    def __init__(self):
        self.logger, self.basic, self.stats, self.write = log, basic, handler.stats, os.write
        self.next_second = instants._seconds.clear
    def __del__(self):
        for number in range(3):
            self.next_second()
            self.logger.info("late", extra=self.basic(number))
        self.write(1, repr(dict(self.stats().dropped)).encode())
log = configure()
handler = logging.getLogger().handlers[0]
log.info("x", extra=basic(7))
late = Late()
""",
        kafka.bootstrap_servers,
        env=STRICT,
    )
    assert (finished.code, finished.stdout) == (0, "{('closed', 'sample.basic'): 3}")
    assert finished.stderr.count("\n") == 1 and "1 of sample.basic (closed)" in finished.stderr
    assert numbers(kafka) == [7]


def test_closing_when_globals_are_gone_delivers_still() -> None:
    """P25: whatever goes last may close the handler, when `time`, `threading` and `logging` are empty.

    So it is where `logging.shutdown` does not run; the listener's thread can do nothing any more then.
    """
    finished = run_python(
        PRELUDE.replace("KAFKA = sys.argv[1]", "import time")
        + """
from tests.support.sinks import HeldSink
class Last:
    def __init__(self): self.handler, self.sink, self.write, self.time = handler, sink, os.write, time
    def __del__(self):
        assert self.time.monotonic is None
        self.sink.released.set()
        try:
            self.handler.close()
        except TypeError:  # of `logging.Handler`, whose globals are gone, too
            pass
        stats = self.handler.stats()
        self.write(1, f"{stats.delivered} delivered, {stats.pending} pending".encode())
sink = HeldSink()
config = dict_config(keywords(flush_timeout=3), root=True)
config["handlers"]["events"]["sink"] = sink
logging.config.dictConfig(config)
handler = logging.getLogger().handlers[0]
for n in range(5): logging.info("x", extra=basic(n))
while len(sink.held) < 5: time.sleep(0.01)
atexit.unregister(logging.shutdown)
time.last = Last()
""",
        env=STRICT,
    )
    assert finished == ("5 delivered, 0 pending", "", 0)


def test_after_close_other_handlers_still_get_every_record() -> None:
    """P25: what comes after the end is counted, and disturbs nothing."""
    with application(sink=HeldSink(), **keywords(flush_timeout=0.1)) as app:
        other = Collected()
        app.logger.addHandler(other)
        app.handler.close()
        app.logger.info("late", extra=basic())
        assert other.lines == ["late"]
        assert dict(app.stats.dropped) == {("closed", "sample.basic"): 1}
