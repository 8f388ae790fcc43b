"""A disk that is full, fails, is taken away or lies: the application goes on, and what is lost is counted."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from eplogging.spool import database
from eplogging.testing import MockKafka
from tests.support.application import Application, application, keywords, to_kafka, wait_until
from tests.support.nobody import nobody_there
from tests.support.processes import start_python
from tests.support.proxy import TcpProxy
from tests.support.spooling import TOPIC, arrived, log, show, spool_files

PATIENCE = 30.0
PAD = 1500
LIMIT = 200_000
"""Bytes that about a hundred padded events fill."""


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        cluster.create_topic(TOPIC, 4)
        yield cluster


@pytest.fixture
def nobody() -> Iterator[str]:
    with nobody_there() as address:
        yield address


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def fill(app: Application, numbers: range) -> None:
    """Logs padded events, some at a time, and lets the listener keep up where it can."""
    for start in numbers[::20]:
        log(app, range(start, min(start + 20, numbers.stop)), pad=PAD)
        wait_until(lambda: app.stats.pending <= 60 or app.handler.health().problems, "the listener keeps up")


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


def test_what_other_processes_left_counts(kafka: MockKafka, nobody: str, spool: Path) -> None:
    """The files of one process are those that it took over, too."""
    kept = {"spool": spool, "spool_bytes": LIMIT, "queue_size": 100}
    spooled = []
    for generation in range(3):
        with application(**keywords(**to_kafka(nobody), **kept, flush_timeout=0.3)) as app:
            app.handler.start()
            fill(app, range(generation * 60, generation * 60 + 60))
        show(app)
        spooled.append(app.stats.spooled)
        assert files_bytes(spool) <= LIMIT * 1.1
    assert spooled[0] == 60 < spooled[1] < spooled[2] + 20 < 180, "they share the room"
    assert app.stats.dropped == {("closed", "sample.page"): 60 + spooled[1] - spooled[2]}
    with application(**keywords(**to_kafka(kafka), **kept, flush_timeout=60)) as app:
        log(app, [180])
        assert app.handler.flush()
        show(app)
    assert len(arrived(kafka)) == spooled[2] + 1


FULL_DISK = """
import json, resource, signal, sys
from tests.support.accounts import fates
from tests.support.application import application
from tests.support.spooling import log
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
def tell():
    print(json.dumps({**fates(app.stats), "problems": app.handler.health().problems}), flush=True)
    sys.stdin.readline()
with application(**json.loads(sys.argv[1])) as app:
    log(app, [0])
    assert app.handler.flush()
    tell()
    resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), resource.RLIM_INFINITY))
    for number in range(1, 401):
        log(app, [number], pad=1500)
    tell()
    app.handler.flush()
    tell()
print(json.dumps(fates(app.stats)))
"""


@pytest.mark.parametrize("durable", [False, True])
def test_a_disk_without_room(kafka: MockKafka, kafka_proxy: TcpProxy, spool: Path, durable: bool) -> None:
    """The system refuses to let a file grow, also when the handler is closed."""
    kept = {"spool": str(spool), "durable": durable, "queue_size": 100}
    options = keywords(**to_kafka(kafka_proxy.host_port), **kept, flush_timeout=30)
    with start_python(FULL_DISK, json.dumps(options), str(LIMIT)) as child:
        assert child.stdout is not None and child.stdin is not None
        steps: list[Any] = []
        for step in (kafka_proxy.black_hole, kafka_proxy.restore, lambda: None):
            steps.append(json.loads(child.stdout.readline()))
            step()
            child.stdin.write("go on\n")
            child.stdin.flush()
        stdout, stderr = child.communicate(timeout=PATIENCE)
    assert child.returncode == 0, stderr
    ended = json.loads(stdout)
    _, full, flushed = steps
    print(full, flushed, ended, sep="\n")
    assert full["spooled"] > 20
    assert full["dropped"] > 0
    assert "the spool can not be written" in full["problems"][-1]
    assert ended["delivered"] == 401 - ended["dropped"]
    assert (ended["spooled"], ended["pending"]) == (0, 0)
    assert len(arrived(kafka)) == ended["delivered"]


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
        assert app.handler.flush()
        show(app)
        assert (app.stats.delivered, app.stats.dropped) == (220, {})
    assert arrived(kafka) == [*range(220)]


@pytest.mark.parametrize("more", [0, 10])
@pytest.mark.parametrize("what", ["directory", "files"])
def test_what_is_removed_in_use_is_written_anew_at_the_end(
    kafka: MockKafka, nobody: str, spool: Path, what: str, more: int
) -> None:
    """The file would end with the process; whether or not something came after it."""
    kept: dict[str, Any] = {"spool": spool, "durable": True}
    with application(**keywords(**to_kafka(nobody), **kept, flush_timeout=0.3)) as app:
        log(app, range(100))
        assert app.stats.spooled == 100
        if what == "directory":
            shutil.rmtree(spool)
        else:
            for file in spool.iterdir():
                file.unlink()
        log(app, range(100, 100 + more))
    show(app)
    assert (app.stats.spooled, app.stats.dropped) == (100 + more, {})
    with application(**keywords(**to_kafka(kafka), **kept, flush_timeout=60)) as app:
        log(app, [200])
        assert app.handler.flush()
        show(app)
        assert app.stats.taken_over == 100 + more
    assert arrived(kafka) == [*range(100 + more), 200]


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
        with application(**keywords(**to_kafka(nobody), spool=spool, flush_timeout=0.05)) as app:
            log(app, range(generation * 20, generation * 20 + 20))
            app.handler.close()
            [*_] = spool_files(spool)
            for file in spool_files(spool):
                file.rename(file.with_suffix(".later"))
    for file in spool.iterdir():
        file.rename(file.with_suffix(".spool"))
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
    numbers = [int(json.loads(one.value() or b"")["comment"]) for one in kafka.consume(TOPIC)]
    assert sorted(numbers) == [*range(240), 1001, 1002]
    assert not [*spool.iterdir()]
