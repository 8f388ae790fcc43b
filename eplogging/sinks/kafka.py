"""Messages to Kafka, through confluent-kafka's producer.

The producer is made in the thread that sends the first message, so that one which a fork copied
is never used: librdkafka's threads do not survive a fork.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Mapping
from operator import itemgetter
from typing import Any

from confluent_kafka import KafkaError, KafkaException, Producer
from confluent_kafka import Message as KafkaMessage

from ..conformance import Message
from ..conformance.forking import hold_forks
from ..conformance.secrets import Secrets
from ..reports import KafkaLog, described
from .base import Outcomes, SinkFull
from .kafkaconfiguration import check_configuration, complete
from .kafkaerrors import PASSING, refusal
from .tally import Tally

_PURGE_TIME, _FREE_TIME = 0.25, 0.1
"""Seconds at most in which librdkafka gives back what it holds, and in which it is freed; both take
milliseconds, but where one of its threads waits for the answer of a name server."""

_WITHOUT_WAITING = {"blocking": True}
"""How `purge` waits for none of librdkafka's threads: confluent-kafka sets RD_KAFKA_PURGE_F_NON_BLOCKING
where `blocking` is true (seen in 2.12 and 2.16)."""

_START = 0.25
"""Seconds in which librdkafka's threads have all begun: each draws a random number first, and where a fork
finds OpenSSL locked at that, the child gets none for ever: its producer would stand still."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 30.0
"""Seconds between producers that fail one after the other."""

# A child process must not free a producer that its parent's fork copied: freeing waits for
# threads that are not there. It is kept here for the life of the process.
_inherited: list[Producer] = []


def _free(held: list[Producer]) -> None:
    """Frees a producer, the only reference to which is in the list; waits a moment, and no longer.

    It is freed in a thread of its own: what is counted after must not wait for a name server.
    """
    try:
        thread = threading.Thread(target=held.clear, name="librdkafka-free", daemon=True)
        thread.start()
    except RuntimeError:  # the interpreter is shutting down, and with it goes the producer
        _inherited.extend(held)
    else:
        thread.join(_FREE_TIME)


