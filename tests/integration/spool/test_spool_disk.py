"""A disk that is full, fails, is taken away or lies: the application goes on, and what is lost is counted."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import deque
from pathlib import Path
from typing import Any

import pytest

from eplogging.conformance import Message
from eplogging.metrics import Stats
from eplogging.sinks import MemorySink
from eplogging.spool import Spool, SpoolError, database
from eplogging.testing import MockKafka
from tests.support.application import Application, application, keywords, to_kafka, wait_until
from tests.support.processes import run_python, start_python
from tests.support.proxy import TcpProxy
from tests.support.spooling import TOPIC, arrived, log, open_files, show, spool_files

pytestmark = pytest.mark.faults

PATIENCE = 30.0
PAD = 1500
LIMIT = 200_000
"""Bytes that about a hundred padded events fill."""

ROOM_OF_ALL = 8 * 4096
"""Bytes that a process may use of the disk in any case."""


def fill(app: Application, numbers: range) -> None:
    """Logs padded events, some at a time, and lets the listener keep up where it can."""
    for start in numbers[::20]:
        log(app, range(start, min(start + 20, numbers.stop)), pad=PAD)
        wait_until(lambda: app.stats.pending <= 60 or app.handler.health().problems, "the listener keeps up")


def spool_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """From now on the disk takes nothing."""

    def fail(*_: Any, **__: Any) -> None:
        raise SpoolError("disk I/O error")

    monkeypatch.setattr(Spool, "write", fail)


def numbers(kafka: MockKafka) -> list[int]:
    """What arrived, whatever its order."""
    return [int(json.loads(one.value() or b"")["comment"]) for one in kafka.consume(TOPIC)]


def has_trouble(app: Application) -> bool:
    return any("the spool can not be written" in one for one in app.handler.health().problems)


def files_bytes(spool: Path) -> int:
    return sum(file.stat().st_size for file in spool_files(spool))


@pytest.mark.parametrize("durable", [False, True])
def test_spool_bytes_are_used_up(kafka: MockKafka, kafka_proxy: TcpProxy, spool: Path, durable: bool) -> None:
    """What does not fit stays in memory within the bound; all that was not dropped is sent, twice over."""
    kept = {"spool": spool, "spool_bytes": LIMIT, "durable": durable, "queue_size": 100}
    with application(**keywords(**to_kafka(kafka_proxy.host_port), **kept, flush_timeout=60)) as app:
        log(app, [0])
        assert app.handler.flush()
        for begin in (1, 501):
            kafka_proxy.black_hole()
            dropped = sum(app.stats.dropped.values())
            fill(app, range(begin, begin + 500))
            wait_until(lambda: has_trouble(app), "it is seen")
            assert "database or disk is full" in app.handler.health().problems[-1]
            show(app)
            assert app.stats.spooled > 50
            assert app.stats.pending <= 100
            assert {reason for reason, _ in app.stats.dropped} == {"queue_full"}
            assert sum(app.stats.dropped.values()) > dropped
            kafka_proxy.restore()
            assert app.handler.flush()
            wait_until(lambda: app.handler.health().is_ok, "there is room again")
        show(app)
        lost = sum(app.stats.dropped.values())
        assert app.stats.delivered == 1001 - lost
    assert len(arrived(kafka)) == 1001 - lost
    assert len([line for line in app.reports.lines if "it can not be written" in line]) == 1
    assert not [*spool.iterdir()]


def generations(nobody: str, spool: Path, count: int) -> list[Stats]:
    """Each process leaves what it can of 60 events; what each of them says at its end."""
    ends = []
    kept = {"spool": spool, "spool_bytes": LIMIT, "queue_size": 100}
    for generation in range(count):
        with application(**keywords(**to_kafka(nobody), **kept, flush_timeout=0.1)) as app:
            log(app, range(generation * 60, generation * 60 + 60), pad=PAD)
        show(app)
        ends.append(app.stats)
    return ends


def test_what_other_processes_left_counts(kafka: MockKafka, nobody: str, spool: Path) -> None:
    """The files of one process are those that it took over, too; what has no room is dropped at the end."""
    first, second = generations(nobody, spool, 2)
    assert (first.spooled, first.dropped) == (60, {})
    assert second.taken_over == 60
    assert second.spooled < 110
    assert second.dropped == {("closed", "sample.page"): 120 - second.spooled}
    assert files_bytes(spool) <= LIMIT + ROOM_OF_ALL
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        log(app, [180])
        assert app.handler.flush()
        show(app)
    assert len(arrived(kafka)) == second.spooled + 1


def test_many_processes_in_turn_keep_to_the_limit(nobody: str, spool: Path) -> None:
    """A process that is started again and again while the broker is down fills no disk."""
    generations(nobody, spool, 6)
    assert files_bytes(spool) <= LIMIT + ROOM_OF_ALL


FULL_DISK = """
import json, resource, signal, sys
from tests.support.accounts import fates
from tests.support.application import application, wait_until
from tests.support.spooling import log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def tell():
    print(json.dumps({**fates(app.stats), "problems": app.handler.health().problems}), flush=True)
    sys.stdin.readline()
