"""What tests of the spool share: a cluster whose topic is there from the start, and a place for the files."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from eplogging.testing import MockKafka
from tests.support.spooling import TOPIC


@pytest.fixture
def kafka() -> Iterator[MockKafka]:
    with MockKafka() as cluster:
        cluster.create_topic(TOPIC, 4)
        yield cluster


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"