class KafkaSink:
    """Sends to Kafka.

    What librdkafka gives up is sent again, in order, before anything else; where its idempotence failed for
    good, by a new producer.

    Args:
        configuration: librdkafka's properties, as confluent-kafka's `Producer` takes them. Unless
            they say otherwise, `acks=all`, `enable.idempotence=true` and `message.timeout.ms=0`
            (messages wait for a broker as long as they fit in memory).
        queue_size: messages that the handler holds at most; librdkafka's own queue is made to fit.
        queue_bytes: likewise, in bytes.

    Raises:
        ConfigurationError: librdkafka does not take the configuration.
    """

    def __init__(self, configuration: Mapping[str, Any], queue_size: int, queue_bytes: int) -> None:
        check_configuration(configuration)
        self._configuration = complete(configuration)
        self._configuration.setdefault("queue.buffering.max.messages", min(queue_size, 2**31 - 1))
        self._configuration.setdefault(
            "queue.buffering.max.kbytes", min(queue_bytes // 1024 + 1024, 2_097_151)
        )
        self._secrets = Secrets.of_kafka(configuration)
        self._log = KafkaLog(self._secrets.hide)
        self._configuration.setdefault("logger", self._log)
        self._also_told = self._guarded(self._configuration.get("error_cb"))
        self._configuration["error_cb"] = self._report_error
        for name in ("stats_cb", "throttle_cb"):
            if name in self._configuration:
                self._configuration[name] = self._guarded(self._configuration[name])
        self._producer: Producer | None = None
        self._outcomes: Outcomes | None = None
        self._pause = _FIRST_PAUSE
        self._forget()

    def _forget(self) -> None:
        # Messages taken, and those of them whose outcome was told.
        self._taken = self._ended = 0
        self._tally = Tally(self._not_delivered)
        self._given_up: list[tuple[int, Message, Any]] = []
        self._again: deque[tuple[int, Message, Any]] = deque()
        self._is_fatal = self._replacing = False
        self._not_before = 0.0

    def __repr__(self) -> str:
        return f"KafkaSink({self._configuration.get('bootstrap.servers')!r})"

    def open(self, outcomes: Outcomes) -> None:
        """Makes the producer, whose own threads then connect in the background."""
        self._outcomes = outcomes
        self._make()

    def _make(self) -> None:
        """Makes a producer; where that fails (a certificate that is not there now), `poll` tries again."""
        assert self._outcomes is not None
        try:
            hold_forks(_START)  # not for as long as it takes: an `oauth_cb` may ask a server
            self._producer = Producer(self._configuration)
            hold_forks(_START)
        except (KafkaException, TypeError, ValueError) as error:
            self._wait_before_the_next()
            text = f"no producer can be made: {self._secrets.hide(str(error))}"
            self._outcomes.troubled(f"kafka: {text}")
            self._log.tell(logging.ERROR, "producer", f"{text}; it is tried again")
        else:
            self._is_fatal = self._replacing = False

    def _wait_before_the_next(self) -> None:
        self._replacing = True
        self._not_before = time.monotonic() + self._pause
        self._pause = min(2 * self._pause, _LONGEST_PAUSE)

    def send(self, message: Message, mark: Any = None) -> None:
        """Hands a message to librdkafka.

        Raises:
            SinkFull: librdkafka's own queue is full, what was given up must be sent first, or there is no
                producer now.
        """
        if self._replacing or self._again:
            raise SinkFull
        self._produce(self._taken, message, mark)
        self._taken += 1

    def _produce(self, number: int, message: Message, mark: Any) -> None:
        assert self._producer is not None and self._outcomes is not None
        topic, key, value, timestamp, stream = message
        try:
            self._producer.produce(
                topic,
                value,
                key,
                timestamp=timestamp,
                on_delivery=self._tally.report(number, mark, stream, len(value) + len(key or b"")),
            )
        except BufferError:
            raise SinkFull from None
        except KafkaException as raised:
            error = raised.args[0]
            if error.code() in PASSING:
                self._is_fatal = True
                raise SinkFull from None
            self._refuse(number, message, error, mark)
        except (TypeError, ValueError) as wrong:
            self._end(number)
            self._outcomes.failed(message, self._secrets.hide(str(wrong)), mark)

    def _not_delivered(
        self, number: int, mark: Any, stream: str, error: KafkaError, reported: KafkaMessage
    ) -> None:
        """Called within `poll` and `flush`, for each message that librdkafka gives up."""
        key, value, timestamp = reported.key(), reported.value() or b"", reported.timestamp()[1]
        message = Message(reported.topic() or "", key, value, timestamp, stream)
        if error.code() in PASSING:
            self._is_fatal = self._is_fatal or error.code() == KafkaError._FATAL
            self._given_up.append((number, message, mark))
        else:
            self._refuse(number, message, error, mark)

    def _end(self, number: int) -> None:
        self._ended += 1
        if number < self._tally.barrier:
            self._tally.left_before -= 1

    def _refuse(self, number: int, message: Message, error: KafkaError, mark: Any) -> None:
        assert self._outcomes is not None
        self._end(number)
        text = self._secrets.hide(f"{error.name()}: {error.str()}")
        self._outcomes.refused(message, refusal(error), text, mark)

    def _settle(self) -> None:
        if self._tally.count and self._outcomes is not None:
            delivered, size, marks = self._tally.take()
            self._pause = _FIRST_PAUSE
            self._ended += delivered
            self._outcomes.delivered(delivered, size, marks)

    def poll(self) -> None:
        """Serves delivery reports and librdkafka's log, and sends again what was given up."""
        self._serve(0)
        if self._given_up or self._is_fatal or self._replacing or self._again:
            self._recover()

    def _serve(self, timeout: float) -> None:
        if self._producer is None:
            return
        try:
            if timeout:
                self._producer.flush(timeout)
            else:
                self._producer.poll(0)
        except Exception as raised:  # `oauth_cb` may raise anything
            if isinstance(raised, KafkaException) and raised.args[0].fatal():
                self._is_fatal = True
            else:
                text = self._secrets.hide(described(raised))
                self._log.tell(logging.ERROR, "callback", f"serving librdkafka's events raised {text}")
        finally:
            self._settle()

    def _recover(self) -> None:
        """Over several calls: waits for all reports, then a new producer sends again what was given up."""
        if (self._given_up or self._is_fatal) and not self._replacing:
            self._wait_before_the_next()
        if self._replacing:
            if self._producer is not None and len(self._producer):
                # Where only some timed out, what is in flight may arrive still, and be no duplicate.
                self._producer.purge(in_queue=True, in_flight=self._is_fatal, **_WITHOUT_WAITING)
            elif time.monotonic() >= self._not_before:
                self._start_again()
        if not self._replacing:
            self._send_again()

    def _start_again(self) -> None:
        self._again = deque(sorted((*self._given_up, *self._again), key=itemgetter(0)))
        self._given_up = []
        if self._producer is not None and not self._is_fatal:
            self._tell("librdkafka gave messages up")
            self._replacing = False
            return
        if self._is_fatal:
            self._tell("the producer is replaced, as its idempotence failed for good")
        self._producer = None  # frees it before there is another one
        self._make()

    def _send_again(self) -> None:
        while self._again:
            try:
                self._produce(*self._again[0])
            except SinkFull:
                return
            self._again.popleft()

    def _tell(self, what: str) -> None:
        self._log.tell(logging.WARNING, what, f"{what}; {len(self._again)} messages are sent again")

    def flush(self, timeout: float) -> bool:
        """Waits until every message is acknowledged or given up."""
        self._serve(max(timeout, 0))
        if self._given_up or self._is_fatal or self._replacing or self._again:
            self._recover()
            return False
        return self._producer is None or len(self._producer) == 0

    def barrier(self) -> object:
        """Stands for everything taken until now."""
        self._settle()
        self._tally.barrier, self._tally.left_before = self._taken, self._taken - self._ended
        return self._tally.barrier

    def is_past(self, barrier: Any) -> bool:
        """Whether everything is acknowledged or refused that was taken before the last barrier."""
        return self._tally.left_before <= 0

    def close(self) -> list[tuple[Message, Any]]:
        """Purges what is not acknowledged, and returns it."""
        producer = self._producer
        if producer is not None:
            producer.purge(**_WITHOUT_WAITING)
            # The broker's thread gives up what is in flight a moment later; only this serves those reports.
            deadline = time.monotonic() + _PURGE_TIME
            while self._unreported and time.monotonic() < deadline:
                self._serve(0.1)
            if self._unreported:
                text = f"librdkafka told nothing of {self._unreported} messages before it was closed"
                self._log.tell(logging.ERROR, "unreported", text)
            held, self._producer = [producer], None
            del producer  # the list has the only reference now
            _free(held)
        left = sorted((*self._again, *self._given_up), key=itemgetter(0))
        self._forget()
        return [(message, mark) for _, message, mark in left]

    @property
    def _unreported(self) -> int:
        """Messages that librdkafka has."""
        return self._taken - self._ended - self._tally.count - len(self._given_up) - len(self._again)

    def forked(self) -> None:
        """Keeps the parent's producer from being used or freed."""
        if self._producer is not None:
            _inherited.append(self._producer)
            self._producer = None
        self._forget()

    def _report_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._is_fatal = True
        text = f"{error.name()}: {error.str()}"
        if self._outcomes is not None:
            self._outcomes.troubled(self._secrets.hide(text))
        self._log.tell(logging.WARNING, error.name(), text)
        if callable(self._also_told):
            self._also_told(error)

    def _guarded(self, callback: Any) -> Any:
        """The user's callback, whose exceptions stay its own: librdkafka serves nothing more after one."""
        if not callable(callback):
            return callback

        def guarded(told: Any) -> None:
            try:
                callback(told)
            except Exception as error:
                text = self._secrets.hide(described(error))
                self._log.tell(logging.ERROR, "callback", f"a callback of the configuration raised {text}")

        return guarded
