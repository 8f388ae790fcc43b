"""What can be had from a damaged spool file: every message that is whole, wherever in the file it stands."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from .database import log_of
from .frames import PAGE, Part, parts_in, unmarked_parts_in
from .log import frames

DAMAGED_SUFFIX = ".damaged"


class Salvaged(NamedTuple):
    """What was found in a damaged file.

    Attributes:
        records: whole records, in order.
        damaged: how many more there were, of which something is missing.
    """

    records: list[bytes]
    damaged: int


def set_aside(path: Path) -> Path:
    """Renames a damaged file and its log, so that nobody takes them over again; returns the new name.

    Raises:
        FileNotFoundError: another process was faster.
    """
    aside = path.with_name(path.name + DAMAGED_SUFFIX)
    path.rename(aside)
    if log_of(path).exists():
        log_of(path).rename(log_of(aside))
    return aside


def salvage(path: Path, after: int) -> Salvaged:
    """Reads a damaged file; changes nothing.

    Pages of the log replace those of the file where the log is whole, so that what was removed since
    does not come back. Where it is damaged, what was removed may be found once more.

    Args:
        path: the file.
        after: the last row that was read before; only what comes later is wanted.

    Raises:
        OSError: it can not be read.
    """
    found: dict[int, dict[int, Part]] = {}
    damaged: set[int] = set()
    pages, suspicious = _images(path)
    for image in (*pages, *suspicious):
        for first, part in parts_in(image):
            if part is None:
                damaged.add(first)
            elif first > after:
                found.setdefault(first, {})[part.number] = part
    for part in (part for image in suspicious if len(image) <= PAGE for part in unmarked_parts_in(image)):
        if part.first > after:
            found.setdefault(part.first, {})[part.number] = part
    whole = {first: parts for first, parts in found.items() if len(parts) == parts[min(parts)].parts}
    damaged.update(found)
    records = [b"".join(part.data for _, part in sorted(parts.items())) for _, parts in sorted(whole.items())]
    return Salvaged(records, len(damaged - whole.keys()))


def _images(path: Path) -> tuple[list[bytes], list[bytes]]:
    """Pages as they stand, and what of the log is not whole."""
    pages: dict[int, bytes] = {}
    suspicious: list[bytes] = []
    content = path.read_bytes()
    for number, begin in enumerate(range(0, len(content), PAGE), 1):
        pages[number] = content[begin : begin + PAGE]
    log = log_of(path)
    if log.exists():
        raw = log.read_bytes()
        known = False
        for frame in frames(raw):
            known = True
            if frame.is_whole:
                pages[frame.page] = frame.image
            else:
                suspicious.append(frame.image)
        if not known:
            suspicious.append(raw)  # its header is damaged: whatever looks like a part counts
    return [*pages.values()], suspicious
