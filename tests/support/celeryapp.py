"""A Celery application whose tasks log events, and which keeps its queues in files: no broker is needed."""

from __future__ import annotations

import logging
import logging.config
import os
from pathlib import Path
from typing import Any

from celery import Celery, signals

from tests.support.accounts import after_logging, fates, write_down
from tests.support.application import basic, dict_config, keywords, to_kafka

FOLDER = Path(os.environ["CELERY_FOLDER"])
EVENTS = 3
"""What each task logs."""

app = Celery("tests", broker="filesystem://")
app.conf.update(
    broker_transport_options={
        "data_folder_in": str(FOLDER / "queue"),
        "data_folder_out": str(FOLDER / "queue"),
        "control_folder": str(FOLDER / "control"),
        # Read files go to the common folder for temporary files, unless they are kept.
        "store_processed": True,
        "processed_folder": str(FOLDER / "done"),
    },
    worker_enable_remote_control=False,
    worker_prefetch_multiplier=1,
    task_ignore_result=True,
)


@signals.setup_logging.connect
def configure(**_: Any) -> None:
    """In the main process; it logs already, so that the pool's processes are forks of what that starts."""
    logging.config.dictConfig(dict_config(keywords(**to_kafka(os.environ["KAFKA"]))))
    after_logging(account)
    logging.getLogger("app").info("start", extra=basic(text=f"start of {os.getpid()}"))


@app.task
def work(number: int) -> None:
    for part in range(EVENTS):
        logging.getLogger("app").info("done", extra=basic(number, text=f"{number}.{part}"))


@signals.worker_process_shutdown.connect
def flush(**_: Any) -> None:
    """A process of the pool is about to end, by `os._exit`."""
    handler: Any = logging.getLogger("app").handlers[0]
    handler.flush()
    account()


def account() -> None:
    handler: Any = logging.getLogger("app").handlers[0]
    write_down(os.environ["ACCOUNTS"], **fates(handler.stats()))
