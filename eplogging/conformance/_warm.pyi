from collections.abc import Callable, Mapping
from datetime import datetime
from types import ModuleType
from typing import Any, Literal

from .message import Message

class WarmPath:
    def __new__(
        cls,
        *,
        schemas: dict[str, Any],
        streams: Any,
        message: type[Message],
        dumps: Callable[..., bytes],
        option: int,
        instants: ModuleType,
        ids: list[str],
        new_id: Callable[[], str],
        isoformat: Callable[[int], str],
        parse: Callable[[str], int],
        merge: Callable[..., None],
        instant_at: Callable[[Mapping[str, Any]], int | None] | None,
        judgements: tuple[type[Exception], ...],
        most_bytes: int,
        most_ahead: int,
    ) -> WarmPath: ...
    def conform(
        self, event: Any, event_time: datetime | float | None, bound: Mapping[str, Any] | None, own: bool, /
    ) -> Message | Literal[False] | None: ...

def selected(items: dict[str, Any], wanted: dict[str, bool], /) -> dict[str, Any] | None: ...
