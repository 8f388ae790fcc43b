"""Faults around the spool that no outage shows: of threads, of callbacks, of signals, of the producer.

Each was met once: an event was lost, counted twice, overtaken or promised too early, in the few milliseconds
in which one thing was half done when another failed.
"""

from __future__ import annotations

import builtins
import contextlib
import json
import logging
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from types import FrameType
from typing import Any

import pytest
from confluent_kafka import KafkaError, KafkaException, Producer

import eplogging
from eplogging.conformance.forking import imported
from eplogging.intake import Intake
from eplogging.metrics import Stats
from eplogging.sinks import MemorySink
from eplogging.spool import Row, Spool
from eplogging.testing import MockKafka
from tests.support.application import SCHEMAS, application, basic, keywords, page, to_kafka, wait_until
from tests.support.processes import run_python, start_python
from tests.support.schemaserver import SchemaServer
from tests.support.sinks import HeldSink
from tests.support.spooling import TOPIC, arrived, log, show, spool_files

pytestmark = pytest.mark.faults

PATIENCE = 20.0
WAYS: dict[str, dict[str, Any]] = {"none": {}, "spill": {"spool": True}, "durable": {"durable": True}}


@pytest.fixture(params=WAYS.values(), ids=WAYS)
def way(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    """Without a spool, with one, and with everything in it."""
    return {**request.param, "spool": tmp_path / "spool"} if request.param else {}


def balance(stats: Stats) -> int:
    """By how many events the two sides of the invariant differ."""
    ended = stats.delivered + sum(stats.rejected.values()) + sum(stats.dropped.values())
    return stats.accepted + stats.taken_over - ended - stats.spooled - stats.pending


class HeldWrites:
    """A disk that takes what it is given only when it is released.

    Attributes:
        entered: whether a write has begun.
        released: set to let it, and all that follow, go on.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.entered, self.released = threading.Event(), threading.Event()
        write = Spool.write

        def held(spool: Spool, *arguments: Any, **others: Any) -> list[Row]:
            self.entered.set()
            self.released.wait(PATIENCE)
            return write(spool, *arguments, **others)

        monkeypatch.setattr(Spool, "write", held)


FIRST_CALLS = """
import logging, logging.config, os, sys, threading, time
from tests.support.application import dict_config, keywords, page, to_kafka
start = threading.Thread.start
def start_late(thread):
    if thread.name.startswith("eplogging"):
        time.sleep(float(sys.argv[3]))
    start(thread)
threading.Thread.start = start_late
logging.config.dictConfig(dict_config(keywords(**to_kafka(sys.argv[1]), spool=sys.argv[2], durable=True)))
logging.getLogger("eplogging").setLevel("CRITICAL")
log, together = logging.getLogger("app"), threading.Barrier(5)
def work(number):
    together.wait()
    log.info("x", extra=page(page={"id": number + 1}, comment=str(number)))
    os.write(1, b"%d\\n" % number)
for number in range(5):
    threading.Thread(target=work, args=(number,), daemon=True).start()
sys.stdin.read()
"""


@pytest.mark.parametrize("late", [0.0, 0.1])
def test_the_first_durable_calls_of_several_threads(
    kafka: MockKafka, nobody: str, tmp_path: Path, late: float
) -> None:
    """One of them starts the listener; the others wait for the disk all the same, however long that takes."""
    spool = tmp_path / "spool"
    with start_python(FIRST_CALLS, nobody, str(spool), str(late)) as child:
        assert child.stdout is not None
        told = os.read(child.stdout.fileno(), 1)
        os.killpg(child.pid, signal.SIGKILL)
        returned = {int(line) for line in (told.decode() + child.stdout.read()).split()}
        child.wait(PATIENCE)
    assert returned
    with application(**keywords(**to_kafka(kafka), spool=spool, durable=True, flush_timeout=60)) as app:
        log(app, [5])
        assert app.handler.flush()
        show(app)
    found = {*arrived(kafka)}
    print(f"{len(returned)} returned, {len(returned - found)} lost")
    assert returned <= found


class Unmade:
    """Stands for confluent-kafka's `Producer`, which can not be made as long as it `is_broken`."""

    def __init__(self) -> None:
        self.is_broken = True
        self.tried = 0

    def __call__(self, configuration: dict[str, Any]) -> Producer:
        self.tried += 1
        if self.is_broken:
            raise KafkaException(KafkaError(KafkaError._INVALID_ARG, "no such certificate"))
        return Producer(configuration)


@pytest.fixture
def unmade(monkeypatch: pytest.MonkeyPatch) -> Unmade:
    """In place of the producer; the configuration is checked by another one."""
    monkeypatch.setattr("eplogging.health.INTERVAL", 0.3)
    stand_in = Unmade()
    monkeypatch.setattr("eplogging.sinks.kafka.Producer", stand_in)
    return stand_in


def keep(nobody: str, way: dict[str, Any], count: int) -> int:
    """Has an earlier process leave something behind, where there is a spool; returns how much."""
    if not way:
        return 0
    with application(**keywords(**to_kafka(nobody), **way, flush_timeout=0.2)) as app:
        log(app, range(count))
    assert app.stats.spooled == count
    return count


def test_a_producer_that_can_not_be_made_yet(
    kafka: MockKafka, nobody: str, way: dict[str, Any], unmade: Unmade
) -> None:
    """What waits, on the disk or in memory, waits on, visibly, and is sent in order when there is one."""
    unmade.is_broken = False
    left = keep(nobody, way, 50)
    unmade.is_broken, unmade.tried = True, 0
    with application(**keywords(**to_kafka(kafka), **way, flush_timeout=60)) as app:
        log(app, range(left, left + 50))
        wait_until(lambda: unmade.tried >= 3, "it is tried again")
        wait_until(lambda: not app.handler.health().is_ok, "it is seen")
        [problem] = app.handler.health().problems
        assert f"delivery has stopped: {left + 50} events wait" in problem
        assert "no producer can be made" in app.stats.last_error
        assert "no such certificate" in app.stats.last_error
        show(app)
        assert (app.stats.dropped, app.stats.spooled + app.stats.pending) == ({}, left + 50)
        unmade.is_broken = False
        assert app.handler.flush()
        show(app)
        assert app.handler.health().is_ok
        assert (app.stats.delivered, app.stats.dropped) == (left + 50, {})
    assert arrived(kafka) == [*range(left + 50)]
    assert len([line for line in app.reports.lines if "no producer can be made" in line]) == 1


def test_a_producer_that_was_never_made(
    kafka: MockKafka, nobody: str, way: dict[str, Any], unmade: Unmade
) -> None:
    """The spool keeps everything for the next process; without one, all is counted."""
    unmade.is_broken = False
    left = keep(nobody, way, 50)
    unmade.is_broken = True
    with application(**keywords(**to_kafka(kafka), **way, flush_timeout=0.5)) as app:
        log(app, range(left, left + 50))
    show(app)
    if not way:
        assert app.stats.dropped == {("closed", "sample.page"): 50}
        return
    assert (app.stats.dropped, app.stats.spooled) == ({}, 100)
    unmade.is_broken = False
    with application(**keywords(**to_kafka(kafka), **way, flush_timeout=60)) as app:
        log(app, [100])
        assert app.handler.flush()
        show(app)
    assert arrived(kafka) == [*range(101)]


def test_callbacks_that_raise(kafka: MockKafka, nobody: str, way: dict[str, Any]) -> None:
    """Where one does, librdkafka serves nothing of what it has in store behind it."""
    raised: set[str] = set()

    def failing(name: str) -> Callable[[object], None]:
        def fail(_: object) -> None:
            raised.add(name)
            raise KeyError("told to raise")

        return fail

    names = {"stats_cb", "error_cb"}
    options = to_kafka(nobody, statistics_interval_ms=2)
    options["kafka"].update({name: failing(name) for name in names})
    with application(**keywords(**options, **way, flush_timeout=0.3)) as app:
        for number in range(200):
            log(app, [number])
            if "durable" in way:
                assert app.stats.spooled == number + 1, "the call returned too early"
        wait_until(lambda: raised == names, "they are called")
    show(app)
    assert (app.stats.undurable, balance(app.stats)) == (0, 0)
    assert any("told to raise" in line for line in app.reports.lines)
    if not way:
        assert app.stats.dropped == {("not_delivered", "sample.page"): 200}
        return
    assert (app.stats.dropped, app.stats.spooled) == ({}, 200)
    options["kafka"]["bootstrap.servers"] = kafka.bootstrap_servers
    with application(**keywords(**options, **way, flush_timeout=60)) as app:
        log(app, [200])
        assert app.handler.flush()
        show(app)
    assert arrived(kafka) == [*range(201)]


def comments(kafka: MockKafka, topic: str = TOPIC) -> list[str]:
    return [json.loads(message.value() or b"")["comment"] for message in kafka.consume(topic)]


@pytest.fixture
def short_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A look-up in vain is tried again at once."""
    for name in ("FIRST_PAUSE", "LONGEST_PAUSE"):
        monkeypatch.setattr(f"eplogging.lookups.{name}", 0.05)


@pytest.mark.usefixtures("short_pauses")
def test_a_stream_that_waits_while_another_one_spills(
    kafka: MockKafka, tmp_path: Path, schema_server: SchemaServer
) -> None:
    """An event in memory that waits for a look-up is not overtaken by the next, which goes to the disk."""
    schema_server.mount("/schemas", SCHEMAS)
    schema_server.fail("/schemas/sample/page/1.0.0.yaml")
    options = keywords(**to_kafka(kafka), spool=tmp_path / "spool", queue_size=400, flush_timeout=60)
    with application(**{**options, "schema_base_uris": [f"{schema_server.url}/schemas"]}) as app:
        app.logger.info("x", extra=basic())
        wait_until(lambda: app.stats.delivered == 1, "its schema is there")
        app.logger.info("x", extra=page(comment="first"))
        wait_until(
            lambda: any("page/1.0.0" in line for line in app.reports.lines), "it was looked up in vain"
        )
        kafka.broker_down()
        while app.stats.spooled < 100:
            for number in range(100):
                app.logger.info("x", extra=basic(number))
            wait_until(lambda: app.stats.pending < 300, "the listener keeps up")
        app.logger.info("x", extra=page(comment="second"))
        schema_server.heal()
        kafka.broker_up()
        assert app.handler.flush()
        show(app)
    assert comments(kafka) == ["first", "second"]


@pytest.mark.usefixtures("short_pauses")
@pytest.mark.parametrize("on_full", ["drop", "block", "spool"])
def test_a_stream_that_waits_while_orphans_are_read(
    kafka: MockKafka, nobody: str, tmp_path: Path, schema_server: SchemaServer, on_full: str
) -> None:
    """What is new waits in memory until the disk is read; in it, too, each stream keeps its order."""
    kafka.create_topic("eqiad.sample.basic", 1)
    text = (SCHEMAS / "sample/page/1.0.0.yaml").read_text()
    schema_server.mount("/schemas", SCHEMAS)
    newer = "/schemas/sample/page/1.1.0.yaml"
    spool = {"spool": tmp_path / "spool", "on_full": on_full}
    with application(**keywords(**to_kafka(nobody), **spool, flush_timeout=0.3)) as app:
        for number in range(300):
            app.logger.info("x", extra=basic(number))
    assert app.stats.spooled == 300
    schema_server.fail(newer)
    kafka.set_rtt(milliseconds=50)
    options = keywords(**to_kafka(kafka), **spool, queue_size=100, flush_timeout=60)
    options["schema_base_uris"] = [f"{schema_server.url}/schemas"]
    with application(**options) as app:
        app.handler._conformer.look_up(page())
        app.logger.info("x", extra={**page(comment="first"), "$schema": "/sample/page/1.1.0"})
        app.logger.info("x", extra=page(comment="second"))
        wait_until(lambda: app.stats.delivered == 300, "what is older was sent", PATIENCE)
        schema_server.body(newer, text.replace("page/1.0.0", "page/1.1.0").encode())
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, app.stats.dropped) == (302, {})
    assert comments(kafka) == ["first", "second"]


SALVAGING = """
import logging, logging.config, os, signal, sys
from eplogging.spool import directory
from tests.support.application import dict_config, keywords, to_kafka
setattr(directory, sys.argv[3], lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL))
logging.config.dictConfig(dict_config(keywords(**to_kafka(sys.argv[1]), spool=sys.argv[2])))
logging.getLogger("eplogging").setLevel("CRITICAL")
logging.getLogger("app").handlers[0].start()
sys.stdin.read()
"""


def leave(nobody: str, spool: Path, count: int, *, is_killed: bool) -> Path:
    """Leaves a spool file with numbered events behind, with everything in SQLite's log if `is_killed`."""
    living = spool.with_name("living")
    with application(**keywords(**to_kafka(nobody), spool=living, durable=True, flush_timeout=0.2)) as app:
        log(app, range(count))
        if is_killed:
            shutil.copytree(living, spool)
    if not is_killed:
        living.rename(spool)
    [file] = spool_files(spool)
    return file


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 0xFF
    file.write_bytes(content)