def has_begun():
    return app.stats.pending <= 60 or app.handler.health().problems
with application(**json.loads(sys.argv[1])) as app:
    log(app, [0])
    assert app.handler.flush()
    tell()
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    for start in range(1, 401, 20):
        log(app, range(start, start + 20), pad=1500)
        wait_until(has_begun, "the listener keeps up")
    tell()
    wait_until(lambda: app.stats.spooled + app.stats.pending == 0, "all is sent", 30)
    tell()
    is_flushed = app.handler.flush(0.5)
print(json.dumps({**fates(app.stats), "is_flushed": is_flushed}))
"""


def on_a_full_disk(options: dict[str, Any], proxy: TcpProxy) -> list[dict[str, Any]]:
    """What a process says before its disk is full, when it is, when all is sent, and at its end."""
    with start_python(FULL_DISK, json.dumps(options), str(LIMIT)) as child:
        assert child.stdout is not None and child.stdin is not None
        steps: list[dict[str, Any]] = []
        for step in (proxy.black_hole, proxy.restore, lambda: None):
            steps.append(json.loads(child.stdout.readline() or child.communicate(timeout=PATIENCE)[1]))
            step()
            child.stdin.write("go on\n")
            child.stdin.flush()
        stdout, stderr = child.communicate(timeout=PATIENCE)
    assert (child.returncode, stderr.count("Traceback")) == (0, 0), stderr
    steps.append(json.loads(stdout))
    print(*steps, sep="\n")
    return steps


@pytest.fixture
def full_disk(kafka_proxy: TcpProxy, spool: Path) -> dict[str, Any]:
    """The options of an application whose disk will be full."""
    own = {"spool": str(spool), "queue_size": 100, "flush_timeout": 1}
    return keywords(**to_kafka(kafka_proxy.host_port), **own)


@pytest.mark.parametrize("durable", [False, True])
def test_a_disk_without_room(
    kafka: MockKafka, kafka_proxy: TcpProxy, full_disk: dict[str, Any], durable: bool
) -> None:
    """The system refuses to let any file grow; all that was not dropped is sent."""
    _, full, sent, ended = on_a_full_disk({**full_disk, "durable": durable}, kafka_proxy)
    assert full["spooled"] > 20
    assert full["dropped"] > 0
    assert "the spool can not be written" in full["problems"][-1]
    assert sent["delivered"] == ended["delivered"] == 401 - ended["dropped"]
    assert (ended["spooled"], ended["pending"]) == (0, 0)
    assert len(arrived(kafka)) == ended["delivered"]


def test_what_was_sent_from_a_full_disk_is_done(
    kafka_proxy: TcpProxy, full_disk: dict[str, Any], spool: Path
) -> None:
    """`flush` waits for nothing any more, and no process sends it again."""
    *_, ended = on_a_full_disk(full_disk, kafka_proxy)
    assert ended["is_flushed"]
    assert not [*spool.iterdir()]


def take_away(spool: Path, how: str) -> None:
    """Removes the directory; perhaps with something in its place that is none."""
    shutil.rmtree(spool)
    if how == "a file":
        spool.write_text("in its place")


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("how", ["removed", "a file"])
def test_the_directory_is_taken_away_before_the_start(
    kafka: MockKafka, spool: Path, how: str, durable: bool
) -> None:
    """It is made anew, or told; the events are sent all the same."""
    options = keywords(**to_kafka(kafka), spool=spool, durable=durable, flush_timeout=60)
    with application(**options) as app:
        take_away(spool, how)
        log(app, range(20))
        assert app.handler.flush()
        show(app)
        assert app.stats.delivered == 20
        if how == "a file":
            assert has_trouble(app)
            spool.unlink()
        else:
            assert spool.stat().st_mode & 0o777 == 0o700
    assert arrived(kafka) == [*range(20)]


@pytest.mark.parametrize("durable", [False, True])
@pytest.mark.parametrize("how", ["removed", "a file"])
def test_the_directory_is_taken_away_while_it_is_in_use(
    kafka: MockKafka, kafka_proxy: TcpProxy, spool: Path, how: str, durable: bool
) -> None:
    """What was in it is sent all the same, as long as the process lives, and what comes then."""
    kept = {"spool": spool, "durable": durable, "queue_size": 100}
    with application(**keywords(**to_kafka(kafka_proxy.host_port), **kept, flush_timeout=60)) as app:
        log(app, [0])
        assert app.handler.flush()
        kafka_proxy.black_hole()
        fill(app, range(1, 201))
        wait_until(lambda: app.stats.spooled > 100, "most of it is on disk")
        take_away(spool, how)
        log(app, range(201, 220))
        if how == "a file":
            wait_until(lambda: has_trouble(app), "it is seen")
        show(app)
        kafka_proxy.restore()
        wait_until(lambda: app.stats.delivered == 220, "all is sent", PATIENCE)
        show(app)
        assert app.stats.dropped == {}
    assert arrived(kafka) == [*range(220)]


ONLY_STARTS = """
import json, sys
from tests.support.application import application, wait_until
with application(**json.loads(sys.argv[1])) as app:
    app.handler.start()
    wait_until(lambda: app.stats.taken_over, "what was left is taken over")
