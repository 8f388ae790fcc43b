"""Instants as the Event Platform writes them: ISO-8601 in UTC with milliseconds and `Z`.

Two instants are written for nearly every event, so the texts of the last seconds are kept and only
the milliseconds are put behind them.
"""

from __future__ import annotations

import re
import sys
import time
from datetime import datetime, timedelta, timezone

_MILLISECONDS = tuple(f".{millisecond:03}Z" for millisecond in range(1000))
_EPOCH = datetime(1970, 1, 1, tzinfo=timezone.utc)
_ISO_8601 = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt\s](\d\d):(\d\d):(\d\d)(?:\.(\d+))?(?:[Zz]|([+-])(\d\d)(?::?(\d\d))?)", re.ASCII
)
_seconds: dict[int, str] = {}
_MAX_SECONDS = 64
_EARLIEST, _LATEST = -62_135_596_800, 253_402_300_799


clock = time.time
"""Seconds since the epoch."""


def now() -> int:
    """Milliseconds since the epoch."""
    return int(clock() * 1000)


def to_milliseconds(instant: datetime | float) -> int:
    """A `datetime` or seconds since the epoch, as milliseconds since the epoch.

    Raises:
        ValueError: the `datetime` is naive, or the number beyond the years 1 to 9999: it names no instant.
    """
    if not isinstance(instant, datetime):
        if not _EARLIEST <= instant <= _LATEST:
            raise ValueError(f"{instant!r} is no instant between the years 1 and 9999, in seconds since 1970")
        return int(instant * 1000)
    # By Python's own methods, as those of a subclass are code of others. The value itself is not told: it may
    # be one of `redact_fields`.
    if datetime.utcoffset(instant) is None:
        raise ValueError(
            "it has no time zone, so it is no instant; give one, such as datetime.now(timezone.utc)"
        )
    return datetime.__sub__(instant, _EPOCH) // _MILLISECOND


def isoformat(milliseconds: int) -> str:
    """Milliseconds since the epoch as ISO-8601; safe from any thread without a lock."""
    second, millisecond = divmod(milliseconds, 1000)
    text = _seconds.get(second)
    if text is None:
        if len(_seconds) >= _MAX_SECONDS:
            _seconds.clear()
        text = (_EPOCH + timedelta(seconds=second)).isoformat()[:19]
        _seconds[second] = text
    return text + _MILLISECONDS[millisecond]


def parse(text: str) -> int:
    """The instant that an ISO-8601 text names, in milliseconds since the epoch.

    Takes what AJV's `date-time` takes (a space for the `T`, `+0000`, any number of decimals), if it
    is a real instant; a leap second is the instant that follows it.

    Raises:
        ValueError: the text is no ISO-8601 date and time with a zone, or names an impossible one.
    """
    if _STANDARD_PARSES and _USUAL.fullmatch(text):
        try:
            return (datetime.fromisoformat(text) - _EPOCH) // _MILLISECOND
        except ValueError:
            pass  # a leap second
    return _parse_any(text)


_MILLISECOND = timedelta(milliseconds=1)
_USUAL = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T(?!24)[0-9:]{8}(?:\.[0-9]{1,6})?Z", re.ASCII)
_STANDARD_PARSES = sys.version_info >= (3, 11)


def _parse_any(text: str) -> int:
    match = _ISO_8601.fullmatch(text)
    if match is None:
        raise ValueError("it is no ISO-8601 date and time with a time zone, such as 2020-07-01T00:00:00Z")
    *whole, fraction, sign, hours, minutes = match.groups()
    year, month, day, hour, minute, second = map(int, whole)
    leap = second == 60
    try:
        instant = datetime(year, month, day, hour, minute, second - leap, tzinfo=timezone.utc)
        offset = timedelta(hours=int(hours or 0), minutes=int(minutes or 0))
        if offset >= timedelta(days=1) or int(minutes or 0) > 59:
            raise ValueError("its offset from UTC is a day or more")
        instant = instant + offset if sign == "-" else instant - offset
    except (ValueError, OverflowError) as error:
        raise ValueError(f"it is an impossible instant: {error}") from None
    milliseconds = int(((fraction or "") + "000")[:3])
    return (instant - _EPOCH) // _MILLISECOND + (1000 if leap else milliseconds)
