"""SQLite as a spool file needs it: its settings, the lock that ends with the process, what errors mean."""

from __future__ import annotations

import contextlib
import ctypes
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Literal

from .frames import PAGE

LOG_SUFFIX = "-wal"

Synchronous = Literal["NORMAL", "FULL"]

_SETTINGS = (
    f"PRAGMA page_size={PAGE}",
    "PRAGMA locking_mode=EXCLUSIVE",
    "PRAGMA journal_mode=WAL",
    "PRAGMA secure_delete=ON",  # so that a salvage finds nothing that was sent
    # The log only ever grows at its end, until it is cut to nothing: a process that is killed in the midst
    # of a write leaves a log that ends early, never one that looks damaged.
    "PRAGMA wal_autocheckpoint=0",
    "PRAGMA cache_spill=OFF",
)

_LOG_SIZE = 4 * 1024 * 1024

_PASSING = (
    "database or disk is full",
    "disk I/O error",
    "unable to open database file",
    "locking protocol",
)


def log_of(path: Path) -> Path:
    """Where SQLite keeps the newest pages of a file."""
    return path.with_name(path.name + LOG_SUFFIX)


def is_passing(error: Exception) -> bool:
    """Whether an error is one of the disk, which may be better later, and none of what is in the file."""
    return isinstance(error, sqlite3.OperationalError) and str(error).startswith(_PASSING)


class Database:
    """A connection that holds the exclusive lock of an existing file.

    Args:
        path: the file.

    Raises:
        sqlite3.Error: it can not be opened, or somebody else has the lock.
    """

    def __init__(self, path: Path) -> None:
        self._log = log_of(path)
        self._next_cut = _LOG_SIZE
        # Where there is no file (any more), SQLite would make one that everybody may read.
        self._connection = sqlite3.connect(
            f"{path.absolute().as_uri()}?mode=rw",
            uri=True,
            timeout=0,
            isolation_level=None,
            check_same_thread=False,
        )
        try:
            for setting in _SETTINGS:
                answer = self.first(setting)
                if "journal_mode" in setting and answer != ("wal",):
                    raise sqlite3.DatabaseError(f"its journal is {answer}")
            self.first("SELECT count(*) FROM sqlite_master")  # takes the lock
        except BaseException:
            self._connection.close()
            raise

    def execute(self, statement: str, values: Sequence[Any] = ()) -> sqlite3.Cursor:
        """See `sqlite3.Connection.execute`."""
        return self._connection.execute(statement, values)

    def first(self, statement: str, values: Sequence[Any] = ()) -> Any:
        """The first row of the answer; None if there is none."""
        return self._connection.execute(statement, values).fetchone()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """What is executed within is done as a whole or not at all.

        Raises:
            sqlite3.Error: not at all.
        """
        self.execute("BEGIN IMMEDIATE")
        try:
            yield
            self.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                if self._connection.in_transaction:
                    self.execute("ROLLBACK")
            raise
        self._cut_long_log()

    def _cut_long_log(self) -> None:
        try:
            size = self._log.stat().st_size
        except OSError:
            return
        if size >= self._next_cut:
            self._next_cut = _LOG_SIZE if self.cut_log() else size + _LOG_SIZE

    def cut_log(self) -> bool:
        """Moves what is in the log to the file; False if the disk does not take it now."""
        try:
            self.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error:
            return False
        return True

    def close(self) -> None:
        """Closes it; SQLite then moves the log to the file."""
        self._connection.close()

    def leave(self) -> None:
        """Never closes it, not even when the interpreter ends and frees everything.

        For a file that SQLite must not change: to close it is to move its log, and to remove that.
        """
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(self._connection))


def sync_directory(directory: Path) -> None:
    """Has the names in a directory outlive the machine's power."""
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