"""
REMOVED = """
import json, shutil, sys
from pathlib import Path
from tests.support.application import application
from tests.support.spooling import log, show
options, what, more = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
with application(**options) as app:
    log(app, range(100))
    assert app.stats.spooled == 100
    spool = Path(options["spool"])
    if what == "directory":
        shutil.rmtree(spool)
    else:
        for file in spool.iterdir():
            file.unlink()
    log(app, range(100, 100 + more))
show(app)
assert (app.stats.spooled, app.stats.dropped) == (100 + more, {}), app.stats
"""


@pytest.mark.parametrize(
    ("what", "more"),
    [("files", 0), ("files", 10), ("directory", 0), ("directory", 10)],
)
def test_what_is_removed_in_use_is_written_anew_at_the_end(
    kafka: MockKafka, nobody: str, spool: Path, what: str, more: int
) -> None:
    """The file would end with its process; whether or not something came after it was removed."""
    kept: dict[str, Any] = {"spool": str(spool), "durable": True}
    options = keywords(**to_kafka(nobody), **kept, flush_timeout=0.3)
    ended = run_python(REMOVED, json.dumps(options), what, str(more))
    print(ended.stdout)
    assert ended.code == 0, ended.stderr
    with application(**keywords(**to_kafka(kafka), **kept, flush_timeout=60)) as app:
        log(app, [200])
        assert app.handler.flush()
        show(app)
        assert app.stats.taken_over == 100 + more
    assert sorted(numbers(kafka)) == [*range(100 + more), 200]
    assert not [*spool.iterdir()]


def test_what_was_written_anew_is_free_for_the_next_handler(
    kafka: MockKafka, nobody: str, spool: Path
) -> None:
    """Of the same process, which configures logging once more."""
    with application(**keywords(**to_kafka(nobody), spool=spool, durable=True, flush_timeout=0.3)) as app:
        log(app, range(100))
        spool_files(spool)[0].unlink()
    show(app)
    assert open_files(spool) == 0
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        log(app, [100])
        assert app.handler.flush()
        show(app)
    assert arrived(kafka) == [*range(101)]


@pytest.mark.parametrize("how", ["removed", "damaged"])
def test_what_is_written_anew_keeps_its_place(kafka: MockKafka, nobody: str, spool: Path, how: str) -> None:
    """It is older than what came after it, in the same process or in another one."""
    options = keywords(**to_kafka(nobody), spool=str(spool), durable=True, flush_timeout=0.1)
    if how == "removed":
        ended = run_python(REMOVED, json.dumps(options), "files", "10")
    else:
        with application(**options) as app:
            log(app, range(100))
        [oldest] = spool_files(spool)
        with application(**options) as app:
            log(app, range(100, 110))
        flip(oldest, 4096)
        ended = run_python(ONLY_STARTS, json.dumps(options))
    assert ended.code == 0, ended.stderr
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        log(app, [110])
        assert app.handler.flush()
        show(app)
    assert arrived(kafka) == [*range(111)]


class SteppedSink(MemorySink):
    """Takes what it is given, and acknowledges no more than it is `allowed` to."""

    def __init__(self) -> None:
        super().__init__()
        self.allowed = self.taken = self.acknowledged = 0
        self.held: deque[tuple[Message, Any]] = deque()

    def send(self, message: Message, mark: Any = None) -> None:
        self.taken += 1
        self.held.append((message, mark))

    def poll(self) -> None:
        while self.held and self.acknowledged < self.allowed:
            self.acknowledged += 1
            super().send(*self.held.popleft())

    def flush(self, timeout: float) -> bool:
        self.poll()
        return not self.held

    def barrier(self) -> object:
        return self.taken

    def is_past(self, barrier: Any) -> bool:
        return bool(self.acknowledged >= barrier)


def test_flush_waits_for_what_the_disk_did_not_take(spool: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It waits in memory until the sink has room, and until it is acknowledged."""
    sink = SteppedSink()
    options = keywords(spool=spool, durable=True, queue_size=20, flush_timeout=0.5)
    with application(sink=sink, **options) as app:
        sink.allowed = 1
        log(app, [0])
        assert app.handler.flush()
        spool_fails(monkeypatch)
        log(app, range(1, 16))
        wait_until(lambda: sink.taken == 11, "the sink has what it has room for")
        answers: list[bool] = []
        flushing = threading.Thread(target=lambda: answers.append(app.handler.flush(1)))
        flushing.start()
        wait_until(lambda: app.handler._spooled and app.handler._spooled.holds, "it is being flushed")
        sink.allowed = 11
        flushing.join()
        show(app)
        assert (sink.acknowledged, answers) == (11, [False])
        sink.allowed = 100
        assert app.handler.flush()
        assert (app.stats.delivered, app.stats.dropped) == (16, {})


