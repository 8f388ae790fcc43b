"""The web application of `webapp`, and gunicorn's configuration, with a spool that all processes share."""

from __future__ import annotations

import logging.config
import os

from tests.support import webapp
from tests.support.accounts import after_logging, fates, write_down
from tests.support.application import dict_config, keywords, to_kafka


def create() -> webapp.Application:
    """Configure logging and log an event already: workers are forks of a process that owns a spool file."""
    kept = {"spool": os.environ["SPOOL"], "durable": True, "flush_timeout": 0.5}
    logging.config.dictConfig(dict_config(keywords(**to_kafka(os.environ["KAFKA"]), **kept)))
    after_logging(account)
    webapp.log(f"start of {os.getpid()}")
    return webapp.respond


def account() -> None:
    """Called in each process at its end."""
    [handler] = logging.getLogger("app").handlers
    stats = handler.stats()  # type: ignore[attr-defined]
    write_down(os.environ["ACCOUNTS"], **fates(stats), taken_over=stats.taken_over)


# What gunicorn calls and reads, by these names.
bind, errorlog = webapp.bind, webapp.errorlog
when_ready, post_worker_init = webapp.when_ready, webapp.post_worker_init
