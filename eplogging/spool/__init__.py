"""Messages on the disk that are not acknowledged yet, so that they outlive memory and the process."""

from .database import Synchronous
from .directory import Spool, SpoolError, prepare_directory
from .file import Row
from .records import decode, encode, stored_at, with_identity
from .trouble import Trouble

__all__ = [
    "Row",
    "Spool",
    "SpoolError",
    "Synchronous",
    "Trouble",
    "decode",
    "encode",
    "prepare_directory",
    "stored_at",
    "with_identity",
]
