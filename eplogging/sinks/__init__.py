"""Where messages go."""

from .base import Outcomes, Sink, SinkFull
from .kafka import KafkaSink
from .memory import MemorySink
from .stream import StreamSink

__all__ = ["KafkaSink", "MemorySink", "Outcomes", "Sink", "SinkFull", "StreamSink"]