def flip(file: Path, offset: int) -> None:
    content = bytearray(file.read_bytes())
    content[offset] ^= 0xFF
    file.write_bytes(content)


def damage(file: Path, comment: str) -> None:
    """Flips some bytes in the midst of an event, wherever it stands."""
    content = file.read_bytes()
    at = f'"comment":"{comment} '.encode()
    assert at in content
    file.write_bytes(content.replace(at, bytes(byte ^ 0xFF for byte in at)))


def check_damaged(app: Application, spool: Path, lost: int) -> None:
    """It is counted, and told once; the file is set aside."""
    assert app.stats.dropped == {("spool_damaged", ""): lost}
    [line] = [line for line in app.reports.lines if "a file is damaged" in line]
    assert f"{lost} lost" in line
    [aside] = spool.glob("*.damaged")
    assert str(aside) in line


def test_a_damaged_file_that_was_left(kafka: MockKafka, nobody: str, spool: Path) -> None:
    with application(**keywords(**to_kafka(nobody), spool=spool, flush_timeout=0.3)) as app:
        log(app, range(100), pad=PAD)
    [file] = spool_files(spool)
    for comment in ("40", "41", "77"):
        damage(file, comment)
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        log(app, range(100, 150))
        assert app.handler.flush()
        show(app)
        check_damaged(app, spool, 3)
        assert (app.stats.taken_over, app.stats.delivered) == (100, 147)
    assert arrived(kafka) == [n for n in range(150) if n not in (40, 41, 77)]
    assert not spool_files(spool)


