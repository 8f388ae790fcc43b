"""An application that hostile events are logged by."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eplogging.sinks import MemorySink
from tests.support.application import Application, application, keywords


@pytest.fixture
def sink() -> MemorySink:
    return MemorySink()


@pytest.fixture
def app(sink: MemorySink) -> Iterator[Application]:
    with application(sink=sink, **keywords(error_stream="sample.errors")) as app:
        yield app
