"""The real parts that integration tests talk to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from eplogging.testing import MockKafka
from tests.support.kafkajars import FetchError, kafka_jars, missing_programs
from tests.support.nobody import nobody_there
from tests.support.proxy import TcpProxy
from tests.support.realkafka import RealKafka


@pytest.fixture
def kafka_proxy(kafka: MockKafka) -> Iterator[TcpProxy]:
    """A proxy that all traffic with the one broker of `kafka` passes.

    Clients use `kafka_proxy.host_port` as their bootstrap server. `kafka` itself reads
    through it, too, so let it pass before consuming.
    """
    host, port = kafka.bootstrap_servers.split(":")
    with TcpProxy(host, int(port)) as proxy:
        kafka.advertise(1, *proxy.address)
        yield proxy


@pytest.fixture
def nobody() -> Iterator[str]:
    """The address of a broker that is down."""
    with nobody_there() as address:
        yield address


@pytest.fixture(scope="module")
def real_kafka(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RealKafka]:
    """Three brokers of Apache Kafka, for all tests of a module: they take ten seconds to start."""
    if missing := missing_programs():
        pytest.skip(f"a real Kafka needs {' and '.join(missing)} on the PATH")
    try:
        jars = kafka_jars()
    except FetchError as error:
        raise pytest.fail.Exception(str(error), pytrace=False) from None
    with RealKafka(jars, tmp_path_factory.mktemp("kafka")) as kafka:
        yield kafka