def test_a_file_that_is_damaged_while_it_is_read(
    kafka: MockKafka, kafka_proxy: TcpProxy, nobody: str, spool: Path
) -> None:
    """It was whole when it was taken over; SQLite holds less of it in memory than there is."""
    count, pad = 1000, 5000
    with application(**keywords(**to_kafka(nobody), spool=spool, flush_timeout=0.3)) as app:
        log(app, range(count), pad=pad)
    assert app.stats.spooled == count
    [file] = spool_files(spool)
    kafka_proxy.black_hole()
    options = keywords(**to_kafka(kafka_proxy.host_port), spool=spool, queue_size=100, flush_timeout=60)
    with application(**options) as app:
        app.handler.start()
        wait_until(lambda: app.stats.taken_over == count, "it is taken over")
        wait_until(lambda: app.stats.pending_bytes > 45 * pad, "the first ones are read")
        damage(file, "300")
        kafka_proxy.restore()
        log(app, [count])
        assert app.handler.flush()
        show(app)
        check_damaged(app, spool, 1)
    assert arrived(kafka) == [n for n in range(count + 1) if n != 300]


@pytest.mark.parametrize(("durable", "level"), [(True, 1), ("fsync", 2)])
def test_what_a_durable_call_waits_for(
    kafka: MockKafka, spool: Path, monkeypatch: pytest.MonkeyPatch, durable: bool | str, level: int
) -> None:
    """SQLite's `synchronous` is NORMAL, or FULL: then the disk has confirmed it, and the file's name."""
    levels: list[int] = []
    names: list[int] = []
    transaction, sync = database.Database.transaction, database.sync_directory

    def observed(self: database.Database) -> Any:
        levels.append(*self.first("PRAGMA synchronous"))
        return transaction(self)

    def observed_sync(directory: Path) -> None:
        names.append(len(spool_files(directory)))
        sync(directory)

    monkeypatch.setattr(database.Database, "transaction", observed)
    monkeypatch.setattr("eplogging.spool.file.sync_directory", observed_sync)
    options = keywords(**to_kafka(kafka), spool=spool, durable=durable, flush_timeout=60)
    with application(**options) as app:
        log(app, range(10))
        assert app.stats.undurable == 0
        assert app.handler.flush()
        show(app)
    assert {*levels} == {level}
    assert names == ([1] if durable == "fsync" else [])


TAKE_OVER = """
import json, sys
from tests.support.accounts import fates
from tests.support.application import application, wait_until
from tests.support.spooling import log
with application(**json.loads(sys.argv[1])) as app:
    print("ready", flush=True)
    sys.stdin.readline()
    app.handler.start()
    log(app, [int(sys.argv[2])])
    assert app.handler.flush()
    told = {**fates(app.stats), "taken_over": app.stats.taken_over, "reports": app.reports.lines}
    print(json.dumps({**told, "problems": app.handler.health().problems}))
"""


def test_two_processes_take_over_at_the_same_time(kafka: MockKafka, nobody: str, spool: Path) -> None:
    """Each file has one owner, and to lose the race for it is no trouble."""
    for generation in range(12):
        own = spool.with_name(f"own.{generation}")
        with application(**keywords(**to_kafka(nobody), spool=own, flush_timeout=0.05)) as app:
            log(app, range(generation * 20, generation * 20 + 20))
        own.rename(spool) if not spool.exists() else spool_files(own)[0].rename(
            spool / spool_files(own)[0].name
        )
    options = json.dumps({**keywords(**to_kafka(kafka), flush_timeout=60), "spool": str(spool)})
    with (
        start_python(TAKE_OVER, options, "1001") as one,
        start_python(TAKE_OVER, options, "1002") as other,
    ):
        both = (one, other)
        for child in both:
            assert child.stdout is not None and child.stdout.readline() == "ready\n"
        for child in both:
            assert child.stdin is not None
            child.stdin.write("go on\n")
            child.stdin.flush()
        told = []
        for child in both:
            stdout, stderr = child.communicate(timeout=PATIENCE)
            assert child.returncode == 0, stderr
            told.append(json.loads(stdout))
    print(*told, sep="\n")
    assert sum(child["taken_over"] for child in told) == 240
    assert sum(child["delivered"] for child in told) == 242
    assert [child["problems"] for child in told] == [[], []]
    assert not [line for child in told for line in child["reports"] if "spool" in line]
    assert sorted(numbers(kafka)) == [*range(240), 1001, 1002]
    assert not [*spool.iterdir()]


