"""What is written in C, where there was a compiler when eplogging was installed; Python does without."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import partial
from typing import Any, Literal

from . import fields, instants
from .errors import ConformanceError
from .message import OVERHEAD, Message, instant_at
from .schemas import Schemas
from .serialization import fast_writer
from .streams import Streams

PURE_PYTHON = "EPLOGGING_PURE_PYTHON"
"""The environment variable that leaves C out where it is set, to look for a fault."""

is_pure = bool(os.environ.get(PURE_PYTHON))
try:
    if is_pure:
        raise ImportError
    from ._warm import WarmPath as WarmPath
    from ._warm import selected as selected
except ImportError:
    WarmPath = selected = None  # type: ignore[assignment,misc]

Warm = Callable[
    [Any, datetime | float | None, Mapping[str, Any] | None, bool], Message | Literal[False] | None
]
"""Makes the message of an event; False where its schema did not vouch for it, None where it was not judged.

Called with the event, when it happened (see `Conformer.conform`), the fields of the context, and whether the
event is the caller's own, so that fields may be set in it.
"""

_META_DT = ("meta", "dt")


def make_warm_path(
    schemas: Schemas, streams: Streams, dt_path: tuple[str, ...], max_message_bytes: int, max_ahead: int
) -> Warm | None:
    """What makes messages of events that need no look-up and have no fault.

    Args:
        schemas: whose known schemas serve.
        streams: whose known settings serve.
        dt_path: where the message timestamp comes from.
        max_message_bytes: see `check_size`.
        max_ahead: milliseconds that a message timestamp may be in the future.

    Returns:
        It, or None without what is written in C or without orjson.
    """
    if WarmPath is None or not isinstance(fast_writer, partial):
        return None
    return WarmPath(
        schemas=schemas.known,
        streams=streams,
        message=Message,
        dumps=fast_writer.func,
        option=fast_writer.keywords["option"],
        instants=instants,
        ids=fields.ids,
        new_id=fields.new_id,
        isoformat=instants.isoformat,
        parse=instants.parse,
        merge=fields.merge,
        instant_at=None if dt_path == _META_DT else lambda event: instant_at(event, dt_path),
        judgements=(ConformanceError, TypeError, ValueError, RecursionError),
        most_bytes=max_message_bytes - OVERHEAD,
        most_ahead=max_ahead,
    ).conform
