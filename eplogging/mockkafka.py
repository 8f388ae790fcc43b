"""An embedded Kafka, so that tests, examples and benchmarks need no broker installed.

It is librdkafka's own mock cluster, which speaks the Kafka protocol on real sockets of
127.0.0.1. confluent-kafka ships it in its shared library but gives Python no way to it.
"""

from __future__ import annotations

import ctypes
import os
from types import TracebackType

from confluent_kafka import KafkaError, KafkaException, Message, cimpl
from confluent_kafka.admin import AdminClient

from eplogging._topicreader import read_topics

_PRODUCER_TYPE = 0
_EVERY_BROKER = -1
_AUTO_CREATED_PARTITIONS = 4
_METADATA_TIMEOUT = 10.0

_HANDLE, _TEXT, _INT = ctypes.c_void_p, ctypes.c_char_p, ctypes.c_int
_INT16, _INT32, _SIZE = ctypes.c_int16, ctypes.c_int32, ctypes.c_size_t
_INTS = ctypes.POINTER(ctypes.c_int)

# ctypes takes every undeclared argument and result for a C int, which cuts pointers in half.
_SIGNATURES: dict[str, tuple[type | None, tuple[type, ...]]] = {
    "rd_kafka_conf_new": (_HANDLE, ()),
    "rd_kafka_conf_set": (_INT, (_HANDLE, _TEXT, _TEXT, _TEXT, _SIZE)),
    "rd_kafka_new": (_HANDLE, (_INT, _HANDLE, _TEXT, _SIZE)),
    "rd_kafka_destroy": (None, (_HANDLE,)),
    "rd_kafka_mock_cluster_new": (_HANDLE, (_HANDLE, _INT)),
    "rd_kafka_mock_cluster_destroy": (None, (_HANDLE,)),
    "rd_kafka_mock_cluster_bootstraps": (_TEXT, (_HANDLE,)),
    "rd_kafka_mock_topic_create": (_INT, (_HANDLE, _TEXT, _INT, _INT)),
    "rd_kafka_mock_topic_set_error": (None, (_HANDLE, _TEXT, _INT)),
    "rd_kafka_mock_broker_set_down": (_INT, (_HANDLE, _INT32)),
    "rd_kafka_mock_broker_set_up": (_INT, (_HANDLE, _INT32)),
    "rd_kafka_mock_broker_set_rtt": (_INT, (_HANDLE, _INT32, _INT)),
    "rd_kafka_mock_broker_set_host_port": (None, (_HANDLE, _INT32, _TEXT, _INT)),
    "rd_kafka_mock_push_request_errors_array": (None, (_HANDLE, _INT16, _SIZE, _INTS)),
    "rd_kafka_mock_clear_request_errors": (None, (_HANDLE, _INT16)),
}


def _load_librdkafka() -> ctypes.CDLL:
    """Open the librdkafka that confluent-kafka runs on, wherever that one is.

    A handle on the extension module finds the symbols of the libraries it is linked with:
    there is no file name to guess, and never a second copy of the library in the process.
    """
    library = ctypes.CDLL(cimpl.__file__)
    for name, (result, arguments) in _SIGNATURES.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


def _check(code: int) -> None:
    """Raise what an error code of librdkafka stands for."""
    if code:
        raise KafkaException(KafkaError(code))