@pytest.mark.parametrize("moment", ["salvage", "set_aside"])
@pytest.mark.parametrize("damage", ["log", "page", "event"])
def test_a_process_that_is_killed_in_the_midst_of_a_salvage(
    kafka: MockKafka, nobody: str, tmp_path: Path, damage: str, moment: str
) -> None:
    """Before the whole messages are copied, or after it: the next process finds them all."""
    spool = tmp_path / "spool"
    file = leave(nobody, spool, 50, is_killed=damage == "log")
    if damage == "log":
        file = file.with_name(file.name + "-wal")
    second_page = 4096
    flip(file, second_page if damage == "page" else file.read_bytes().index(b'"comment":"25"'))
    ended = run_python(SALVAGING, nobody, str(spool), moment)
    assert (ended.code, ended.stderr) == (-signal.SIGKILL, ""), ended
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        log(app, [50])
        assert app.handler.flush()
        show(app)
    ids: dict[str, set[str]] = {}
    for message in kafka.consume(TOPIC):
        event = json.loads(message.value() or b"")
        ids.setdefault(event["comment"], set()).add(event["meta"]["id"])
    lost = {*map(str, range(51))} - ids.keys()
    print(f"lost {sorted(lost)}, counted {dict(app.stats.dropped)}")
    assert lost <= ({"25"} if damage != "page" else set())
    assert {len(some) for some in ids.values()} == {1}
    assert sum(app.stats.dropped.values()) >= len(lost)


