"""What an application's start costs: the import, and a configuration whose broker is not there."""

from __future__ import annotations

import importlib
import logging.config
import time
from pathlib import Path
from typing import Any

_SCHEMAS = Path(__file__).parent / "schemas"
_STREAMS = {"test.event": {"schema_title": "test/event"}}
_SERVER = "http://127.0.0.1:9"
_DEAD = "127.0.0.1:9"
"""The discard port: where nothing listens."""


def start(scale: float = 1.0, over_http: bool = False) -> dict[str, float]:
    """Imports and configures; `logging.config` is imported before, as the application needs it anyway.

    Args:
        scale: has no effect.
        over_http: whether schemas and stream configs come from servers, which imports requests.

    Returns:
        Milliseconds: `confluent_ms` to import confluent-kafka, then `import_ms` for eplogging,
        `configure_ms` for dictConfig, and `ours_ms` for both.
    """
    begun = time.perf_counter()
    importlib.import_module("confluent_kafka")
    confluent = time.perf_counter()
    importlib.import_module("eplogging")
    imported = time.perf_counter()
    logging.config.dictConfig(_configuration(over_http))
    configured = time.perf_counter()
    return {
        "confluent_ms": (confluent - begun) * 1000,
        "import_ms": (imported - confluent) * 1000,
        "configure_ms": (configured - imported) * 1000,
        "ours_ms": (configured - confluent) * 1000,
    }


def _configuration(over_http: bool) -> dict[str, Any]:
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "handlers": {
            "events": {
                "class": "eplogging.EventPlatformHandler",
                "schema_base_uris": [_SERVER if over_http else str(_SCHEMAS)],
                "stream_config_uri": f"{_SERVER}/streams" if over_http else _STREAMS,
                "kafka": {"bootstrap.servers": _DEAD},
            }
        },
        "root": {"level": "INFO", "handlers": ["events"]},
    }
