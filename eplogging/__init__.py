"""Wikimedia Event Platform events from the standard `logging` module, straight into Kafka."""

from .context import bind_event_fields
from .handler import EventPlatformHandler
from .records import EventFormatter

__all__ = ["EventFormatter", "EventPlatformHandler", "bind_event_fields"]
