"""Checks what the handler is configured with, so that a mistake is told at once, by the keyword's name."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any, Literal

from .conformance import ConfigurationError

ON_REJECTED = ("report", "raise")
ON_FULL = ("drop", "block", "spool")
DURABLE = (False, True, "fsync")
PLUGIN_PROPERTIES = (
    "plugin.library.paths",
    "ssl.engine.location",
    "ssl.providers",
    "sasl.kerberos.kinit.cmd",
)
"""What makes librdkafka load shared libraries, or run a command, with the application's rights."""


@dataclass(frozen=True)
class DeliverySettings:
    """How messages are kept and sent; the keywords of `EventPlatformHandler` by the same names."""

    kafka: Mapping[str, Any] | None = field(default=None, repr=False)  # it holds passwords
    allow_kafka_plugins: bool = False
    output: str | None = None
    on_rejected: Literal["report", "raise"] = "report"
    queue_size: int = 100_000
    queue_bytes: int = 64 * 1024 * 1024
    on_full: Literal["drop", "block", "spool"] | None = None
    block_timeout: float = 5.0
    flush_timeout: float = 10.0
    spool: str | os.PathLike[str] | None = None
    spool_bytes: int = 1024 * 1024 * 1024
    durable: bool | Literal["fsync"] = False

    @property
    def spills(self) -> bool:
        """Whether what memory has no room for goes to the spool."""
        return self.spool is not None and self.on_full in (None, "spool")


def check_delivery(settings: DeliverySettings, *, has_sink: bool) -> None:
    """Checks the keywords that concern delivery.

    Raises:
        ConfigurationError: a wrong value, or not exactly one of `kafka` and `output`.
    """
    if has_sink + (settings.kafka is not None) + (settings.output is not None) != 1:
        raise ConfigurationError(
            "give exactly one of kafka (librdkafka's configuration) and output ('stdout', 'stderr' or a path)"
        )
    if settings.kafka is not None and not isinstance(settings.kafka, Mapping):
        raise ConfigurationError(
            "kafka must be a mapping of librdkafka's properties, such as bootstrap.servers"
        )
    _refuse_plugins(settings)
    if settings.output is not None and not (
        isinstance(settings.output, (str, os.PathLike)) and settings.output
    ):
        raise ConfigurationError("output must be 'stdout', 'stderr' or the path of a file")
    if settings.output not in (None, "stdout", "stderr") and not Path(settings.output or "").parent.is_dir():
        raise ConfigurationError(
            f"output: the directory of {str(settings.output)!r} is not there; make it first"
        )
    _one_of("on_rejected", settings.on_rejected, ON_REJECTED)
    if settings.on_full is not None:
        _one_of("on_full", settings.on_full, ON_FULL)
    _check_spool(settings, has_sink=has_sink)
    _positive("queue_size", settings.queue_size, whole=True)
    _positive("queue_bytes", settings.queue_bytes, whole=True)
    _positive("block_timeout", settings.block_timeout)
    _positive("flush_timeout", settings.flush_timeout)


def _check_spool(settings: DeliverySettings, *, has_sink: bool) -> None:
    if not isinstance(settings.durable, (bool, str)) or settings.durable not in DURABLE:
        raise ConfigurationError(f"durable must be true, false or 'fsync'; it is {settings.durable!r}")
    _positive("spool_bytes", settings.spool_bytes, whole=True)
    if settings.spool is None:
        for name, value in (("durable", settings.durable), ("on_full: spool", settings.on_full == "spool")):
            if value:
                raise ConfigurationError(f"{name} needs a spool; name a directory for it")
        return
    if not isinstance(settings.spool, (str, os.PathLike)) or not str(settings.spool):
        raise ConfigurationError(f"spool must be the path of a directory; it is {settings.spool!r}")
    if settings.kafka is None and not has_sink:
        raise ConfigurationError("spool goes with kafka: what output writes waits for nobody")
    from .spool import prepare_directory  # here, since it imports SQLite

    prepare_directory(Path(settings.spool))


