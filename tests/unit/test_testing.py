"""The embedded Kafka must behave as tests assume, or what they show about delivery is worth nothing."""

from __future__ import annotations

import pytest
from confluent_kafka import TIMESTAMP_CREATE_TIME, KafkaError, KafkaException, Message, Producer

from eplogging.testing import MockKafka
from tests.support.processes import start_python

SAFE = {"enable.idempotence": True, "acks": "all"}
PRODUCE = 0


def producer(kafka: MockKafka, **settings: object) -> Producer:
    return Producer({"bootstrap.servers": kafka.bootstrap_servers, "log_level": 0, **SAFE, **settings})


def test_what_is_produced_is_consumed_with_key_value_and_timestamp(kafka: MockKafka) -> None:
    client = producer(kafka)
    client.produce("pages", value=b'{"n":1}', key=b'{"page_id":7}', timestamp=1_700_000_000_123)
    assert client.flush(10) == 0

    [message] = kafka.consume("pages")

    assert (message.topic(), message.key(), message.value()) == ("pages", b'{"page_id":7}', b'{"n":1}')
    assert message.timestamp() == (TIMESTAMP_CREATE_TIME, 1_700_000_000_123)


def test_a_topic_comes_into_being_by_producing_or_on_request(kafka: MockKafka) -> None:
    kafka.create_topic("wide", partitions=9)
    client = producer(kafka)
    client.produce("auto", b"1")
    assert client.flush(10) == 0

    assert kafka.topics() == {"auto": 4, "wide": 9}
    with pytest.raises(KafkaException):
        kafka.create_topic("wide")


def test_messages_of_one_key_stay_in_order(kafka: MockKafka) -> None:
    client = producer(kafka)
    for number in range(1000):
        client.produce("t", str(number).encode(), key=b"same")
    assert client.flush(10) == 0

    assert [message.value() for message in kafka.consume("t")] == [b"%d" % n for n in range(1000)]


def test_consuming_a_missing_topic_gives_nothing_and_creates_nothing(kafka: MockKafka) -> None:
    assert kafka.consume("nothing") == []
    assert kafka.topics() == {}


def test_consuming_may_begin_before_producing(kafka: MockKafka) -> None:
    assert kafka.consume("later", count=1, timeout=0.05) == []
    assert kafka.topics() == {"later": 4}


def test_consuming_stops_at_the_count(kafka: MockKafka) -> None:
    client = producer(kafka)
    for _ in range(5):
        client.produce("t", b"x")
    assert client.flush(10) == 0

    assert len(kafka.consume("t", count=3)) == 3


def test_consuming_tells_that_the_partition_has_dropped_messages(kafka: MockKafka) -> None:
    kafka.create_topic("t", partitions=1)
    client = producer(kafka)
    for _ in range(8):
        client.produce("t", bytes(900_000))
    assert client.flush(10) == 0

    with pytest.raises(LookupError, match="no longer has"):
        kafka.consume("t")


def test_messages_wait_while_the_broker_is_down(kafka: MockKafka) -> None:
    client = producer(kafka, **{"reconnect.backoff.max.ms": 100})
    client.produce("t", b"before")
    assert client.flush(10) == 0

    kafka.broker_down()
    client.produce("t", b"during")
    assert client.flush(0.2) == 1
    kafka.broker_up(1)
    assert client.flush(10) == 0

    assert {message.value() for message in kafka.consume("t")} == {b"before", b"during"}


def test_an_injected_error_reaches_the_delivery_report(kafka: MockKafka) -> None:
    reports: list[int] = []

    def report(error: KafkaError | None, _: Message) -> None:
        reports.append(error.code() if error else 0)

    kafka.push_request_errors(PRODUCE, KafkaError.MSG_SIZE_TOO_LARGE)
    client = producer(kafka, **{"enable.idempotence": False})
    for _ in range(2):
        client.produce("t", b"x", partition=0, on_delivery=report)
        assert client.flush(10) == 0

    assert reports == [KafkaError.MSG_SIZE_TOO_LARGE, 0]


def test_errors_that_pass_are_retried_without_loss(kafka: MockKafka) -> None:
    kafka.push_request_errors(PRODUCE, KafkaError.NOT_ENOUGH_REPLICAS, KafkaError._TRANSPORT)
    client = producer(kafka)
    client.produce("t", b"x")
    assert client.flush(20) == 0

    assert [message.value() for message in kafka.consume("t")] == [b"x"]


def test_errors_not_yet_given_can_be_taken_back(kafka: MockKafka) -> None:
    kafka.push_request_errors(PRODUCE, *[KafkaError.MSG_SIZE_TOO_LARGE] * 9)
    kafka.clear_request_errors(PRODUCE)
    client = producer(kafka)
    client.produce("t", b"x")
    assert client.flush(10) == 0

    assert len(kafka.consume("t")) == 1


def test_a_topic_can_be_made_to_fail(kafka: MockKafka) -> None:
    errors: list[KafkaError | None] = []
    kafka.create_topic("t")
    kafka.topic_error("t", KafkaError.TOPIC_AUTHORIZATION_FAILED)
    client = producer(kafka)
    client.produce("t", b"x", on_delivery=lambda error, _: errors.append(error))
    assert client.flush(10) == 0

    assert [error and error.code() for error in errors] == [KafkaError.TOPIC_AUTHORIZATION_FAILED]


def test_a_slow_broker_answers_late(kafka: MockKafka) -> None:
    client = producer(kafka)
    client.produce("t", b"first")
    assert client.flush(10) == 0

    kafka.set_rtt(1, 400)
    client.produce("t", b"second")

    assert client.flush(0.1) == 1
    assert client.flush(10) == 0


def test_several_brokers(kafka: MockKafka) -> None:
    with MockKafka(brokers=3) as three:
        assert len(three.bootstrap_servers.split(",")) == 3
        client = producer(three)
        client.produce("t", b"x")
        assert client.flush(10) == 0
        assert len(three.consume("t")) == 1
        assert three.bootstrap_servers != kafka.bootstrap_servers


def test_a_closed_cluster_says_so_instead_of_crashing() -> None:
    kafka = MockKafka()
    kafka.close()
    kafka.close()

    with pytest.raises(RuntimeError, match="closed"):
        kafka.broker_down()


def test_a_number_of_brokers_that_cannot_be() -> None:
    with pytest.raises(ValueError, match="at least one"):
        MockKafka(brokers=0)


def test_it_serves_from_another_process_until_its_input_closes() -> None:
    arguments = ("--brokers", "2", "wide:7", "plain")
    with start_python("from eplogging.testing import main; main()", *arguments) as child:
        assert child.stdout
        servers = child.stdout.readline().strip()
        assert len(servers.split(",")) == 2
        client = Producer({"bootstrap.servers": servers, "log_level": 0, **SAFE})
        client.produce("wide", b"x")
        assert client.flush(10) == 0
        found = client.list_topics(timeout=10).topics
        assert {name: len(topic.partitions) for name, topic in found.items()} == {"plain": 4, "wide": 7}

        _, errors = child.communicate(timeout=10)
        assert (child.returncode, errors) == (0, "")
