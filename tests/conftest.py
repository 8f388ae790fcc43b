"""What every test gets: logging as it found it, no thread left behind, and where real data is."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from eplogging.testing import MockKafka
from tests.support.loggingstate import LoggingState
from tests.support.processes import ROOT
from tests.support.schemaserver import SchemaServer

_GRACE = 2.0


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    """Fail a test that leaves a thread of eplogging running."""
    before = set(threading.enumerate())
    yield
    deadline = time.monotonic() + _GRACE
    left = [
        thread
        for thread in threading.enumerate()
        if thread.name.startswith("eplogging") and thread not in before
    ]
    for thread in left:
        thread.join(max(0.0, deadline - time.monotonic()))
    names = [thread.name for thread in left if thread.is_alive()]
    if names:
        pytest.fail(f"threads outlive the test: {', '.join(names)}")


@pytest.fixture(autouse=True)
def _logging_restored(_no_thread_left: None) -> Iterator[None]:
    """Restore the configuration of logging; closing handlers is the test's own business."""
    state = LoggingState()
    yield
    state.restore()


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    """An embedded Kafka of the test's own: it takes a few milliseconds."""
    with MockKafka() as cluster:
        yield cluster


@pytest.fixture
def schema_server() -> Iterator[SchemaServer]:
    """An HTTP server with nothing mounted and no stream declared."""
    with SchemaServer() as server:
        yield server


@pytest.fixture(scope="session")
def wmf() -> Path:
    """The real schemas, stream configs and verdicts that lie beside the project, where they do."""
    path = ROOT.parent / "shared" / "wmf"
    if not path.is_dir():
        pytest.skip("the Wikimedia data files (../shared/wmf) are not here")
    return path
