"""What librdkafka is configured with: the user's properties, checked, and our defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from confluent_kafka import KafkaException, Producer

from ..conformance import ConfigurationError
from ..conformance.secrets import Secrets
from ..reports import KafkaLog

DEFAULT_MAX_MESSAGE_BYTES = 1_000_000

_BROKERS = ("bootstrap.servers", "metadata.broker.list", "test.mock.num.brokers")
_DEFAULTS = {
    "client.id": "eplogging",
    "acks": "all",
    "enable.idempotence": True,
    # An unreachable broker is no reason to give a message up: the handler's own bound is.
    "message.timeout.ms": 0,
    # A half-open connection shall not cost a minute.
    "socket.timeout.ms": 10_000,
}
_ALIASES = {
    "acks": ("request.required.acks",),
    "message.timeout.ms": ("delivery.timeout.ms",),
}
_REFUSED = {
    "delivery.report.only.error": "a message whose delivery is not reported would be held for ever",
    "transactional.id": "events are sent one by one, in no transaction",
    **dict.fromkeys(
        ("on_delivery", "dr_cb", "dr_msg_cb"), "`handler.stats()` and the logger eplogging.kafka tell it"
    ),
}
"""What would take delivery reports away, and why that can not be."""

_PROTOCOLS = ("plaintext", "ssl", "sasl_plaintext", "sasl_ssl")
_UNCHECKED = ("plugin.library.paths", *_BROKERS)
"""Without these, librdkafka connects nowhere and loads no plugin."""

_ASKS_FOR_TOKENS = "OAUTHBEARER"


def check_configuration(configuration: Mapping[str, Any]) -> None:
    """Lets librdkafka check a configuration, without brokers, so connecting nowhere.

    Raises:
        ConfigurationError: no broker, a property that librdkafka does not know, or a wrong value: also a
            certificate that can not be read, or credentials that are missing.
    """
    if not any(configuration.get(name) for name in _BROKERS):
        raise ConfigurationError(
            "kafka: bootstrap.servers is missing; set it to host:port of at least one broker"
        )
    for name, reason in _REFUSED.items():
        if configuration.get(name) not in (None, False, "false", ""):
            raise ConfigurationError(f"kafka: {name} can not be set: {reason}; leave it out")
    checked = {
        name: value
        for name, value in complete(configuration).items()
        if name not in _UNCHECKED and not callable(value)
    }
    protocol = configuration.get("security.protocol", "plaintext")
    mechanism = configuration.get("sasl.mechanism", configuration.get("sasl.mechanisms", ""))
    if str(mechanism).upper() == _ASKS_FOR_TOKENS:
        checked.pop("security.protocol", None)  # a client asks for a token as soon as there is one
    checked["sasl.kerberos.min.time.before.relogin"] = 0  # or runs kinit
    if str(protocol).lower() not in _PROTOCOLS:
        raise ConfigurationError(
            f"kafka: security.protocol must be one of {', '.join(_PROTOCOLS)}; it is {protocol!r}"
        )
    try:
        Producer({**checked, "log_level": 0, "logger": KafkaLog()})  # else `debug` writes to stderr
    except (KafkaException, TypeError, ValueError) as error:
        reason = error.args[0].str() if isinstance(error, KafkaException) else str(error)
        raise ConfigurationError(f"kafka: {Secrets.of_kafka(configuration).hide(reason)}") from None


def complete(configuration: Mapping[str, Any]) -> dict[str, Any]:
    """A configuration with our defaults where it says nothing else."""
    completed = dict(configuration)
    for name, value in _DEFAULTS.items():
        if not any(given in completed for given in (name, *_ALIASES.get(name, ()))):
            completed[name] = value
    acks = str(completed.get("acks", completed.get("request.required.acks")))
    if "enable.idempotence" not in configuration and acks not in ("all", "-1"):
        completed["enable.idempotence"] = False
    return completed
