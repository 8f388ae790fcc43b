"""The spool: a directory with a file for each process, and the files that processes left behind.

Messages are read oldest first: what was left behind, file by file, then what this process wrote.
"""

from __future__ import annotations

import os
import random
import sqlite3
import stat
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from ..conformance import ConfigurationError
from ..conformance.forking import unforked
from .database import Synchronous, log_of
from .file import BEFORE_ALL, SMALLEST, SUFFIX, DamagedError, InUseError, Row, SpoolFile, age_of
from .frames import PAGE
from .salvage import salvage, set_aside

_UNFINISHED = 60.0
"""Seconds after which a file without content is nobody's: its maker locks it a moment after making it."""

_LARGE = 16 * 1024 * 1024
"""Bytes of an emptied file that are given back to the disk."""

_AT_ONCE = 4 * 1024 * 1024
"""Bytes that are copied at once."""

_TROUBLE = (OSError, sqlite3.Error)

_PAUSES = (0.005, 0.02)
"""Seconds at most before a file that is in use is tried once more."""


class SpoolError(Exception):
    """The spool can not be written now: a full disk, the size limit, or another fault."""


def prepare_directory(path: Path) -> None:
    """Makes the directory, for this user alone.

    Raises:
        ConfigurationError: it is none, it belongs to somebody else, or others may write to it.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.stat()
    except FileExistsError:
        raise ConfigurationError(f"spool: {str(path)!r} is no directory") from None
    except OSError:
        return  # it may be better later; the listener reports it
    if hasattr(os, "geteuid") and (status.st_uid != os.geteuid() or status.st_mode & 0o022):
        raise ConfigurationError(
            f"spool: {str(path)!r} has mode {stat.S_IMODE(status.st_mode):o} and belongs to user "
            f"{status.st_uid}; it must belong to the user of this process, and nobody else may write to it "
            "(chmod 700)"
        )


class Spool:
    """The spool files that this process owns.

    Used by one thread at a time: the listener's, or the one that closes the handler after it. A fork waits
    for the end of a method: the child would inherit SQLite's own locks.

    Args:
        directory: where they are; several processes and handlers may share it.
        max_bytes: of the files that this process owns.
        synchronous: SQLite's: `NORMAL` survives the end of the process, `FULL` that of the machine.

    Attributes:
        taken_over: messages found in files that other processes left behind.
        damaged: messages that were found, or were known to be there, and could not be read.
        damage: what was wrong with the last damaged file; empty if there was none.
    """

    def __init__(self, directory: Path, max_bytes: int, synchronous: Synchronous) -> None:
        self._directory = directory
        self._max_bytes = max_bytes
        self._synchronous: Synchronous = synchronous
        self._left: list[SpoolFile] = []
        self._own: SpoolFile | None = None
        self._own_room = max_bytes
        self._left_bytes = 0
        self.taken_over = self.damaged = 0
        self.damage = ""

    @property
    def stored(self) -> int:
        """Messages on the disk."""
        return sum(one.stored for one in self._files)

    @property
    def unread(self) -> int:
        """Those of them that were not read yet."""
        return sum(one.unread for one in self._files)

    @property
    def _files(self) -> list[SpoolFile]:
        return [*self._left, self._own] if self._own is not None else self._left

    @unforked()
    def take_over(self) -> None:
        """Takes over what no living process owns.

        Raises:
            SpoolError: the directory, or a file in it, can not be read now.
        """
        mine = {one.path for one in self._files}
        try:
            paths = sorted(path for path in self._directory.iterdir() if path.suffix == SUFFIX)
        except OSError as error:
            raise SpoolError(str(error)) from None
        troubles: list[str] = []
        paths = self._take_over_of([path for path in paths if path not in mine], troubles)
        for pause in _PAUSES if paths else ():
            # Two that open a file at the same moment may both be refused. No secret: it parts them.
            time.sleep(random.uniform(0, pause))  # nosec B311
            paths = self._take_over_of(paths, troubles)
        if troubles:
            raise SpoolError(troubles[-1])

    def _take_over_of(self, paths: Sequence[Path], troubles: list[str]) -> list[Path]:
        """Takes over some files; returns those that are in use."""
        in_use = []
        for path in paths:
            try:
                self._take_over(path)
            except InUseError:
                in_use.append(path)
            except FileNotFoundError:
                pass  # another process was faster
            except _TROUBLE as error:
                troubles.append(str(error))
        return in_use

    def _take_over(self, path: Path) -> None:
        """Takes over one file.

        Raises:
            InUseError: its process lives, or another one is about to take it over.
            OSError, sqlite3.Error: it can not be read now, or is not there any more.
        """
        try:
            # The log first: a process that is just making both has the file's first page before the log.
            has_log = log_of(path).exists()
            status = path.stat()
            if status.st_size < PAGE and has_log:  # SQLite would throw it away
                raise DamagedError("it is cut short, and its log is not")
            if status.st_size == 0 and time.time() - status.st_mtime < _UNFINISHED:
                return
            taken: SpoolFile | None = SpoolFile.take_over(path)
        except DamagedError as error:
            taken = self._salvage(path, str(error), after=BEFORE_ALL, file=error.file)
        if taken is None:
            return
        self.taken_over += taken.stored
        if taken.stored:
            self._left.append(taken)
            self._left_bytes += taken.size
        else:
            taken.close()

    def _salvage(
        self, path: Path, reason: str, after: int, file: SpoolFile | None, known: int | None = None
    ) -> SpoolFile | None:
        """Copies what is whole in a damaged file to a new one, then sets it aside.

        A process that is killed between the two sends some of it twice, and loses none.

        Raises:
            FileNotFoundError: another process was faster.
            OSError, sqlite3.Error: there is no room for the copy now; nothing was changed.
        """
        copy = None
        try:
            found = salvage(path, after)
            copy = self._copy(found.records, path) if found.records else None
            aside = set_aside(path)
        except _TROUBLE:
            if copy is not None:
                copy.remove()
            if file is not None and known is None:
                file.leave()
            raise
        if file is not None:
            file.give_up()
        lost = found.damaged if known is None else max(0, known - len(found.records))
        self.damage = f"{aside}: {reason}; {len(found.records)} messages saved, {lost} lost"
        self.damaged += lost
        self.taken_over += lost if known is None else 0
        return copy

    def _copy(self, records: Sequence[bytes], of: Path) -> SpoolFile:
        """A new file with records of another one, and its place among the files."""
        new = SpoolFile.create(self._directory, self._max_bytes, self._synchronous, age_of(of))
        try:
            new.write(records)
        except BaseException:
            new.close()  # and removes it
            raise
        return new

    @unforked()
    def write(self, records: Sequence[bytes], *, read: int = 0) -> list[Row]:
        """Adds records at the end, in one transaction.

        Args:
            records: what to add.
            read: how many of them, from the first, count as read; only where nothing else is unread.

        Raises:
            SpoolError: nothing was added.
        """
        try:
            return self._writable().write(records, read=read)
        except _TROUBLE as error:
            raise SpoolError(str(error)) from None

    @unforked()
    def write_before(self, records: Sequence[bytes]) -> None:
        """Adds records before all others of this process.

        Raises:
            SpoolError: nothing was added.
        """
        try:
            (self._left[0] if self._left else self._writable()).write_before(records)
        except _TROUBLE as error:
            raise SpoolError(str(error)) from None

    def _writable(self) -> SpoolFile:
        if self._own is not None and not self._own.is_there:
            self._left.append(self._own)  # somebody removed it; it can be read as long as it is open
            self._own = None
        if self._own is None:
            if self._left_bytes and self._room < SMALLEST:
                raise SpoolError("spool_bytes is used up by what other processes left")
            self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._own = SpoolFile.create(self._directory, self._room, self._synchronous)
            self._own_room = self._room
        elif self._own_room != self._room:
            self._own_room = self._room
            self._own.limit(self._room)
        return self._own

    @property
    def _room(self) -> int:
        """Bytes that are left for what this process writes, beside what it took over."""
        return self._max_bytes - self._left_bytes

    @unforked()
    def read(self, count: int, max_bytes: int) -> list[tuple[Row, bytes]]:
        """Reads the next records, oldest first, from one file; none if there are none.

        Args:
            count: records at most.
            max_bytes: no more are read once they have so many.

        Raises:
            SpoolError: they can not be read now.
        """
        try:
            for one in self._files:
                if one.unread:
                    try:
                        return one.read(count, max_bytes)
                    except DamagedError as error:
                        self._replace(one, str(error))
                        return []
        except _TROUBLE as error:
            raise SpoolError(str(error)) from None
        return []

    def _replace(self, damaged: SpoolFile, reason: str) -> None:
        saved = self._salvage(damaged.path, reason, damaged.read_to, damaged, known=damaged.unread)
        files = [saved if one is damaged else one for one in self._left]
        if damaged is self._own:
            self._own = None
            files.append(saved)
        self._left = [one for one in files if one is not None]

    @unforked()
    def delete(self, rows: list[Row]) -> None:
        """Removes what was acknowledged or refused.

        Args:
            rows: what to remove; emptied of what was removed.

        Raises:
            SpoolError: some of it was not removed.
        """
        by_file = defaultdict(list)
        for row in rows:
            by_file[id(row.file)].append(row)
        trouble = ""
        for some in by_file.values():
            try:
                some[0].file.delete(some)
            except _TROUBLE as error:
                if not some[0].file.discard(some):
                    trouble = str(error)
                    continue
            del by_file[id(some[0].file)][:]
        rows[:] = [row for some in by_file.values() for row in some]
        self._shrink()
        if trouble:
            raise SpoolError(trouble)

    def _shrink(self) -> None:
        empty = [one for one in self._left if not one.stored]
        self._left = [one for one in self._left if one.stored]
        if empty:
            self._left_bytes = sum(one.size for one in self._left)
        own = self._own
        if own is not None and not own.stored and (own.size > _LARGE or not own.is_open):
            empty.append(own)
            self._own = None
        for one in empty:
            _close(one)

    def end(self) -> tuple[SpoolFile | None, int]:
        """Where the next record will stand."""
        return self._own, self._own.end if self._own is not None else 0

    @unforked()
    def has_before(self, end: tuple[SpoolFile | None, int]) -> bool:
        """Whether there is a record still that was there when `end` was called.

        Raises:
            SpoolError: the file can not be read.
        """
        file, row = end
        if any(one.stored for one in self._left):
            return True
        try:
            return file is not None and file.is_open and file.has_before(row)
        except sqlite3.Error as error:
            raise SpoolError(str(error)) from None

    def forked(self) -> None:
        """In a child process: leaves the files to the parent, without touching them, for good."""
        for one in self._files:
            one.leave()
        self._left, self._own = [], None
        self.taken_over = self.damaged = 0

    @unforked()
    def close(self) -> None:
        """Closes all files; those that are empty are removed."""
        self._save_removed()
        files, self._left, self._own = self._files, [], None
        for one in files:
            _close(one)

    def _save_removed(self) -> None:
        """What is in a file that somebody removed would end with this process: it is written anew."""
        for one in self._files:
            if one.stored and not one.is_there:
                left = one.stored
                try:
                    one.rewind()
                    self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)
                    while records := [record for _, record in one.read(1000, _AT_ONCE)]:
                        _close(self._copy(records, one.path))
                        left -= len(records)
                except (*_TROUBLE, DamagedError) as error:
                    self.damaged += left
                    self.damage = f"{one.path} was removed, and {left} messages with it: {error}"


def _close(file: SpoolFile) -> None:
    try:
        file.close()
    except _TROUBLE:
        file.give_up()
