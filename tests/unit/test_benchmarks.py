"""The benchmarks run and give their rows: no time is asserted, only that nothing in them has rotted."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path

import pytest

from benchmarks import report
from benchmarks.harness import Measurement, Results, run_all
from benchmarks.rows import OURS, ROWS, Row, measurements_of

SCALE = 0.002
PACKAGES = {
    "structlog + produce": "structlog",
    "OpenTelemetry SDK, no export": "opentelemetry.sdk",
    "loguru, no Kafka": "loguru",
    "kafka-logging-handler": "kafka_logger",
}


def smallest(rows: tuple[Row, ...]) -> list[Measurement]:
    """Of each function the first measurement that is ours."""
    by_function: dict[str, Measurement] = {}
    for measurement in measurements_of(rows):
        parameters = dict(measurement.parameters)
        if parameters.get("contender", OURS) == OURS and parameters.get("schemas", 1) == 1:
            by_function.setdefault(measurement.name, measurement)
    return list(by_function.values())


@pytest.fixture(scope="module")
def results() -> Results:
    pytest.importorskip("jsonschema_rs", reason="needs the extra fast")
    pytest.importorskip("psutil", reason="needs the extra bench")
    [found] = run_all(smallest(ROWS), rounds=1, scale=SCALE, jobs=8)
    return found


def test_every_benchmark_measures_something(results: Results) -> None:
    assert {measurement.name for measurement in results} == {m.name for m in measurements_of(ROWS)}
    assert all(result and "missing" not in result for result in results.values())


@pytest.mark.parametrize("contender", PACKAGES)
def test_a_package_stands_beside_ours(contender: str) -> None:
    try:
        found = find_spec(PACKAGES[contender])
    except ModuleNotFoundError:
        found = None
    if found is None:
        pytest.skip(f"{PACKAGES[contender]} is not installed; it comes with the extra bench")
    burst = Measurement("bursts.burst", (("contender", contender),))

    [result] = run_all([burst], rounds=1, scale=SCALE)[0].values()

    assert result["cpu_us"] > 0


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    burst = Measurement("bursts.burst", (("contender", "loguru, no Kafka"),), without=("loguru",))

    assert run_all([burst], rounds=1, scale=SCALE) == [{burst: {"missing": "loguru"}}]


def test_the_table_has_every_row_with_its_verdict(tmp_path: Path) -> None:
    def made_up(number: float) -> Results:
        return {m: dict.fromkeys(fields_of(m), number) for m in measurements_of(ROWS)}

    rounds = [made_up(1.0), made_up(2.0), made_up(4.0)]
    lines = report.lines_of(ROWS, rounds)
    report.save(tmp_path / "results.json", lines, rounds)
    table = report.table(lines).splitlines()

    assert len(lines) == len(ROWS)
    assert len(table) == len(ROWS) + 2
    assert sum("| met" in line or "| NOT MET" in line for line in table) == len([r for r in ROWS if r.limit])
    saved = json.loads((tmp_path / "results.json").read_text(encoding="utf-8"))
    assert len(saved["rows"]) == len(ROWS)
    assert len(saved["rounds"]) == 3


def fields_of(measurement: Measurement) -> set[str]:
    return {v.field for row in ROWS for v in row.values() if v.measurement == measurement}


def test_a_row_without_its_package_is_left_out() -> None:
    row = ROWS[0]
    missing: Results = {m: {"missing": "a package"} for m in measurements_of((row,))}

    assert report.lines_of((row,), [missing]) == []
