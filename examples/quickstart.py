"""Events from logging calls, through an embedded Kafka, to a consumer: the whole way in one program."""

import logging
import logging.config
import sys
from pathlib import Path

from eplogging import bind_event_fields
from eplogging.testing import MockKafka

HERE = Path(__file__).parent
TOPICS = ("eqiad.shop.order", "eqiad.app.error")


def configure(bootstrap_servers: str) -> None:
    """What goes into an application; only the broker's address comes from elsewhere."""
    logging.config.dictConfig(
        {
            "version": 1,
            "disable_existing_loggers": False,
            "handlers": {
                "console": {"class": "logging.StreamHandler", "stream": "ext://sys.stdout"},
                "events": {
                    "class": "eplogging.EventPlatformHandler",
                    "schema_base_uris": [str(HERE / "schemas" / "jsonschema")],
                    "schema_file_extension": ".yaml",
                    "stream_config_uri": str(HERE / "schemas" / "stream_config.yaml"),
                    "topic_prefix": "eqiad.",
                    "error_stream": "app.error",
                    "kafka": {"bootstrap.servers": bootstrap_servers},
                },
            },
            "root": {"level": "INFO", "handlers": ["console", "events"]},
        }
    )


def take_orders() -> None:
    """An application at work: three orders, one of them with a mistake, and an ordinary line."""
    logger = logging.getLogger("shop")
    event = {"$schema": "/shop/order/1.0.0", "meta": {"stream": "shop.order"}}
    with bind_event_fields(meta={"request_id": "req-1"}):
        logger.info("order placed", extra={**event, "order_id": 1, "customer_id": "c-7", "status": "placed"})
        logger.info("order lost?", extra={**event, "order_id": 2, "customer_id": "c-8", "status": "lost"})
    items = [{"sku": "mug"}, {"sku": "cap", "quantity": 2}]
    logger.info({**event, "order_id": 3, "customer_id": "c-7", "status": "paid", "items": items})
    logger.info("an ordinary line, and no event")


def show(kafka: MockKafka) -> int:
    """Prints what stands on the topics, and returns how many messages that is."""
    messages = kafka.consume(*TOPICS, timeout=10)
    for message in messages:
        print(f"\ntopic {message.topic()}\nkey   {_text(message.key())}\nevent {_text(message.value())}")
    return len(messages)


def _text(content: bytes | None) -> str:
    return "-" if content is None else content.decode()


def main() -> int:
    """Returns 0 where everything that was logged is where it should be."""
    with MockKafka() as kafka:
        configure(kafka.bootstrap_servers)
        print("--- what the application logs")
        take_orders()
        logging.shutdown()  # at exit this happens by itself; here the topics are read before
        print("\n--- what a consumer reads")
        return 0 if show(kafka) == 3 else 1


if __name__ == "__main__":
    sys.exit(main())
