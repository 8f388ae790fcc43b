"""Bytes of an event that is plain JSON data, written in C where the extra `fast` is installed.

orjson writes most events as `JSON.stringify` does, but not floats, nor what is no JSON at all: use it
only for what `CompiledSchema.vouches` vouches for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from .jsondata import stringify

Writer = Callable[[Any], bytes]

try:
    import orjson
except ImportError:  # without the extra `fast`
    fast_writer: Writer = stringify
else:
    fast_writer = orjson.dumps