def test_durable_calls_that_waited_in_vain(
    kafka: MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They return after `block_timeout`, which is counted and told; their events are on their way."""
    spool = {"spool": tmp_path / "spool", "durable": True, "block_timeout": 0.1}
    with application(**keywords(**to_kafka(kafka), **spool, flush_timeout=60)) as app:
        log(app, [0])
        assert app.handler.flush()
        before = app.stats.undurable
        disk = HeldWrites(monkeypatch)
        log(app, range(1, 4))
        assert app.stats.undurable == before + 3
        disk.released.set()
        assert app.handler.flush()
        show(app)
        assert (app.stats.undurable, app.stats.dropped) == (before + 3, {})
    assert arrived(kafka) == [*range(4)]
    [line] = [line for line in app.reports.lines if line.startswith("durable: ")]
    assert f"{before + 3} events were not on disk" in line


def test_an_import_in_the_background_holds_up_no_event(
    kafka: MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What look-ups need is imported late; a process that ends meanwhile has its events to keep."""
    imports, go_on = threading.Event(), threading.Event()
    module = tmp_path / "modules" / "imported_late.py"
    module.parent.mkdir()
    module.write_text("import builtins\nbuiltins.import_late()\n")
    monkeypatch.syspath_prepend(str(module.parent))

    def wait() -> None:
        imports.set()
        go_on.wait(PATIENCE)

    monkeypatch.setattr(builtins, "import_late", wait, raising=False)
    spool = {"spool": tmp_path / "spool", "durable": True, "block_timeout": 0.5}
    with application(**keywords(**to_kafka(kafka), **spool, flush_timeout=60)) as app:
        log(app, [0])
        before = app.stats.undurable
        importing = threading.Thread(target=imported, args=(module.stem,))
        importing.start()
        try:
            assert imports.wait(PATIENCE)
            log(app, range(1, 4))
            assert app.stats.undurable == before
        finally:
            go_on.set()
            importing.join()
        assert app.handler.flush()
        show(app)
    assert arrived(kafka) == [*range(4)]


class SoftTimeLimit(Exception):  # noqa: N818 - as Celery calls what its signal handler raises
    """What the application's signal handler raises."""


@contextlib.contextmanager
def interrupted(error: type[BaseException], when: Callable[[], object]) -> Iterator[list[int]]:
    """Within the block, a signal handler raises an error as soon as something holds; its calls."""
    called: list[int] = []

    def on_signal(number: int, _: FrameType | None) -> None:
        called.append(number)
        raise error

    def send() -> None:
        wait_until(when, "the moment of the signal", PATIENCE)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)

    before = signal.signal(signal.SIGUSR1, on_signal)
    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield called
    finally:
        sender.join()
        signal.signal(signal.SIGUSR1, before)


