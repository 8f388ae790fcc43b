"""What librdkafka's errors mean for a message: that it can never be delivered, or only not this time."""

from __future__ import annotations

from confluent_kafka import KafkaError

_REFUSALS = {
    KafkaError.MSG_SIZE_TOO_LARGE: "message_too_large",
    KafkaError.RECORD_LIST_TOO_LARGE: "message_too_large",
    KafkaError.TOPIC_AUTHORIZATION_FAILED: "not_authorized",
    KafkaError.CLUSTER_AUTHORIZATION_FAILED: "not_authorized",
    KafkaError.UNKNOWN_TOPIC_OR_PART: "topic_unknown",
    KafkaError.TOPIC_EXCEPTION: "topic_unknown",
    KafkaError._UNKNOWN_TOPIC: "topic_unknown",
    KafkaError._UNKNOWN_PARTITION: "topic_unknown",
}
_OTHER = "refused_by_broker"

PASSING = frozenset(
    {
        KafkaError._MSG_TIMED_OUT,
        KafkaError._TIMED_OUT,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError._PURGE_QUEUE,
        KafkaError._PURGE_INFLIGHT,
        KafkaError._FATAL,
        KafkaError._DESTROY,
        KafkaError._STATE,
        KafkaError._TRANSPORT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._GAPLESS_GUARANTEE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.BROKER_NOT_AVAILABLE,
        KafkaError.REPLICA_NOT_AVAILABLE,
        KafkaError.NOT_ENOUGH_REPLICAS,
        KafkaError.NOT_ENOUGH_REPLICAS_AFTER_APPEND,
        KafkaError.KAFKA_STORAGE_ERROR,
        KafkaError.THROTTLING_QUOTA_EXCEEDED,
        KafkaError.OUT_OF_ORDER_SEQUENCE_NUMBER,
        KafkaError.UNKNOWN_PRODUCER_ID,
        KafkaError.INVALID_PRODUCER_EPOCH,
        KafkaError.INVALID_PRODUCER_ID_MAPPING,
    }
)
"""Failures of the way, not of the message: it is sent again, with the same `meta.id`."""


def refusal(error: KafkaError) -> str:
    """The kind of refusal as one stable word."""
    return _REFUSALS.get(error.code(), _OTHER)