BEGINS = """
import json, logging, os, signal, sys
from eplogging.spool import file
from tests.support.application import application
from tests.support.spooling import log
made = file.Database
def paused(path):
    print(path, flush=True)
    sys.stdin.readline()
    return made(path)
file.Database = paused
with application(**json.loads(sys.argv[1])) as app:
    log(app, range(10))
    print("logged", flush=True)
    sys.stdin.read()
"""


def test_a_file_in_the_making_is_not_taken_for_a_damaged_one(
    kafka: MockKafka, nobody: str, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It belongs to a living process, however little there is of it at the moment of the look."""
    options = keywords(**to_kafka(nobody), spool=str(spool), durable=True, block_timeout=PATIENCE)
    with start_python(BEGINS, json.dumps(options)) as child:
        assert child.stdout is not None and child.stdin is not None
        made = Path(child.stdout.readline().strip())
        assert made.stat().st_size == 0

        def goes_on(path: Path) -> Path:
            """The other process works while this one looks."""
            if path == made and not said:
                assert child.stdin is not None and child.stdout is not None
                child.stdin.write("go on\n")
                child.stdin.flush()
                said.append(child.stdout.readline())
            return database.log_of(path)

        said: list[str] = []
        monkeypatch.setattr("eplogging.spool.directory.log_of", goes_on)
        with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
            log(app, [10])
            assert app.handler.flush()
            show(app)
        if not said:  # the file was passed by, and so is its log
            goes_on(made)
        assert said == ["logged\n"]
        assert not [*spool.glob("*.damaged")]
        assert app.stats.taken_over == 0
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        log(app, [11])
        assert app.handler.flush()
        show(app)
        assert app.stats.taken_over == 10
    assert sorted(numbers(kafka)) == [*range(12)]


def test_a_file_that_goes_while_it_is_looked_at_is_no_trouble(
    kafka: MockKafka, nobody: str, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its owner was faster, and has sent what was in it."""
    with application(**keywords(**to_kafka(nobody), spool=spool, flush_timeout=0.1)) as app:
        log(app, range(10))
    [file] = spool_files(spool)
    made = database.Database

    def too_late(path: Path) -> database.Database:
        if path == file:
            path.unlink(missing_ok=True)
        return made(path)

    monkeypatch.setattr("eplogging.spool.file.Database", too_late)
    with application(**keywords(**to_kafka(kafka), spool=spool, flush_timeout=60)) as app:
        log(app, [10])
        assert app.handler.flush()
        show(app)
        assert app.handler.health().is_ok
    assert not [line for line in app.reports.lines if "spool" in line]
    assert numbers(kafka) == [10]


def test_a_removal_that_fails_is_not_tried_at_every_turn(
    kafka: MockKafka, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """All is sent, and neither the messages nor their file can be removed, as where the disk is read-only."""
    tried: list[int] = []

    def fail(_: Spool, rows: list[Any]) -> None:
        tried.append(len(rows))
        raise SpoolError("attempt to write a readonly database")

    with application(**keywords(**to_kafka(kafka), spool=spool, durable=True, flush_timeout=60)) as app:
        with monkeypatch.context() as machine:
            machine.setattr(Spool, "delete", fail)
            log(app, range(10))
            wait_until(lambda: tried[-1:] == [10], "all is sent")
            spool_fails(machine)
            before = len(tried)
            for number in range(10, 110):
                log(app, [number])
                time.sleep(0.004)
            assert len(tried) <= before + 10  # a second apart, however slow this machine is
        assert app.handler.flush()
    assert not [*spool.iterdir()]