def _refuse_plugins(settings: DeliverySettings) -> None:
    if not isinstance(settings.allow_kafka_plugins, bool):
        raise ConfigurationError("allow_kafka_plugins must be true or false")
    for name in PLUGIN_PROPERTIES:
        if settings.kafka and settings.kafka.get(name) and not settings.allow_kafka_plugins:
            raise ConfigurationError(
                f"kafka: {name} runs code in this process's name; set allow_kafka_plugins, or leave it out"
            )


def check_redaction(paths: object) -> None:
    """Checks `redact_fields`.

    Raises:
        ConfigurationError: no list of dotted paths.
    """
    if not isinstance(paths, (list, tuple)) or not all(
        isinstance(path, str) and path and all(path.split(".")) for path in paths
    ):
        raise ConfigurationError("redact_fields must be a list of dotted paths, such as user.email")


def check_conformance(options: Mapping[str, Any]) -> None:
    """Checks the types of the keywords that go to the `Conformer`.

    Raises:
        ConfigurationError: a wrong value.
    """
    for name in ("schema_base_uris", "schema_precache_uris"):
        value = options.get(name, [])
        if isinstance(value, str) or not isinstance(value, (list, tuple)):
            raise ConfigurationError(
                f"{name} must be a list, in order of look-up; it is a {type(value).__name__}"
            )
        if not all(isinstance(item, (str, os.PathLike)) for item in value):
            raise ConfigurationError(f"{name} must hold paths or URIs only")
    for name in ("allow_absolute_schema_uris", "allow_insecure_schemas"):
        if not isinstance(options.get(name, False), bool):
            raise ConfigurationError(f"{name} must be true or false; it is {options[name]!r}")
    for name in ("schema_file_extension", "topic_prefix"):
        if not isinstance(options.get(name, ""), (str, type(None))):
            raise ConfigurationError(f"{name} must be a text; it is {options[name]!r}")
    if not re.fullmatch(r"[A-Za-z0-9._-]*", options.get("topic_prefix") or ""):
        raise ConfigurationError(
            f"topic_prefix can begin no topic's name; it is {options['topic_prefix']!r}, and letters, "
            "digits, '.', '_' and '-' are allowed"
        )
    dt_field = options.get("dt_field", "meta.dt")
    if not isinstance(dt_field, str) or not all(dt_field.split(".")):
        raise ConfigurationError(f"dt_field must be a dotted path, such as meta.dt; it is {dt_field!r}")
    _positive("stream_config_ttl", options.get("stream_config_ttl", 1))
    retries = options.get("stream_config_retries", 0)
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        raise ConfigurationError(
            f"stream_config_retries must be a whole number, 0 or more; it is {retries!r}"
        )


def reject_unknown(options: Mapping[str, Any], known: tuple[str, ...]) -> None:
    """Refuses keywords that mean nothing.

    Raises:
        ConfigurationError: names the first unknown keyword, and those that are known.
    """
    for name in options:
        if name not in known:
            from difflib import get_close_matches  # only here: most configurations are right

            near = "".join(f"did you mean {one}? " for one in get_close_matches(str(name), known, 1))
            raise ConfigurationError(f"unknown keyword {name!r}; {near}known are {', '.join(sorted(known))}")


DELIVERY_KEYWORDS = tuple(one.name for one in fields(DeliverySettings))


_MOST = 2**53
"""More than any queue, time or size can be; infinity is beyond it."""


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ConfigurationError(f"{name} must be one of {', '.join(map(repr, allowed))}; it is {value!r}")


def _positive(name: str, value: object, *, whole: bool = False) -> None:
    kinds = int if whole else (int, float)
    if isinstance(value, bool) or not isinstance(value, kinds) or not 0 < value < _MOST:
        raise ConfigurationError(
            f"{name} must be a positive {'whole ' if whole else ''}number; it is {value!r}"
        )
