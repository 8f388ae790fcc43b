"""What a broker or librdkafka says of messages: what passes is sent again, what does not is told, once.

librdkafka's mock cluster gives the errors; their effect on the producer is the real one.
"""

from __future__ import annotations

import json

import pytest
from confluent_kafka import KafkaError

from eplogging.testing import MockKafka
from tests.support.application import Application, application, basic, keywords, to_kafka, wait_until

pytestmark = pytest.mark.faults

TOPIC = "eqiad.sample.basic"
ERRORS = "eqiad.sample.errors"
PRODUCE = 0


def consumed(kafka: MockKafka, topic: str = TOPIC) -> list[dict[str, object]]:
    return [json.loads(message.value() or b"") for message in kafka.consume(topic)]


def log(app: Application, count: int, start: int = 0) -> None:
    for number in range(start, start + count):
        app.logger.info("x", extra=basic(number))


def show(app: Application, kafka: MockKafka) -> list[object]:
    """Prints the invariant on the consumer's side, and returns the numbers that arrived."""
    events = consumed(kafka)
    ids = {event["meta"]["id"] for event in events}  # type: ignore[index]
    stats = app.stats
    print(
        f"accepted {stats.accepted} = delivered {stats.delivered} ({len(ids)} ids arrived, "
        f"{len(events) - len(ids)} twice) + rejected {sum(stats.rejected.values())} + dropped "
        f"{sum(stats.dropped.values())} + spooled {stats.spooled} + pending {stats.pending}"
    )
    assert len(ids) == len(events)
    return [event["number"] for event in events]


@pytest.mark.parametrize(
    "error",
    [
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,  # ends the producer's idempotence for good
        KafkaError.UNKNOWN_PRODUCER_ID,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.KAFKA_STORAGE_ERROR,
    ],
    ids=lambda code: KafkaError(code).name(),
)
def test_what_passes_is_sent_again_once_and_in_order(kafka: MockKafka, error: int) -> None:
    kafka.create_topic(TOPIC, 1)
    with application(**keywords(**to_kafka(kafka), flush_timeout=60)) as app:
        log(app, 1)
        assert app.handler.flush()
        kafka.push_request_errors(PRODUCE, error)
        log(app, 200, start=1)
        assert app.handler.flush()
        assert show(app, kafka) == [*range(201)]
        assert app.stats.delivered == 201


def test_what_librdkafka_does_not_send_again_by_itself_is(kafka: MockKafka) -> None:
    """The order is not judged: the mock takes the batches behind, which a real broker would refuse, too."""
    kafka.create_topic(TOPIC, 1)
    with application(**keywords(**to_kafka(kafka), flush_timeout=60)) as app:
        log(app, 1)
        assert app.handler.flush()
        kafka.push_request_errors(PRODUCE, KafkaError.INVALID_PRODUCER_EPOCH)
        log(app, 200, start=1)
        assert app.handler.flush()
        assert {*show(app, kafka)} == {*range(201)}
    assert any("messages are sent again" in line for line in app.reports.lines)


def test_a_fatal_error_is_told_and_a_new_producer_goes_on(kafka: MockKafka) -> None:
    """All in one request: the mock cluster would take a second one, where a broker refuses it, too."""
    kafka.create_topic(TOPIC, 1)
    with application(**keywords(**to_kafka(kafka, linger_ms=300), flush_timeout=60)) as app:
        for _ in range(3):
            kafka.push_request_errors(PRODUCE, KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER)
            log(app, 50, start=app.stats.accepted)
            wait_until(lambda: app.stats.pending == 0, "they are delivered", 30)
        assert show(app, kafka) == [*range(150)]
        assert app.handler.health().is_ok
    replaced = [line for line in app.reports.lines if "the producer is replaced" in line]
    assert len(replaced) == 1, "it is told at most once a minute"
    assert "50 messages are sent again" in replaced[0]


