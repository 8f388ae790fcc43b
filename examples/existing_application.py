"""An application that knows nothing of events: configuration alone makes each of its log lines one."""

import logging
import logging.config
import sys
from pathlib import Path

import yaml

from eplogging.testing import MockKafka

HERE = Path(__file__).parent

CONFIGURATION = """
version: 1
disable_existing_loggers: false
formatters:
  log_event:
    (): eplogging.EventFormatter
    fmt: "%(message)s %(levelname)s %(name)s %(exc_info)s"
    rename_fields: {levelname: log.level, name: log.logger}
    static_fields:
      $schema: /app/log/1.0.0
      meta: {stream: app.log}
      service: {name: shop}
handlers:
  console:
    class: logging.StreamHandler
    stream: ext://sys.stdout
  events:
    class: eplogging.EventPlatformHandler
    formatter: log_event
    schema_base_uris: []
    schema_file_extension: .yaml
    stream_config_uri: ""
    topic_prefix: eqiad.
    kafka: {}
root:
  level: INFO
  handlers: [console, events]
"""


def configure(bootstrap_servers: str) -> None:
    """Reads the configuration as an application reads its file, and fills in what depends on the place."""
    configuration = yaml.safe_load(CONFIGURATION)
    events = configuration["handlers"]["events"]
    events["schema_base_uris"] = [str(HERE / "schemas" / "jsonschema")]
    events["stream_config_uri"] = str(HERE / "schemas" / "stream_config.yaml")
    events["kafka"]["bootstrap.servers"] = bootstrap_servers
    logging.config.dictConfig(configuration)


def serve() -> None:
    """The application, as it was before."""
    logger = logging.getLogger("shop.web")
    logger.info("listening on port %d", 8080)
    logger.warning("slow answer: %.1f s", 2.5, extra={"path": "/orders"})
    try:
        {}["customer"]
    except KeyError:
        logger.exception("request failed")


def main() -> int:
    """Returns 0 where each of the three lines is an event on Kafka."""
    with MockKafka() as kafka:
        configure(kafka.bootstrap_servers)
        print("--- what the application logs")
        serve()
        logging.shutdown()
        print("\n--- what a consumer reads")
        messages = kafka.consume("eqiad.app.log", timeout=10)
        for message in messages:
            value = message.value()
            print(f"\ntopic {message.topic()}\nevent {value.decode() if value else '-'}")
        return 0 if len(messages) == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
