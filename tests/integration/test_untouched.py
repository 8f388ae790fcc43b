"""An application that logs ordinary records must not notice the handler on its root logger."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from eplogging.sinks import MemorySink
from tests.support.application import Collected, application, basic, keywords

FORMAT = "%(name)s %(levelname)s %(funcName)s:%(lineno)d %(message)s"


def run_application() -> None:
    """What applications log: arguments, extras, exceptions, stacks, odd messages."""
    logger = logging.getLogger("ordinary.part")
    logger.debug("plain")
    logger.info("%s and %d", "arguments", 7)
    logger.info("%(named)s", {"named": "mapping"})
    logger.warning("with extra", extra={"user": {"id": 1}, "meta": {"stream": "x"}, "event": "not a dict"})
    logger.warning("event without schema", extra={"event": {"meta": {"stream": "sample.basic"}}})
    logger.error({"a": "dict", "without": "schema"})
    logger.log(35, None)
    try:
        raise KeyError("missing")
    except KeyError:
        logger.exception("failed")
    logger.critical("stack", stack_info=True)


def observed(*, with_events: bool) -> tuple[list[dict[str, Any]], list[str]]:
    """The attributes of each record, as a handler after ours sees them, and its lines."""
    with application(root=True, sink=MemorySink(), **keywords()) as app:
        if not with_events:
            logging.getLogger().removeHandler(app.handler)
        after = Collected()
        logging.getLogger().addHandler(after)
        run_application()
        assert app.stats.accepted == 0
        assert app.reports.lines == []
    records = [record for record in after.records if record.name == "ordinary.part"]
    formatter = logging.Formatter(FORMAT)
    return [stable(record) for record in records], [formatter.format(record) for record in records]


def stable(record: logging.LogRecord) -> dict[str, Any]:
    """A record's attributes, without those that time alone changes."""
    moments = {"created", "msecs", "relativeCreated", "exc_info", "stack_info"}
    return {name: value for name, value in vars(record).items() if name not in moments}


def test_records_and_what_other_handlers_make_of_them_are_the_same() -> None:
    records, lines = observed(with_events=True)
    plain_records, plain_lines = observed(with_events=False)

    assert len(records) == 9
    assert records == plain_records
    assert [line.partition("\n")[0] for line in lines] == [line.partition("\n")[0] for line in plain_lines]


def test_an_event_s_record_is_unchanged_for_the_handlers_after_ours(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with application(root=True, sink=MemorySink(), **keywords()) as app:
        after = Collected()
        logging.getLogger().addHandler(after)
        app.logger.info("%s logged", "event", extra=basic(3))
        [record] = [record for record in after.records if record.name == "app"]
        attributes = vars(record)
        assert (record.getMessage(), record.args, record.msg) == ("event logged", ("event",), "%s logged")
        assert {name: attributes[name] for name in basic()} == basic(3)
        assert app.handler.flush()
        assert app.stats.delivered == 1
    assert capfd.readouterr() == ("", "")


def test_the_handler_s_level_and_filters_apply() -> None:
    with application(sink=MemorySink(), level="WARNING", **keywords()) as app:
        app.handler.addFilter(lambda record: "secret" not in record.getMessage())
        app.logger.info("below", extra=basic(1))
        app.logger.warning("secret", extra=basic(2))
        app.logger.warning("passes", extra=basic(3))
        assert app.handler.flush()
        assert (app.stats.accepted, app.stats.delivered) == (1, 1)
