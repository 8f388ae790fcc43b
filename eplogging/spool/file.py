"""One spool file: an SQLite database that belongs to one process, and to another one when that is gone.

The owner is who holds SQLite's exclusive lock, which ends with its process, however that ends.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from . import log
from .database import Database, Synchronous, is_passing, log_of, sync_directory
from .frames import PAGE, Part, part_at, parts_of, split

SUFFIX = ".spool"

SMALLEST = 8 * PAGE
"""Bytes that a file may always grow to."""

_FIRST = 2**40
"""Where rows begin, so that there is room before them."""

BEFORE_ALL = -(2**62)
"""A row before every row."""

_TABLE = "CREATE TABLE parts (row INTEGER PRIMARY KEY, part INTEGER, data BLOB)"

_ROWS_PER_STATEMENT = 100
"""SQLite gives up the GIL, and must get it back, at each statement."""


def age_of(path: Path) -> int | None:
    """When a file was made, in nanoseconds since the epoch, as its name has it."""
    digits = path.name.partition("-")[0]
    return int(digits) if digits.isdecimal() else None


class InUseError(Exception):
    """The file belongs to a living process, or to another handler of this one."""


class DamagedError(Exception):
    """The file is not what was written.

    Args:
        reason: what is wrong with it.
        file: the file, where it could be opened: to be given up when it has been set aside, since
            SQLite changes it when it closes it.
    """

    def __init__(self, reason: str, file: SpoolFile | None = None) -> None:
        super().__init__(reason)
        self.file = file


class Row(NamedTuple):
    """Where a record stands.

    Attributes:
        file: the spool file.
        first: the row of its first part.
        parts: how many rows it takes.
    """

    file: SpoolFile
    first: int
    parts: int


class SpoolFile:
    """An open spool file, owned by this process.

    Used by one thread at a time: the listener's, or the one that closes the handler after it.
    Each method that writes is one transaction, and takes as long as the disk does.

    Attributes:
        path: the file.
        stored: records in it.
        unread: those of them that were not read yet.
        is_open: whether it is in use still.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._database = Database(path)
        self._inode = path.stat().st_ino
        self.stored = self.unread = 0
        self.is_open = True
        self._read_to = BEFORE_ALL
        self._next = self._lowest = _FIRST

    @classmethod
    def create(
        cls, directory: Path, max_bytes: int, synchronous: Synchronous, age: int | None = None
    ) -> SpoolFile:
        """Makes a new file in a directory.

        Args:
            directory: where.
            max_bytes: what it may grow to.
            synchronous: SQLite's.
            age: nanoseconds since the epoch, by which files are in order; now, if not given.

        Raises:
            OSError, sqlite3.Error: it can not be made.
        """
        made_at = time.time_ns() if age is None else age
        path = directory / f"{made_at:020d}-{os.getpid()}-{secrets.token_hex(4)}{SUFFIX}"
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        made = None
        try:
            made = cls(path)
            made._set_up(max_bytes, synchronous)
            if synchronous == "FULL":
                sync_directory(directory)
        except BaseException:
            path.unlink(missing_ok=True)
            if made is not None:
                made.give_up()
            raise
        return made

    def _set_up(self, max_bytes: int, synchronous: Synchronous) -> None:
        self.limit(max_bytes)
        self._database.execute(f"PRAGMA synchronous={synchronous}")
        self._database.execute(_TABLE)

    def limit(self, max_bytes: int) -> None:
        """Says what the file may grow to."""
        self._database.execute(f"PRAGMA max_page_count={max(SMALLEST, max_bytes) // PAGE}")

    @classmethod
    def take_over(cls, path: Path) -> SpoolFile:
        """Opens a file that another process left behind.

        Raises:
            InUseError: its process lives.
            DamagedError: SQLite can not make sense of it, or finds fault with it.
            OSError: it can not be opened now.
        """
        path.stat()  # its owner may have removed it just now
        # SQLite tells less. Not by opening it: to close it again would end this process's locks on it,
        # and it may belong to another handler.
        if not os.access(path, os.R_OK | os.W_OK):
            raise PermissionError(f"{path} can not be read and written, or is not there any more")
        try:
            taken = cls(path)
        except (sqlite3.Error, UnicodeDecodeError) as error:  # SQLite may quote what is damaged
            if "locked" in str(error):
                raise InUseError from None
            if not path.exists():  # its owner was faster
                raise FileNotFoundError(path) from None
            raise _judged(error, None) from None
        try:
            if log.is_damaged(log_of(path)):
                raise DamagedError("its log is damaged")
            taken._look_through()
        except (sqlite3.Error, UnicodeDecodeError, DamagedError) as error:
            raise _judged(error, taken) from None
        return taken

    def _look_through(self) -> None:
        database = self._database
        (verdict,) = database.first("PRAGMA quick_check(1)")
        if verdict != "ok":
            raise DamagedError(verdict)
        tables = database.execute("SELECT sql FROM sqlite_master").fetchall()
        if tables not in ([(_TABLE,)], []):
            raise DamagedError("its table is not what was made")
        database.execute("PRAGMA user_version=1")  # whether it can be written
        if not tables:
            if database.first("PRAGMA page_count") > (1,):
                raise DamagedError("its table is gone")
            return  # its maker was killed before there was anything in it
        lowest, highest, parts = database.first("SELECT min(row), max(row), count(*) FROM parts")
        if parts:
            (self.stored,) = database.first("SELECT count(*) FROM parts WHERE part = 0")
            self.unread = self.stored
            self._lowest, self._next = lowest, highest + 1
        database.execute("PRAGMA synchronous=NORMAL")
        database.cut_log()

    def write(self, records: Sequence[bytes], *, read: int = 0) -> list[Row]:
        """Adds records at the end, in one transaction.

        Args:
            records: what to add.
            read: how many of them, from the first, count as read.

        Raises:
            sqlite3.Error: nothing was added.
        """
        rows = self._insert(records, self._next)
        self._next = rows[-1].first + rows[-1].parts
        self._count(rows, read)
        return rows

    def write_before(self, records: Sequence[bytes]) -> None:
        """Adds records before all others, in one transaction; they count as unread.

        Raises:
            sqlite3.Error: nothing was added.
        """
        first = self._lowest - sum(parts_of(len(record)) for record in records)
        self._insert(records, first)
        self._lowest = first
        self.stored += len(records)
        self.unread += len(records)
        self._read_to = first - 1

    def _insert(self, records: Sequence[bytes], first: int) -> list[Row]:
        rows, values = [], []
        for record in records:
            row = Row(self, first, parts_of(len(record)))
            for index, data in enumerate(split(first, record)):
                values.append((first + index, index, data))
            rows.append(row)
            first += row.parts
        with self._database.transaction():
            for start in range(0, len(values), _ROWS_PER_STATEMENT):
                chunk = values[start : start + _ROWS_PER_STATEMENT]
                marks = ",".join(["(?,?,?)"] * len(chunk))
                self._database.execute(
                    f"INSERT INTO parts VALUES {marks}",  # nosec B608
                    [field for value in chunk for field in value],
                )
        return rows

    def _count(self, rows: Sequence[Row], read: int) -> None:
        if read and not self.unread:
            self._read_to = rows[read - 1].first + rows[read - 1].parts - 1
        self.stored += len(rows)
        self.unread += len(rows) - read

    def read(self, count: int, max_bytes: int) -> list[tuple[Row, bytes]]:
        """Reads the next records, in order: at most `count`, and no more once they have `max_bytes`.

        Raises:
            DamagedError: what comes next is not what was written; what was read before it is returned first.
            sqlite3.OperationalError: it can not be read now; likewise.
        """
        found: list[tuple[Row, bytes]] = []
        size = 0
        try:
            while len(found) < count and size < max_bytes:
                entry = self._read_one()
                if entry is None:
                    break
                found.append(entry)
                size += len(entry[1])
        except (sqlite3.Error, UnicodeDecodeError, DamagedError) as error:
            if not found and is_passing(error):
                raise
            if not found:
                raise DamagedError(str(error)) from None
        if not found and self.unread:
            raise DamagedError(f"{self.unread} messages are missing")
        self.unread -= len(found)
        return found

    def _read_one(self) -> tuple[Row, bytes] | None:
        select = "SELECT row, data FROM parts WHERE row > ? ORDER BY row LIMIT ?"
        first = self._database.first(select, (self._read_to, 1))
        if first is None:
            return None
        row, data = first
        head = _whole(data, row, 0)
        rest = self._database.execute(select, (row, head.parts - 1)) if head.parts > 1 else ()
        pieces = [head.data]
        pieces += [_whole(part, row, index).data for index, (_, part) in enumerate(rest, 1)]
        if len(pieces) != head.parts:
            raise DamagedError(f"row {row} has {len(pieces)} of {head.parts} parts")
        self._read_to = row + head.parts - 1
        return Row(self, row, head.parts), b"".join(pieces)

    def delete(self, rows: Iterable[Row]) -> None:
        """Removes records, in one transaction.

        Raises:
            sqlite3.Error: nothing was removed.
        """
        if not self.is_open:
            return  # damaged, and set aside
        ranges, removed = _ranges(rows)
        with self._database.transaction():
            for begin, end in ranges:
                self._database.execute("DELETE FROM parts WHERE row BETWEEN ? AND ?", (begin, end))
        self.stored -= removed

    def discard(self, rows: Iterable[Row]) -> bool:
        """Removes the file with these records, if it has no others: a full disk lets none be removed from it.

        Returns:
            Whether it did.
        """
        _, removed = _ranges(rows)
        if removed == self.stored:
            with contextlib.suppress(OSError):
                self.remove()
        return not self.is_open

    @property
    def end(self) -> int:
        """The row that the next record will have."""
        return self._next

    def has_before(self, row: int) -> bool:
        """Whether there is a record before a row."""
        return self._database.first("SELECT 1 FROM parts WHERE row < ? LIMIT 1", (row,)) is not None

    def rewind(self) -> None:
        """Has everything read once more that is in the file."""
        self._read_to = BEFORE_ALL
        self.unread = self.stored

    @property
    def is_there(self) -> bool:
        """Whether the file is still where it was made: else it is gone with this process."""
        try:
            return self.path.stat().st_ino == self._inode
        except OSError:
            return False

    @property
    def read_to(self) -> int:
        """The last row that was read."""
        return self._read_to

    @property
    def size(self) -> int:
        """Bytes of the file, its log included."""
        return sum(one.stat().st_size for one in (self.path, log_of(self.path)) if one.exists())

    def close(self) -> None:
        """Closes the file, and removes it if nothing is left in it."""
        self.is_open = False
        is_empty = not self.stored and self._is_empty()
        self._database.close()
        if is_empty:
            self.path.unlink(missing_ok=True)
            log_of(self.path).unlink(missing_ok=True)

    def _is_empty(self) -> bool:
        return not (self._database.first("SELECT 1 FROM sqlite_master") and self.has_before(-BEFORE_ALL))

    def give_up(self) -> None:
        """Closes the file as it stands; what was read of it belongs to memory from now on."""
        self.stored = self.unread = 0
        self.is_open = False
        with contextlib.suppress(sqlite3.Error):
            self._database.close()

    def remove(self) -> None:
        """Throws the file away, with what is in it."""
        self.path.unlink(missing_ok=True)
        self.give_up()
        log_of(self.path).unlink(missing_ok=True)

    def leave(self) -> None:
        """Leaves the file as it stands, without closing it: see `Database.leave`."""
        self.is_open = False
        self._database.leave()


def _judged(error: Exception, file: SpoolFile | None) -> Exception:
    """What an error at the opening of a file means."""
    if is_passing(error):
        if file is not None:
            file.give_up()
        return OSError(str(error))
    return DamagedError(str(error), file)


def _whole(data: object, first: int, index: int) -> Part:
    part = part_at(data) if isinstance(data, bytes) else None
    if part is None or (part.first, part.number) != (first, index):
        raise DamagedError(f"part {index} of row {first} is not what was written")
    return part


def _ranges(rows: Iterable[Row]) -> tuple[list[tuple[int, int]], int]:
    """The rows as few ranges, and how many records they are."""
    ranges: list[tuple[int, int]] = []
    number = 0
    for _, first, parts in sorted(rows, key=lambda row: row.first):
        number += 1
        if ranges and ranges[-1][1] == first - 1:
            ranges[-1] = (ranges[-1][0], first + parts - 1)
        else:
            ranges.append((first, first + parts - 1))
    return ranges, number
