"""A web application for gunicorn, and gunicorn's configuration: each request logs one event.

Importing it does nothing, so that gunicorn may import it where it likes: `create` configures logging, in
the master with `--preload`, else in each worker.
"""

from __future__ import annotations

import logging
import logging.config
import os
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qs

from tests.support.accounts import after_logging, fates, write_down
from tests.support.application import basic, dict_config, keywords, to_kafka

Respond = Callable[[str, list[tuple[str, str]]], object]
Application = Callable[[dict[str, Any], Respond], Iterable[bytes]]


def create() -> Application:
    """Configure logging and log an event already: with `--preload`, workers are forks of what that starts."""
    logging.config.dictConfig(dict_config(keywords(**to_kafka(os.environ["KAFKA"]))))
    after_logging(account)
    log(f"start of {os.getpid()}")
    return respond


def account() -> None:
    """Called in each process at its end."""
    [handler] = logging.getLogger("app").handlers
    write_down(os.environ["ACCOUNTS"], **fates(handler.stats()))  # type: ignore[attr-defined]


def log(request: str) -> None:
    logging.getLogger("app").info("handled", extra=basic(text=request))


def respond(environment: dict[str, Any], start: Respond) -> Iterable[bytes]:
    [request] = parse_qs(environment["QUERY_STRING"])["request"]
    log(request)
    body = request.encode()
    start("200 OK", [("Content-Type", "text/plain"), ("Content-Length", str(len(body)))])
    return [body]


# What gunicorn calls and reads, by these names.
bind = "127.0.0.1:0"
errorlog = "-"


def when_ready(server: Any) -> None:
    """Called in the master when it listens."""
    print("port", server.LISTENERS[0].sock.getsockname()[1], flush=True)


def post_worker_init(worker: Any) -> None:
    """Called in a worker when it is about to serve."""
    print("worker", worker.pid, flush=True)
