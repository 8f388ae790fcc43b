"""Bytes of an event that is plain JSON data, written in C where the extra `fast` is installed.

orjson writes most events as `JSON.stringify` does, but not floats, nor what is no JSON at all: use it
only for what `CompiledSchema.vouches` vouches for.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from .jsondata import stringify

Writer = Callable[[Any], bytes]

try:
    import orjson
except ImportError:  # without the extra `fast`
    fast_writer: Writer = stringify
else:
    # What is no plain data is passed through, that is, refused: it takes the careful way. orjson would call
    # methods of its class, and end the process where a dataclass's `__getattribute__` raises.
    fast_writer = partial(
        orjson.dumps,
        option=orjson.OPT_PASSTHROUGH_DATACLASS
        | orjson.OPT_PASSTHROUGH_DATETIME
        | orjson.OPT_PASSTHROUGH_SUBCLASS,
    )
