"""Damage to a spool file, byte for byte: starting never fails, and every message that is whole arrives."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from eplogging.conformance import Message
from eplogging.spool import Spool, decode, encode, frames
from eplogging.spool.file import log_of

SIZES = [20, 200, 9000, 1200, 0, 3000]
MESSAGES = [
    Message(
        f"topic.{number % 2}", b'{"k":1}' if number % 2 else None, b"%d" % number * size, number, "stream"
    )
    for number, size in enumerate(SIZES)
]


def write(directory: Path) -> Spool:
    """A spool of a few messages, one of them in several parts, some removed, in several transactions."""
    directory.mkdir(mode=0o700)
    spool = Spool(directory, 10**9, "NORMAL")
    removed = spool.write([encode(Message("gone", None, b"gone", 0, "stream"))], read=1)
    for message in MESSAGES[:3]:
        spool.write([encode(message)])
    spool.write([encode(message) for message in MESSAGES[3:]])
    spool.delete(removed)
    return spool


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process leaves that ends in order: a file without a log."""
    directory = tmp_path_factory.mktemp("ended") / "spool"
    write(directory).close()
    [_] = directory.iterdir()
    return directory


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a process leaves that is killed: nearly everything is in the log."""
    directory = tmp_path_factory.mktemp("killed")
    spool = write(directory / "living")
    shutil.copytree(directory / "living", directory / "spool")
    spool.close()
    return directory / "spool"


def arrives(directory: Path) -> tuple[list[Message], Spool]:
    """What a process reads that starts now; the sums are right, whatever it finds."""
    spool = Spool(directory, 10**9, "NORMAL")
    spool.take_over()
    found: list[Message] = []
    while spool.unread:
        for _, record in spool.read(100, 10**6):
            item = decode(record)
            assert isinstance(item, Message)
            found.append(item)
    assert spool.taken_over == len(found) + spool.damaged
    spool.close()
    return found, spool


def places(content: bytes, message: Message) -> Iterator[range]:
    """Where a message stands, and has stood: each of its parts with its header."""
    record = encode(message)[9:]  # without the time
    offset = content.find(frames._MARK)
    while offset >= 0:
        part = frames.part_at(content, offset)
        if part is not None and (record in part.data or (part.parts > 1 and part.data[9:] in record)):
            yield range(offset, offset + frames._HEADER.size + len(part.data))
        offset = content.find(frames._MARK, offset + 1)


def file_in(directory: Path, which: str) -> Path:
    [path] = directory.glob("*.spool")
    return path if which == "file" else log_of(path)


def copied(source: Path, to: Path) -> Path:
    shutil.rmtree(to, ignore_errors=True)
    shutil.copytree(source, to)
    return to


def check(directory: Path, intact: list[Message], what: str) -> None:
    """The intact messages arrive, once and in order; what does not is counted."""
    found, spool = arrives(directory)
    assert set(intact) <= set(found), f"{what}: {spool.damage}"
    known = [one for one in found if one in MESSAGES]
    # A damaged log may bring a message back that was removed, never one of those that wait.
    assert known == sorted(set(known), key=MESSAGES.index), f"{what}: out of order, or twice"
    assert {one.topic for one in found} <= {"topic.0", "topic.1", "gone"}
    assert len(known) + spool.damaged >= len(MESSAGES), f"{what}: something is lost and not counted"


def check_flips(source: Path, which: str, to: Path, step: int = 0) -> None:
    """Flips every so many bytes; without a number, those that a part begins with."""
    name = file_in(source, which).name
    content = (source / name).read_bytes()
    held = {message: [*places(content, message)] for message in MESSAGES}
    begins = [place.start for some in held.values() for place in some]
    for offset in range(0, len(content), step) if step else begins:
        broken = bytearray(content)
        broken[offset] ^= 0xFF
        (copied(source, to) / name).write_bytes(broken)
        intact = [one for one in MESSAGES if not any(offset in place for place in held[one])]
        check(to, intact, f"byte {offset}")


def check_cuts(source: Path, which: str, to: Path, step: int) -> None:
    """A message is intact that stands before the cut; what a log loses, nobody can know of."""
    name = file_in(source, which).name
    content = (source / name).read_bytes()
    held = {message: [*places(content, message)] for message in MESSAGES}
    for length in sorted({*range(0, len(content), step), 1, 99, 511, len(content) - 1}):
        (copied(source, to) / name).write_bytes(content[:length])
        found, _ = arrives(to)
        whole = {one for one in MESSAGES if which == "file" and all(p.stop <= length for p in held[one])}
        assert whole <= set(found), f"cut at {length}"


WHICH = [("ended", "file"), ("killed", "file"), ("killed", "log")]


@pytest.mark.parametrize(("state", "which"), WHICH)
def test_some_bytes_are_flipped(
    state: str, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    check_flips(request.getfixturevalue(state), which, tmp_path / "copy", 211)


@pytest.mark.parametrize(("state", "which"), WHICH)
def test_what_marks_a_part_is_flipped(
    state: str, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    check_flips(request.getfixturevalue(state), which, tmp_path / "copy")


@pytest.mark.parametrize(("state", "which"), WHICH)
def test_cut_at_some_lengths(state: str, which: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    check_cuts(request.getfixturevalue(state), which, tmp_path / "copy", 211)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(("state", "which"), WHICH)
def test_each_byte_is_flipped_and_each_length_cut(
    state: str, which: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    check_flips(request.getfixturevalue(state), which, tmp_path / "copy", 1)
    check_cuts(request.getfixturevalue(state), which, tmp_path / "copy", 1)
