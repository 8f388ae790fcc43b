"""Instants in and out: ISO-8601 as AJV takes it, written in UTC with milliseconds and `Z`."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone, tzinfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eplogging.conformance import instants

UTC = timezone.utc


def milliseconds(*parts: int, zone: timezone = UTC) -> int:
    return round(datetime(*parts, tzinfo=zone).timestamp() * 1000)  # type: ignore[misc,arg-type]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01T00:00:00.001Z", 1),
        ("1969-12-31T23:59:59.999Z", -1),
        ("1969-12-31T23:59:59.9999Z", -1),
        ("2020-07-01T00:00:00Z", milliseconds(2020, 7, 1)),
        ("2020-07-01t00:00:00z", milliseconds(2020, 7, 1)),
        ("2020-07-01 00:00:00Z", milliseconds(2020, 7, 1)),
        ("2020-07-01T00:00:00.5Z", milliseconds(2020, 7, 1) + 500),
        ("2020-07-01T00:00:00.12Z", milliseconds(2020, 7, 1) + 120),
        ("2020-07-01T00:00:00.123456789Z", milliseconds(2020, 7, 1) + 123),
        ("2020-07-01T00:00:00.9999999Z", milliseconds(2020, 7, 1) + 999),
        ("2020-07-01T02:00:00+02:00", milliseconds(2020, 7, 1)),
        ("2020-07-01T02:00:00+0200", milliseconds(2020, 7, 1)),
        ("2020-07-01T02:00:00+02", milliseconds(2020, 7, 1)),
        ("2020-06-30T23:30:00-00:30", milliseconds(2020, 7, 1)),
        ("2020-07-01T00:00:00-00:00", milliseconds(2020, 7, 1)),
        ("2020-02-29T00:00:00Z", milliseconds(2020, 2, 29)),
        ("2016-12-31T23:59:60Z", milliseconds(2017, 1, 1)),
        ("2016-12-31T23:59:60.9Z", milliseconds(2017, 1, 1)),
        ("2017-01-01T00:59:60+01:00", milliseconds(2017, 1, 1)),
        ("0001-01-01T00:00:00Z", -62135596800000),
        ("9999-12-31T23:59:59.999Z", 253402300799999),
    ],
)
def test_what_is_parsed(text: str, expected: int) -> None:
    assert instants.parse(text) == expected
    assert instants._parse_any(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "",
        "yesterday",
        "2020-07-01",
        "2020-07-01T00:00:00",
        "2020-07-01T00:00Z",
        "2020-07-01T00Z",
        "20200701T000000Z",
        "2020-07-01T000000Z",
        "2020-W27-3T00:00:00Z",
        "2020-07-01T00:00:00,5Z",
        "2020-07-01T00:00:00.Z",
        "2020-07-01T00:00:00Z\n",
        " 2020-07-01T00:00:00Z",
        "\u0662020-07-01T00:00:00Z",
        "2020-07-01T00:00:0\u0661Z",
        "2020-07-01T00:00:00+00:00:30",
        "2020-07-01T00:00:00+1",
        "2020-02-30T00:00:00Z",
        "2021-02-29T00:00:00Z",
        "2020-13-01T00:00:00Z",
        "2020-00-01T00:00:00Z",
        "2020-01-00T00:00:00Z",
        "2020-01-39T00:00:00Z",
        "2020-01-01T24:00:00Z",
        "2020-01-01T25:00:00Z",
        "2020-01-01T00:60:00Z",
        "2020-01-01T00:00:61Z",
        "2020-01-01T00:00:00+24:00",
        "2020-01-01T00:00:00+00:60",
        "0000-01-01T00:00:00Z",
        "0001-01-01T00:00:00+00:01",
        "9999-12-31T23:59:59-00:01",
        "12020-01-01T00:00:00Z",
        "-2020-01-01T00:00:00Z",
    ],
)
def test_what_is_no_instant(text: str) -> None:
    for parse in (instants.parse, instants._parse_any):
        with pytest.raises(ValueError, match=r"is no ISO-8601|impossible instant"):
            parse(text)


@given(st.datetimes(timezones=st.just(UTC)))
def test_what_is_written_is_parsed_again(instant: datetime) -> None:
    exact = (instant - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(milliseconds=1)
    text = instants.isoformat(exact)
    assert len(text) == 24
    assert instants.parse(text) == exact == instants.to_milliseconds(instant)
    assert datetime.strptime(text, "%Y-%m-%dT%H:%M:%S.%fZ").replace(tzinfo=UTC) <= instant


@given(st.text("0123456789-:T Z.+W", max_size=30) | st.datetimes().map(lambda d: d.isoformat() + "Z"))
def test_both_ways_of_parsing_agree(text: str) -> None:
    def outcome(parse: object) -> object:
        try:
            return parse(text)  # type: ignore[operator]
        except ValueError:
            return None

    assert outcome(instants.parse) == outcome(instants._parse_any)


@pytest.mark.parametrize(
    ("instant", "expected"),
    [
        (0, 0),
        (1.5, 1500),
        (1577836800.25, 1577836800250),
        (datetime(2020, 1, 1, tzinfo=UTC), 1577836800000),
        (datetime(2020, 1, 1, 2, tzinfo=timezone(timedelta(hours=2))), 1577836800000),
        (datetime(2020, 1, 1, 0, 0, 0, 999999, tzinfo=UTC), 1577836800999),
    ],
)
def test_to_milliseconds(instant: datetime | float, expected: int) -> None:
    assert instants.to_milliseconds(instant) == expected


class NoZone(tzinfo):
    """A zone that says nothing, so that a time in it is naive (the documentation of `datetime`)."""

    def utcoffset(self, _: datetime | None) -> None:
        return None


@pytest.mark.parametrize("instant", [datetime(2020, 1, 1), datetime(2020, 1, 1, tzinfo=NoZone())])
def test_naive_times_are_no_instants(instant: datetime) -> None:
    with pytest.raises(ValueError, match=r"no time zone.*datetime\.now\(timezone\.utc\)") as caught:
        instants.to_milliseconds(instant)
    assert "2020" not in str(caught.value), "it may be one of redact_fields"


def test_seconds_change(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [instants.isoformat(n) for n in (999, 1000, 999, 1001, 1000)] == [
        "1970-01-01T00:00:00.999Z",
        "1970-01-01T00:00:01.000Z",
        "1970-01-01T00:00:00.999Z",
        "1970-01-01T00:00:01.001Z",
        "1970-01-01T00:00:01.000Z",
    ]
    monkeypatch.setattr(instants, "clock", lambda: 1577836800.9999)
    assert instants.now() == 1577836800999
