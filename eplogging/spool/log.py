"""SQLite's write-ahead log, read directly: SQLite takes damage in it for its end, and says nothing.

The format is that of SQLite's documentation, "WAL File Format": a header of 32 bytes, then frames,
each with a header of 24 bytes and a page; checksums run through all of them.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_HEADER = struct.Struct(">IIIIIIII")
_FRAME = struct.Struct(">IIIIII")
_BIG_ENDIAN = 0x377F0683
_LITTLE_ENDIAN = 0x377F0682
_32_BITS = 0xFFFFFFFF


class Frame(NamedTuple):
    """A page in the log.

    Attributes:
        page: its number.
        image: its bytes.
        is_whole: whether its checksum is right.
    """

    page: int
    image: bytes
    is_whole: bool


def is_damaged(path: Path) -> bool:
    """Whether something in the log is not what was written; a log that just ends early is not damaged."""
    if not path.exists():
        return False
    log = path.read_bytes()
    if not log:
        return False
    header = _header(log)
    if header is None:
        return len(log) > _HEADER.size
    return not all(frame.is_whole for frame in frames(log))


def frames(log: bytes) -> Iterator[Frame]:
    """The pages in a log, in order, without those of an older generation, which end it.

    A page whose own header is damaged is given as one that is not whole.
    """
    header = _header(log)
    if header is None:
        return
    order, page_size, salts, checksum = header
    size = _FRAME.size + page_size
    for begin in range(_HEADER.size, len(log) - size + 1, size):
        page, _, salt_1, salt_2, *stored = _FRAME.unpack_from(log, begin)
        image = log[begin + _FRAME.size : begin + size]
        if (salt_1, salt_2) != salts and not _is_near((salt_1, salt_2), salts):
            return
        computed = _checksum(log[begin : begin + 8] + image, order, checksum)
        yield Frame(page, image, (salt_1, salt_2) == salts and computed == tuple(stored))
        checksum = (stored[0], stored[1])


def _header(log: bytes) -> tuple[str, int, tuple[int, int], tuple[int, int]] | None:
    if len(log) < _HEADER.size:
        return None
    magic, _, page_size, _, salt_1, salt_2, *stored = _HEADER.unpack_from(log)
    order = {_BIG_ENDIAN: ">", _LITTLE_ENDIAN: "<"}.get(magic)
    if order is None or _checksum(log[:24], order, (0, 0)) != tuple(stored):
        return None
    return order, page_size, (salt_1, salt_2), (stored[0], stored[1])


def _is_near(one: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one of the two is the same: the next generation changes both."""
    return one[0] == other[0] or one[1] == other[1]


def _checksum(data: bytes, order: str, start: tuple[int, int]) -> tuple[int, int]:
    one, two = start
    for first, second in struct.iter_unpack(f"{order}II", data):
        one = (one + first + two) & _32_BITS
        two = (two + second + one) & _32_BITS
    return one, two
