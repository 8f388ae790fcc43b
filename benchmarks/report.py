"""From results to verdicts: a table to read, and JSON to keep."""

from __future__ import annotations

import json
import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from .harness import Results
from .rows import Row

_PACKAGES = (
    "confluent-kafka", "jsonschema-rs", "orjson", "python-json-logger", "jsonschema", "structlog", "loguru",
    "opentelemetry-sdk", "kafka-logging-handler", "kafka-python",
)  # fmt: skip


class Line(NamedTuple):
    """A row with its figures: medians over all rounds, and the ratio's lowest and highest."""

    row: Row
    ours: float
    yardstick: float
    ratio: float
    lowest: float
    highest: float

    @property
    def verdict(self) -> str:
        limit = self.row.limit
        if limit is None:
            return ""
        return "met" if (self.ratio <= limit if self.row.at_most else self.ratio >= limit) else "NOT MET"


def lines_of(rows: Sequence[Row], rounds: Sequence[Results]) -> list[Line]:
    """The rows that could be measured; a ratio is formed within each round."""
    return [line for row in rows if (line := _line(row, rounds)) is not None]


def _line(row: Row, rounds: Sequence[Results]) -> Line | None:
    pairs = [(row.ours.of(results), _yardstick(row, results)) for results in rounds]
    known = [(ours, other) for ours, other in pairs if ours is not None and other is not None]
    if not known:
        return None
    ratios = [ours / other for ours, other in known]
    return Line(
        row,
        statistics.median(ours for ours, _ in known),
        statistics.median(other for _, other in known),
        statistics.median(ratios),
        min(ratios),
        max(ratios),
    )


def _yardstick(row: Row, results: Results) -> float | None:
    if not isinstance(row.yardstick, tuple):
        return row.yardstick
    parts = [value.of(results) for value in row.yardstick]
    return None if None in parts else sum(part for part in parts if part is not None)


def table(lines: Sequence[Line]) -> str:
    """The lines as a Markdown table: what is asked first, then what is only told."""
    cells: list[tuple[str, ...]] = [("what", "must be", "ours", "yardstick", "ratio", "spread", "")]
    for line in sorted(lines, key=lambda line: line.row.limit is None):
        cells.append(_cells(line))
    widths = [max(len(row[column]) for row in cells) for column in range(len(cells[0]))]
    written = ["| " + " | ".join(map(str.ljust, row, widths)) + " |" for row in cells]
    written.insert(1, "|" + "|".join("-" * (width + 2) for width in widths) + "|")
    return "\n".join(written)


def _cells(line: Line) -> tuple[str, ...]:
    row = line.row
    asked = "" if row.limit is None else f"{'at most' if row.at_most else 'at least'} {row.limit:g} x "
    return (
        row.what,
        f"{asked}{row.against}" if asked else f"beside {row.against}",
        f"{_number(line.ours)} {row.unit}",
        f"{_number(line.yardstick)} {row.unit}",
        f"{line.ratio:.2f}",
        f"{line.lowest:.2f} to {line.highest:.2f}",
        line.verdict,
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.1f}"


def save(path: Path, lines: Sequence[Line], rounds: Sequence[Results], **about: Any) -> None:
    """Writes the lines, every result of every round, and what they were measured with."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "about": {**about, **_environment()},
        "rows": [_as_json(line) for line in lines],
        "rounds": [{str(measured): result for measured, result in results.items()} for results in rounds],
    }
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def _as_json(line: Line) -> dict[str, Any]:
    row = line.row
    return {
        **{name: getattr(row, name) for name in ("group", "what", "against", "unit", "limit", "at_most")},
        **{name: getattr(line, name) for name in ("ours", "yardstick", "ratio", "lowest", "highest")},
        "met": None if row.limit is None else line.verdict == "met",
    }


def _environment() -> dict[str, Any]:
    installed: dict[str, str | None] = {}
    for package in _PACKAGES:
        try:
            installed[package] = version(package)
        except PackageNotFoundError:
            installed[package] = None
    return {
        "python": platform.python_version(),
        "machine": platform.machine(),
        "cpus": os.cpu_count(),
        "packages": installed,
    }
