"""`dictConfig` holds the lock of `logging` while it closes handlers: the background must not need it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.application import SCHEMAS, STREAMS
from tests.support.processes import run_python
from tests.support.schemaserver import SchemaServer

PROGRAM = """
import json, logging.config, sys, time
repository, streams, output = sys.argv[1:]
configuration = {
    "version": 1,
    "handlers": {
        "events": {
            "class": "eplogging.EventPlatformHandler",
            "schema_base_uris": [repository],
            "schema_file_extension": ".yaml",
            "stream_config_uri": streams,
            "topic_prefix": "eqiad.",
            "output": output,
            "flush_timeout": 20,
        },
    },
    "root": {"level": "INFO", "handlers": ["events"]},
}
logging.config.dictConfig(configuration)
event = {"$schema": "/sample/basic/1.0.0", "meta": {"stream": "sample.basic"}, "text": "x"}
logging.getLogger("app").info(event)
started = time.monotonic()
logging.config.dictConfig(configuration)  # while the first look-up imports, compiles and warns
print(json.dumps(time.monotonic() - started))
"""


@pytest.mark.parametrize("over_http", [False, True])
def test_right_after_the_first_event(over_http: bool, tmp_path: Path, schema_server: SchemaServer) -> None:
    """P8: the look-up of the first event ends, and the event arrives, while `dictConfig` waits for it."""
    path = tmp_path / "schemas" / "sample" / "basic" / "1.0.0.yaml"
    path.parent.mkdir(parents=True)
    text = (SCHEMAS / "sample" / "basic" / "1.0.0.yaml").read_text()
    path.write_text(text.replace("$id: /sample/basic/1.0.0", "$id: /another/1.0.0"))  # worth a warning
    repository = str(tmp_path / "schemas")
    if over_http:
        repository = schema_server.mount("/primary", tmp_path / "schemas")
    output = tmp_path / "events.ndjson"
    finished = run_python(PROGRAM, repository, str(STREAMS), str(output), timeout=60)
    assert finished.code == 0, finished.stderr
    assert float(json.loads(finished.stdout)) < 10, "it waited for the deadline"
    assert json.loads(output.read_text())["text"] == "x"
    assert "calls itself /another/1.0.0" in finished.stderr