@pytest.mark.parametrize("error", [SoftTimeLimit, KeyboardInterrupt])
def test_a_signal_handler_that_raises_while_a_durable_call_waits(
    kafka: MockKafka, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """The event is on its way, so it is not dropped as well."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    spool = {"spool": tmp_path / "spool", "durable": True, "block_timeout": PATIENCE}
    with application(**keywords(**to_kafka(kafka), **spool, flush_timeout=60)) as app:
        log(app, [0])
        disk = HeldWrites(monkeypatch)
        with interrupted(error, disk.entered.is_set) as called, contextlib.suppress(KeyboardInterrupt):
            log(app, [1])
            assert error is SoftTimeLimit, "an interrupt reaches the application"
        assert called
        disk.released.set()
        log(app, [2])
        assert app.handler.flush()
        show(app)
        assert (balance(app.stats), app.stats.delivered, app.stats.dropped) == (0, 3, {})
    assert arrived(kafka) == [*range(3)]


@pytest.mark.parametrize("error", [SoftTimeLimit, KeyboardInterrupt])
def test_a_signal_handler_that_raises_while_a_call_waits_for_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: type[BaseException]
) -> None:
    """The event has no room, so it is dropped, and takes none."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    sink = HeldSink()
    options = {"spool": tmp_path / "spool", "on_full": "block", "block_timeout": PATIENCE, "queue_size": 2}
    with application(sink=sink, **keywords(**options, flush_timeout=60)) as app:
        log(app, range(2))
        with interrupted(error, lambda: app.stats.accepted == 3), contextlib.suppress(KeyboardInterrupt):
            log(app, [2])
            assert error is SoftTimeLimit, "an interrupt reaches the application"
        reason = "internal_error" if error is SoftTimeLimit else "interrupted"
        assert (balance(app.stats), app.stats.dropped) == (0, {(reason, ""): 1})
        sink.released.set()
        assert app.handler.flush()
        log(app, [3])
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, app.stats.pending) == (3, 0)


