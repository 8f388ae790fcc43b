"""How a message stands in a spool file: in parts that fit a page each, and tell whether they are whole.

SQLite notices damage to its own structures, not to what is stored in them. With a mark, an identity
and a checksum, each part can be judged alone, and even be found where the structure around it is gone.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator
from typing import NamedTuple

PAGE = 4096
"""Bytes of a page of a spool file."""

_MARK = b"\xe5\x1epl"
_HEADER = struct.Struct(">4sqIIHI")
_CHECKED = struct.Struct(">4sqIIH")

MAX_DATA = 4000 - _HEADER.size
"""Bytes of a message in one part: SQLite keeps up to 4,061 bytes of a row together on one page."""


class Part(NamedTuple):
    """One part of a record.

    Attributes:
        first: the identity of the record: the row of its first part.
        number: which part this is, from 0.
        parts: how many there are.
        data: its bytes of the record.
    """

    first: int
    number: int
    parts: int
    data: bytes


def parts_of(size: int) -> int:
    """How many parts a record of `size` bytes has."""
    return max(1, -(-size // MAX_DATA))


def split(first: int, record: bytes) -> Iterator[bytes]:
    """The parts of a record, each with its header."""
    parts = parts_of(len(record))
    for index in range(parts):
        data = record[index * MAX_DATA : (index + 1) * MAX_DATA]
        checked = _CHECKED.pack(_MARK, first, index, parts, len(data))
        yield checked + zlib.crc32(data, zlib.crc32(checked)).to_bytes(4, "big") + data


def part_at(stored: bytes, offset: int = 0) -> Part | None:
    """The part that begins at `offset`, or None if none does, or not a whole one."""
    if len(stored) - offset < _HEADER.size:
        return None
    mark, first, index, parts, size, checksum = _HEADER.unpack_from(stored, offset)
    begin = offset + _HEADER.size
    data = stored[begin : begin + size]
    if mark != _MARK or len(data) != size:
        return None
    if zlib.crc32(data, zlib.crc32(stored[offset : offset + _CHECKED.size])) != checksum:
        return None
    return Part(first, index, parts, data)


def parts_in(image: bytes) -> Iterator[tuple[int, Part | None]]:
    """What begins like a part in some bytes, with the identity that it claims; None where it is not whole."""
    offset = image.find(_MARK)
    while 0 <= offset <= len(image) - _HEADER.size:
        yield _HEADER.unpack_from(image, offset)[1], part_at(image, offset)
        offset = image.find(_MARK, offset + 1)


def unmarked_parts_in(image: bytes) -> Iterator[Part]:
    """Whole parts in some bytes but for their marks, which are damaged; looked for at every place."""
    for offset in range(len(image) - _HEADER.size + 1):
        mark, _, index, parts, size, _ = _HEADER.unpack_from(image, offset)
        begin = offset + len(_MARK)
        if mark != _MARK and index < parts and size <= MAX_DATA:
            part = part_at(_MARK + image[begin : offset + _HEADER.size + size])
            if part is not None:
                yield part
