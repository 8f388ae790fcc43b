"""A stalled network before Kafka must be something a test can make."""

from __future__ import annotations

from confluent_kafka import Producer

from eplogging.testing import MockKafka
from tests.support.proxy import TcpProxy


def test_all_of_kafkas_traffic_passes_the_proxy(kafka: MockKafka, kafka_proxy: TcpProxy) -> None:
    client = Producer({"bootstrap.servers": kafka_proxy.host_port, "log_level": 0})
    client.produce("t", b"first")
    assert client.flush(10) == 0

    kafka_proxy.black_hole()
    client.produce("t", b"second")
    assert client.flush(0.3) == 1
    kafka_proxy.restore()
    assert client.flush(10) == 0

    assert {message.value() for message in kafka.consume("t")} == {b"first", b"second"}
