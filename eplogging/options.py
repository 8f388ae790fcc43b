"""Options as `dictConfig` gives them: its containers resolve `ext://` and `cfg://` when they are accessed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def plain_options(value: Any) -> Any:
    """Options as plain dicts and lists: those of `dictConfig` resolve `ext://` when they are accessed."""
    if isinstance(value, Mapping):
        return {name: plain_options(value[name]) for name in value}
    if isinstance(value, (list, tuple)):
        return [plain_options(value[index]) for index in range(len(value))]
    return value
