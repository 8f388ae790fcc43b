"""A mistake in the configuration must be told at once, by the keyword's name and with what would be right."""

from __future__ import annotations

import logging
import logging.config
from pathlib import Path
from typing import Any

import pytest

from eplogging import EventPlatformHandler
from eplogging.conformance import ConfigurationError
from eplogging.sinks import MemorySink
from tests.support.application import dict_config, keywords

KAFKA = {"bootstrap.servers": "127.0.0.1:9"}

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"topic_prefx": "eqiad."}, "unknown keyword 'topic_prefx'; did you mean topic_prefix[?] known are"),
    ({"schema_base_uris": None}, "schema_base_uris is required"),
    ({"schema_base_uris": []}, "schema_base_uris is required"),
    ({"schema_base_uris": "/srv/schemas"}, "schema_base_uris must be a list"),
    ({"schema_base_uris": [7]}, "schema_base_uris must hold paths or URIs"),
    ({"schema_base_uris": ["/no/such/directory"]}, "schema_base_uris: '/no/such/directory' is no directory"),
    ({"schema_base_uris": ["ftp://host/schemas"]}, "ftp://host/schemas.*use a path, file:///path, http"),
    ({"schema_precache_uris": "/a/1.0.0"}, "schema_precache_uris must be a list"),
    ({"schema_file_extension": 7}, "schema_file_extension must be a text"),
    ({"allow_absolute_schema_uris": "yes"}, "allow_absolute_schema_uris must be true or false"),
    ({"allow_insecure_schemas": 1}, "allow_insecure_schemas must be true or false"),
    ({"stream_config_uri": None}, "stream_config_uri is required"),
    ({"stream_config_uri": "/no/such/file"}, "stream_config_uri: there is no file '/no/such/file'"),
    ({"stream_config_uri": {"/(/": {}}}, "stream_config_uri: .*no valid regex"),
    ({"stream_config_ttl": 0}, "stream_config_ttl must be a positive number"),
    ({"stream_config_ttl": "300"}, "stream_config_ttl must be a positive number"),
    ({"stream_config_retries": -1}, "stream_config_retries must be a whole number"),
    ({"stream_config_retries": True}, "stream_config_retries must be a whole number"),
    ({"http": {"timeout": 0}}, "http: timeout must be a positive number"),
    ({"http": {"retries": 3}}, "http: unknown option 'retries'.*headers"),
    ({"topic_prefix": 7}, "topic_prefix must be a text"),
    ({"dt_field": ["dt"]}, "dt_field must be a dotted path"),
    ({"error_stream": "a/b"}, "error_stream can name no stream"),
    ({"dt_field": None}, "dt_field must be a dotted path"),
    ({"dt_field": "meta..dt"}, "dt_field must be a dotted path"),
    ({"topic_prefix": "eqiad/ "}, "topic_prefix can begin no topic"),
    ({"error_stream": 7}, "error_stream must be a text"),
    ({"error_schema_uri": 7}, "error_schema_uri must be a text"),
    ({"emitter_id": 7}, "emitter_id must be a text"),
    ({"on_rejected": "ignore"}, "on_rejected must be one of 'report', 'raise'"),
    ({"queue_size": 0}, "queue_size must be a positive whole number"),
    ({"queue_size": 1.5}, "queue_size must be a positive whole number"),
    ({"queue_size": True}, "queue_size must be a positive whole number"),
    ({"queue_bytes": -1}, "queue_bytes must be a positive whole number"),
    ({"on_full": "wait"}, "on_full must be one of 'drop', 'block'"),
    ({"on_full": "spool"}, "on_full: spool needs a spool; name a directory"),
    ({"durable": True}, "durable needs a spool; name a directory"),
    ({"durable": "always"}, "durable must be true, false or 'fsync'; it is 'always'"),
    ({"durable": 1}, "durable must be true, false or 'fsync'; it is 1"),
    ({"spool": 1}, "spool must be the path of a directory; it is 1"),
    ({"spool": __file__}, "spool: .* is no directory"),
    ({"spool_bytes": 0}, "spool_bytes must be a positive whole number; it is 0"),
    ({"block_timeout": 0}, "block_timeout must be a positive number"),
    ({"flush_timeout": "10"}, "flush_timeout must be a positive number"),
]

WRONG_SINKS: list[tuple[dict[str, Any], str]] = [
    ({}, "exactly one of kafka .* and output"),
    ({"kafka": KAFKA, "output": "stdout"}, "exactly one of kafka .* and output"),
    ({"kafka": "127.0.0.1:9"}, "kafka must be a mapping"),
    ({"kafka": {}}, "kafka: bootstrap.servers is missing"),
    ({"kafka": {"acks": "all"}}, "kafka: bootstrap.servers is missing"),
    ({"kafka": {**KAFKA, "no.such": 1}}, 'kafka: No such configuration property: "no.such"'),
    ({"kafka": {**KAFKA, "acks": "some"}}, "kafka: .*acks"),
    ({"kafka": {**KAFKA, "message.max.bytes": "many"}}, "kafka: message.max.bytes must be a whole number"),
    ({"output": ""}, "output must be 'stdout', 'stderr' or the path"),
    ({"output": 7}, "output must be 'stdout', 'stderr' or the path"),
]


@pytest.mark.parametrize(("options", "message"), WRONG, ids=lambda value: str(value)[:40])
def test_a_wrong_keyword_or_value(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        EventPlatformHandler(sink=MemorySink(), **keywords(**options))


@pytest.mark.parametrize(("options", "message"), WRONG_SINKS, ids=lambda value: str(value)[:40])
def test_a_wrong_place_for_messages(options: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        EventPlatformHandler(**keywords(**options))


def test_a_spool_goes_with_kafka(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="spool goes with kafka"):
        EventPlatformHandler(**keywords(output="stdout", spool=str(tmp_path)))


def test_a_spool_that_others_may_write_to_is_refused(tmp_path: Path) -> None:
    tmp_path.chmod(0o777)
    with pytest.raises(ConfigurationError, match=r"has mode 777 .* \(chmod 700\)"):
        EventPlatformHandler(sink=MemorySink(), **keywords(spool=str(tmp_path)))


def test_a_spool_is_made_for_this_user_alone(tmp_path: Path) -> None:
    spool = tmp_path / "new" / "spool"
    EventPlatformHandler(sink=MemorySink(), **keywords(spool=spool)).close()
    assert spool.stat().st_mode & 0o777 == 0o700
    assert list(spool.iterdir()) == []


def test_keywords_of_the_spool_that_ask_for_nothing_are_taken() -> None:
    EventPlatformHandler(sink=MemorySink(), **keywords(spool=None, durable=False)).close()


def test_dict_config_shows_the_mistake_and_shutdown_survives_it() -> None:
    with pytest.raises(ValueError, match="Unable to configure handler 'events'") as caught:
        logging.config.dictConfig(dict_config(keywords(output="stdout", queue_size="many")))
    assert "queue_size" in str(caught.value.__cause__)
    # The traceback keeps the handler alive, as an interactive session does.
    left = [reference() for reference in logging._handlerList]  # type: ignore[attr-defined]
    [handler] = [one for one in left if isinstance(one, EventPlatformHandler)]
    assert handler.flush()
    handler.close()


def test_paths_may_be_path_objects(tmp_path: Path) -> None:
    options = keywords()
    options["schema_base_uris"] = [Path(base) for base in options["schema_base_uris"]]
    options["stream_config_uri"] = Path(options["stream_config_uri"])
    handler = EventPlatformHandler(output=tmp_path / "events", **options)
    handler.close()
