"""Messages on the disk that are not acknowledged yet, so that they outlive memory and the process."""

from .database import Synchronous
from .directory import Spool, SpoolError, prepare_directory
from .file import Row
from .records import CHUNK, decode, encode, first_chunk, is_storable, stored_at, with_identity
from .trouble import Trouble

__all__ = [
    "CHUNK",
    "Row",
    "Spool",
    "SpoolError",
    "Synchronous",
    "Trouble",
    "decode",
    "encode",
    "first_chunk",
    "is_storable",
    "prepare_directory",
    "stored_at",
    "with_identity",
]