class Moment:
    """A profile function that raises at one of the moments at which CPython calls signal handlers.

    They are those when a function begins and when one that is written in C returns; jumps back are left out.

    Attributes:
        place: where it raised; empty if there are not that many moments.
    """

    PACKAGE = str(Path(eplogging.__file__).parent)

    def __init__(self, number: int) -> None:
        self.place = ""
        self._left = number

    def __call__(self, frame: FrameType, event: str, _: object) -> None:
        code = frame.f_code
        if event in ("call", "c_return") and code.co_filename.startswith(self.PACKAGE):
            if self._left == 0:
                sys.setprofile(None)
                self.place = f"{Path(code.co_filename).name}:{frame.f_lineno} ({event} in {code.co_name})"
                raise SoftTimeLimit
            self._left -= 1


IN_C = Intake is not None and find_spec("jsonschema_rs") is not None and find_spec("orjson") is not None
IN_PYTHON = (
    "a signal handler may raise between any two steps of a call in Python, and no lock may keep it out, as "
    "it may log itself: one counter may then be one off"
)


@pytest.mark.parametrize(
    "durable",
    [
        pytest.param(False, marks=pytest.mark.xfail(not IN_C, reason=IN_PYTHON)),
        pytest.param(True, marks=pytest.mark.xfail(reason=IN_PYTHON)),
    ],
)
def test_a_signal_handler_that_raises_at_any_moment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, durable: bool
) -> None:
    """Whatever a logging call had done by then: its event is counted once, and takes no room for ever."""
    monkeypatch.setattr(logging, "raiseExceptions", False)
    options = keywords(spool=tmp_path / "spool", durable=durable, flush_timeout=60)
    wrong: list[str] = []
    with application(sink=MemorySink(), **options) as app:
        log(app, [0])
        assert app.handler.flush()
        before = (0, 0)
        for number in range(1000):
            moment = Moment(number)
            sys.setprofile(moment)
            with contextlib.suppress(SoftTimeLimit):
                log(app, [number])
            sys.setprofile(None)
            if not moment.place:
                break
            assert app.handler.flush()
            state = balance(app.stats), app.stats.pending
            if state != before:
                wrong.append(f"{moment.place}: sides differ by {state[0]}, pending {state[1]}")
                before = state
        print(f"{number} moments")
        assert number > (3 if IN_C and not durable else 20)
        assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("is_over", [True, False], ids=["for a while", "for ever"])
def test_a_thread_that_can_not_be_started(
    kafka: MockKafka, way: dict[str, Any], monkeypatch: pytest.MonkeyPatch, is_over: bool
) -> None:
    """It shows at once; the next call tries again, and `close` does the work if none succeeds."""
    start = threading.Thread.start

    def refuse(thread: threading.Thread) -> None:
        if thread.name.startswith("eplogging"):
            raise RuntimeError("can't start new thread")
        start(thread)

    with monkeypatch.context() as machine:
        with application(**keywords(**to_kafka(kafka), **way, flush_timeout=60)) as app:
            machine.setattr(threading.Thread, "start", refuse)
            log(app, range(5))
            [problem] = app.handler.health().problems
            assert "the listener's thread can not be started: can't start new thread" in problem
            assert (app.stats.pending, app.stats.undurable) == (5, 5 if "durable" in way else 0)
            if is_over:
                machine.undo()
                log(app, range(5, 10))
                assert app.handler.health().is_ok
                assert app.handler.flush()
        show(app)
        assert app.stats.delivered == app.stats.accepted
    assert arrived(kafka) == [*range(app.stats.accepted)]