class MockKafka:
    """A Kafka cluster inside this process, for the length of a `with` block.

    Topics come into being when something is produced to them, with four partitions;
    `create_topic` makes one with another number. A partition keeps only its newest 5 MiB (as
    compressed by the producer) or 100,000 batches; `consume` raises when it misses some.
    Unlike a broker it neither removes the duplicates of an idempotent producer that retries,
    nor refuses a message for its size.

    Args:
        brokers: how many brokers; their ids are 1, 2, 3, ...
    """

    def __init__(self, brokers: int = 1) -> None:
        if brokers < 1:
            raise ValueError(f"a cluster has at least one broker, not {brokers}")
        self._library = _load_librdkafka()
        self._owner = os.getpid()
        self._client = self._new_client()
        self._live: int | None = self._library.rd_kafka_mock_cluster_new(self._client, brokers)
        if not self._live:
            self._library.rd_kafka_destroy(self._client)
            raise RuntimeError("librdkafka made no mock cluster")
        bootstraps: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._live)
        #: What goes into a client's `bootstrap.servers`.
        self.bootstrap_servers = bootstraps.decode()
        self._replicas = min(3, brokers)

    def _new_client(self) -> int:
        """Make the librdkafka client that the cluster hangs on; it connects to nothing."""
        reason = ctypes.create_string_buffer(512)
        configuration = self._library.rd_kafka_conf_new()
        # Without this it warns on stderr that it has no broker to connect to.
        self._library.rd_kafka_conf_set(configuration, b"log_level", b"0", reason, len(reason))
        client: int | None = self._library.rd_kafka_new(_PRODUCER_TYPE, configuration, reason, len(reason))
        if not client:
            raise RuntimeError(f"librdkafka made no client: {reason.value.decode()}")
        return client

    def __enter__(self) -> MockKafka:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Stop all brokers and free the cluster; again, or in a forked child: do nothing."""
        cluster, self._live = self._live, None
        # The threads that freeing waits for exist in the process that made them only.
        if cluster and self._owner == os.getpid():
            self._library.rd_kafka_mock_cluster_destroy(cluster)
            self._library.rd_kafka_destroy(self._client)

    @property
    def _cluster(self) -> int:
        """The cluster, or an exception: librdkafka would crash on one that is gone."""
        if not self._live or self._owner != os.getpid():
            raise RuntimeError("this MockKafka is closed, or belongs to the parent process")
        return self._live

    def create_topic(self, name: str, partitions: int = _AUTO_CREATED_PARTITIONS) -> None:
        """Create a topic; one that exists already is an error."""
        _check(
            self._library.rd_kafka_mock_topic_create(self._cluster, name.encode(), partitions, self._replicas)
        )

    def topics(self) -> dict[str, int]:
        """The topics there are, each with its number of partitions."""
        admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, "log_level": 0})
        found = admin.list_topics(timeout=_METADATA_TIMEOUT).topics
        return {name: len(topic.partitions) for name, topic in sorted(found.items())}

    def consume(self, *topics: str, count: int | None = None, timeout: float = 30.0) -> list[Message]:
        """Read topics from their beginning; per partition the messages are in order.

        Args:
            topics: their names. With `count`, those that are missing are created, so that
                reading can begin before producing does.
            count: return as soon as this many messages were read, or the time is over.
                Without it, return all that is there now.
            timeout: seconds.

        Raises:
            TimeoutError: without `count`, when the end was not reached in time.
            LookupError: when a partition has already dropped messages.
        """
        existing = self.topics()
        missing = [name for name in topics if name not in existing]
        if count is not None:
            for name in missing:
                self.create_topic(name)
                existing[name] = _AUTO_CREATED_PARTITIONS
        partitions = {name: existing[name] for name in topics if name in existing}
        return read_topics(self.bootstrap_servers, partitions, count=count, timeout=timeout)

    def broker_down(self, broker: int = _EVERY_BROKER) -> None:
        """Cut all connections of a broker and refuse new ones; leaders stay where they are."""
        _check(self._library.rd_kafka_mock_broker_set_down(self._cluster, broker))

    def broker_up(self, broker: int = _EVERY_BROKER) -> None:
        """Let a broker accept connections again, on the port it had."""
        _check(self._library.rd_kafka_mock_broker_set_up(self._cluster, broker))

    def set_rtt(self, broker: int = _EVERY_BROKER, milliseconds: int = 0) -> None:
        """Delay each answer of a broker."""
        _check(self._library.rd_kafka_mock_broker_set_rtt(self._cluster, broker, milliseconds))

    def advertise(self, broker: int, host: str, port: int) -> None:
        """Have a broker tell clients another address, such as that of a proxy before it."""
        self._library.rd_kafka_mock_broker_set_host_port(self._cluster, broker, host.encode(), port)

    def push_request_errors(self, api_key: int, *errors: int) -> None:
        """Answer the next requests of a kind with these errors, one each.

        Args:
            api_key: the kind of request in the Kafka protocol: 0 is Produce, 3 Metadata.
            errors: codes such as `KafkaError.NOT_ENOUGH_REPLICAS`; `KafkaError._TRANSPORT`
                cuts the connection instead of answering. The request itself is not done.
        """
        codes = (ctypes.c_int * len(errors))(*errors)
        self._library.rd_kafka_mock_push_request_errors_array(self._cluster, api_key, len(errors), codes)

    def clear_request_errors(self, api_key: int) -> None:
        """Forget what `push_request_errors` has still in store for a kind of request."""
        self._library.rd_kafka_mock_clear_request_errors(self._cluster, api_key)

    def topic_error(self, topic: str, error: int) -> None:
        """Report an error for a topic in metadata answers; 0 ends that."""
        self._library.rd_kafka_mock_topic_set_error(self._cluster, topic.encode(), error)
