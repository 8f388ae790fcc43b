from collections.abc import Callable, Mapping
from contextvars import ContextVar
from logging import LogRecord
from typing import Any, Literal

class Counter:
    @property
    def value(self) -> int: ...
    def add(self, number: int, /) -> int: ...

class Intake:
    def __new__(
        cls,
        *,
        selected: Callable[[dict[str, Any], dict[str, bool]], dict[str, Any] | None],
        conform: Callable[..., tuple[Any, ...] | Literal[False] | None],
        wanted: dict[str, bool],
        state: object,
        bound: ContextVar[Mapping[str, Any]],
        listener: object,
        queue: object,
        accepted: Counter,
        pending: Counter,
        pending_bytes: Counter,
        otherwise: Callable[[LogRecord], Any],
        raised: Callable[[BaseException, LogRecord, bool], None],
        pid: int,
        most_messages: int,
        most_bytes: int,
        overhead: int,
        crowded: int,
        yield_every: int,
    ) -> Intake: ...
    def handle(self, record: LogRecord, /) -> Any: ...