def test_messages_that_timed_out_are_sent_again(kafka: MockKafka) -> None:
    """A user's own `message.timeout.ms` makes librdkafka give messages up; nothing is lost by it."""
    kafka.create_topic(TOPIC, 1)
    options = to_kafka(kafka, message_timeout_ms=1500)
    with application(**keywords(**options, flush_timeout=60)) as app:
        log(app, 1)
        assert app.handler.flush()
        kafka.broker_down()
        log(app, 200, start=1)
        wait_until(lambda: any("sent again" in line for line in app.reports.lines), "they timed out", 30)
        kafka.broker_up()
        log(app, 100, start=201)
        assert app.handler.flush()
        assert show(app, kafka) == [*range(301)]


REFUSED = [
    (KafkaError.MSG_SIZE_TOO_LARGE, "message_too_large"),
    (KafkaError.TOPIC_AUTHORIZATION_FAILED, "not_authorized"),
    (KafkaError.INVALID_RECORD, "refused_by_broker"),
]


@pytest.mark.parametrize(("error", "reason"), REFUSED, ids=[reason for _, reason in REFUSED])
def test_what_is_refused_for_good_is_told_and_not_sent_again(
    kafka: MockKafka, error: int, reason: str
) -> None:
    kafka.create_topic(TOPIC, 1)
    options = to_kafka(kafka, linger_ms=200, batch_num_messages=10)
    with application(**keywords(**options, flush_timeout=60)) as app:
        kafka.push_request_errors(PRODUCE, error)
        log(app, 10)
        assert app.handler.flush()
        assert show(app, kafka) == []
        assert dict(app.stats.rejected) == {(reason, "sample.basic"): 10}
        assert KafkaError(error).str() in app.stats.last_error
    told = [line for line in app.reports.lines if "message refused" in line]
    assert len(told) == 1, "ten refusals of a kind are one line"
    assert reason in told[0] and TOPIC in told[0]


def test_a_refused_message_becomes_an_error_event(kafka: MockKafka) -> None:
    for topic in (TOPIC, ERRORS):
        kafka.create_topic(topic, 1)
    with application(**keywords(**to_kafka(kafka), error_stream="sample.errors", flush_timeout=60)) as app:
        kafka.push_request_errors(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED)
        log(app, 1)
        assert app.handler.flush()
        [error] = consumed(kafka, ERRORS)
        assert error["error_type"] == "not_authorized"
        assert error["errored_stream_name"] == "sample.basic"
        assert error["errored_schema_uri"] == "/sample/basic/1.0.0"
        assert json.loads(str(error["raw_event"]))["number"] == 0
        assert (app.stats.delivered, app.stats.error_events) == (1, 1)


def test_an_error_event_that_is_refused_is_only_told(kafka: MockKafka) -> None:
    kafka.create_topic(ERRORS, 1)
    with application(**keywords(**to_kafka(kafka), error_stream="sample.errors", flush_timeout=60)) as app:
        kafka.push_request_errors(PRODUCE, KafkaError.TOPIC_AUTHORIZATION_FAILED)
        app.logger.info("x", extra={**basic(), "number": "no number"})
        assert app.handler.flush()
        assert dict(app.stats.rejected) == {
            ("schema_violation", "sample.basic"): 1,
            ("not_authorized", "sample.errors"): 1,
        }
        assert app.stats.error_events == 1
        assert consumed(kafka, ERRORS) == []


def test_an_error_callback_of_the_user_s_own_is_called_too(kafka: MockKafka) -> None:
    told: list[KafkaError] = []
    options = to_kafka("127.0.0.1:1")
    options["kafka"]["error_cb"] = told.append
    with application(**keywords(**options, flush_timeout=0.2)) as app:
        log(app, 1)
        wait_until(lambda: told, "it is called")
    assert any("_TRANSPORT" in line or "_ALL_BROKERS_DOWN" in line for line in app.reports.lines)
