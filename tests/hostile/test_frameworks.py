"""What numpy and Django put into events (row E7): documented conversions, or a refusal with the path.

The classes here stand in for theirs, which are no dependency: what counts is what they derive from, what
they claim to be, and whether they show their memory as bytes. Beside each stands what python-json-logger
makes of it, which asks the object itself.
"""

from __future__ import annotations

import ctypes
import json
from typing import Any

import pytest
from pythonjsonlogger.json import JsonEncoder

from eplogging.conformance.jsondata import plain
from eplogging.items import defer
from eplogging.reports import NO_CALL_SITE
from eplogging.sinks import MemorySink
from tests.hostile.outcomes import outcome
from tests.support.application import Application, basic


class Float64(float):
    """As `numpy.float64`."""


class NumpyText(str):
    """As `numpy.str_`."""


class NumpyBool:
    """As `numpy.bool_`, which is no `bool`."""

    def __bool__(self) -> bool:
        return True

    def __repr__(self) -> str:
        return "np.True_"


class QueryDict(dict[str, list[str]]):
    """As Django's: each key has a list of values, of which the last one shows."""

    def __getitem__(self, name: str) -> Any:
        return super().__getitem__(name)[-1]

    def items(self) -> Any:
        return ((name, self[name]) for name in self)


class SafeString(str):
    """As Django's."""

    def __html__(self) -> SafeString:
        return self


class LazyText:
    """As `gettext_lazy` returns: it is translated when it is shown."""

    __class__ = str  # type: ignore[assignment]

    def __str__(self) -> str:
        return "translated"


class Request:
    """As Django's `WSGIRequest`."""

    def __init__(self) -> None:
        self.META = {"HTTP_AUTHORIZATION": "hunter2"}
        self.path = "/x"

    def __iter__(self) -> Any:
        return iter(self.META)

    def __repr__(self) -> str:
        return "<WSGIRequest: GET '/x'>"


ARRAY = (ctypes.c_double * 2)(1.0, 2.0)  # shows its memory, as `numpy.ndarray` does
NUMBER = ctypes.c_int64(7)  # likewise, as `numpy.int64`

TAKEN: dict[str, tuple[Any, Any, Any]] = {
    "numpy.float64": (Float64(1.5), 1.5, 1.5),
    "a whole numpy.float64": (Float64(2.0), 2.0, 2),
    "numpy.str_": (NumpyText("t"), "t", "t"),
    "Django's SafeString": (SafeString("<b>"), "<b>", "<b>"),
    "Django's QueryDict, whole": (QueryDict(a=["1", "2"]), {"a": "2"}, {"a": ["1", "2"]}),
}
REFUSED: dict[str, tuple[Any, str, str]] = {
    "numpy.int64": (NUMBER, "c_long(7)", "c_long"),
    "numpy.bool_": (NumpyBool(), "np.True_", "NumpyBool"),
    "numpy.ndarray": (ARRAY, "c_double_Array_2 object", "c_double_Array_2"),
    "Django's lazy text": (LazyText(), "translated", "LazyText"),
    "Django's request": (Request(), "<WSGIRequest: GET '/x'>", "Request"),
}


@pytest.fixture(params=["cold", "warm"])
def either(request: pytest.FixtureRequest, app: Application) -> Application:
    """An application whose event will be deferred, and one that knows its schema."""
    if request.param == "warm":
        app.logger.info("x", extra=basic(4711))
        assert app.handler.flush()
    return app


@pytest.mark.parametrize("name", TAKEN)
def test_e7_what_is_a_number_a_text_or_a_dict_is_taken(
    name: str, either: Application, sink: MemorySink
) -> None:
    value, theirs, ours = TAKEN[name]
    assert json.loads(JsonEncoder().encode({"x": value})) == {"x": theirs}
    reason, sent = outcome(either, sink, basic(x=value))
    assert reason is None
    assert sent["x"] == ours and type(sent["x"]) is type(ours)


@pytest.mark.parametrize("name", REFUSED)
def test_e7_everything_else_is_refused_with_the_path(
    name: str, either: Application, sink: MemorySink
) -> None:
    """python-json-logger shows what the object says of itself; ours would be bytes, or code of others."""
    value, theirs, kind = REFUSED[name]
    assert theirs in JsonEncoder().encode({"x": value})
    reason, error = outcome(either, sink, basic(x={"deep": [value]}))
    assert reason == "not_json"
    assert f"/x/deep/0 is of type {kind}" in error["message"]
    assert "hunter2" not in json.dumps(error)


def test_e7_a_request_beside_the_fields_is_no_field(app: Application, sink: MemorySink) -> None:
    """Django's own log records have one."""
    app.logger.info("x", extra={**basic(1), "request": Request(), "status_code": 404})
    assert app.handler.flush()
    sent = json.loads(sink.messages[-1].value)
    assert sent["number"] == 1 and not {"request", "status_code"} & set(sent)


def test_e7_numpy_itself() -> None:
    """A deferred event is what an event is that is conformed at once: `marshal` would take all for bytes."""
    numpy = pytest.importorskip("numpy")
    for value, expected in ((numpy.float64(1.5), 1.5), (numpy.str_("t"), "t")):
        event = basic(x=value)
        assert plain(event)["x"] == expected
        assert plain(defer(event, {}, 0.0, NO_CALL_SITE).event())["x"] == expected
    for value in (numpy.int64(7), numpy.bool_(True), numpy.float32(1.5), numpy.zeros(2)):
        for judge in (plain, lambda event: defer(event, {}, 0.0, NO_CALL_SITE)):
            with pytest.raises(Exception, match="/x is of type"):
                judge(basic(x=value))
