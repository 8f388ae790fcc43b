"""What the listener asks of a sink, and what a sink tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

from ..conformance import Message


class Outcomes(Protocol):
    """Takes delivery reports: what became of each message, once.

    A mark is what `send` was given with a message; it comes back with its outcome.
    """

    def delivered(self, count: int, size: int, marks: Sequence[Any] = ()) -> None:
        """Messages were acknowledged.

        Args:
            count: how many.
            size: the bytes of all of them.
            marks: of those that have one.
        """

    def failed(self, message: Message, error: str, mark: Any = None) -> None:
        """A message was not delivered, and is not sent again."""

    def troubled(self, error: str) -> None:
        """Nothing can be delivered now; what there is stays where it is."""

    def refused(self, message: Message, reason: str, error: str, mark: Any = None) -> None:
        """A message can never be delivered as it is.

        Args:
            message: the message.
            reason: the kind of refusal as one stable word.
            error: what was said.
            mark: its mark.
        """


class SinkFull(Exception):  # noqa: N818 - it is no error: the same message is taken a little later
    """The sink can take no message now; the listener keeps it and tries again."""


class Sink(Protocol):
    """Takes messages and reports what became of each, once.

    Every method is called from one thread at a time (the listener's, or the one that closes the
    handler after it), and only reports from within one of its methods.
    """

    def open(self, outcomes: Outcomes) -> None:
        """Prepares for messages; called before the first one, in the thread that sends it."""

    def send(self, message: Message, mark: Any = None) -> None:
        """Takes a message; does not wait.

        Raises:
            SinkFull: it can not be taken now.
        """

    def poll(self) -> None:
        """Serves delivery reports; does not wait."""

    def flush(self, timeout: float) -> bool:
        """Waits at most `timeout` seconds until every message taken is reported; True if each is."""

    def barrier(self) -> object:
        """Stands for everything taken until now, until there is another barrier; see `is_past`."""

    def is_past(self, barrier: Any) -> bool:
        """Whether everything is reported that was taken before the barrier; does not wait."""

    def close(self) -> list[tuple[Message, Any]]:
        """Gives up what is not delivered, and frees what `open` took.

        Returns:
            The messages given up, which are not reported, in the order of `send`, each with its mark.
        """

    def forked(self) -> None:
        """Forgets, in a child process, what belongs to its parent, without touching it."""
