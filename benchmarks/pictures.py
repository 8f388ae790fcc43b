"""The results as pictures for the documentation; a picture whose measurements are missing is not drawn."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")

from matplotlib import pyplot
from matplotlib.axes import Axes

from .harness import Results
from .rows import COMPARED, OURS, QUEUE, THREADS, Value, burst, calls, paced, timeline

_OURS_COLOR, _OTHER_COLOR, _PENDING_COLOR = "#0b6fa4", "#b0b7bd", "#7fb8d6"
_VALIDATES = {OURS, "tuned bare loop", "plain bare loop", "plain bare loop, jsonschema"}


def draw(rounds: Sequence[Results], directory: Path) -> list[Path]:
    """Draws what was measured.

    Returns:
        The files written.
    """
    drawn = [_costs(rounds, directory), _threads(rounds, directory), _memory(rounds, directory)]
    return [path for path in drawn if path is not None]


def _median(value: Value, rounds: Sequence[Results]) -> float | None:
    found = [
        number
        for results in rounds
        if value.measurement in results and (number := value.of(results)) is not None
    ]
    return statistics.median(found) if found else None


def _costs(rounds: Sequence[Results], directory: Path) -> Path | None:
    """Bars: CPU per event and the caller's time, ours and the yardsticks'."""
    panels = (
        ("CPU of the whole process, µs per event", {who: _median(burst(who), rounds) for who in COMPARED}),
        ("the caller's time, median, µs per event", {who: _median(calls(who), rounds) for who in COMPARED}),
    )
    if panels[0][1][OURS] is None:
        return None
    _, axes = pyplot.subplots(1, 2, figsize=(13, 5.2))
    for axis, (title, costs) in zip(axes, panels, strict=True):
        _bars(axis, title, {who: cost for who, cost in costs.items() if cost is not None})
    return _save(directory / "performance-costs.png", "What one event of 1 KB costs")


def _bars(axis: Axes, title: str, costs: dict[str, float]) -> None:
    names = sorted(costs, key=lambda who: costs[who], reverse=True)
    labels = [f"{who}{' (validates)' if who in _VALIDATES else ''}" for who in names]
    colors = [_OURS_COLOR if who == OURS else _OTHER_COLOR for who in names]
    bars = axis.barh(labels, [costs[who] for who in names], color=colors)
    axis.bar_label(bars, fmt="%.0f", padding=3, fontsize=8)
    axis.set_xscale("log")
    axis.set_title(title, fontsize=10)
    axis.tick_params(labelsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _threads(rounds: Sequence[Results], directory: Path) -> Path | None:
    """Curves: events/s in a burst, and the caller's p99 at a steady rate, against threads."""
    rates = {
        who: [_median(burst(who, "per_second", threads=n, events=30_000), rounds) for n in THREADS]
        for who in (OURS, QUEUE)
    }
    latencies = {who: [_median(paced(who, threads=n), rounds) for n in THREADS] for who in (OURS, QUEUE)}
    if None in rates[OURS] or None in latencies[OURS]:
        return None
    _, (left, right) = pyplot.subplots(1, 2, figsize=(11, 4.2))
    _curves(left, "events/s in a burst", rates)
    _curves(right, "the caller's time, p99, µs, at 4,000 events/s together", latencies)
    return _save(directory / "performance-threads.png", "With more threads")


def _curves(axis: Axes, title: str, curves: dict[str, list[float | None]]) -> None:
    for who, values in curves.items():
        color = _OURS_COLOR if who == OURS else _OTHER_COLOR
        axis.plot(THREADS, [value or 0.0 for value in values], marker="o", color=color, label=who)
    axis.set_title(title, fontsize=10)
    axis.set_xlabel("threads")
    axis.set_xticks(THREADS)
    axis.set_ylim(bottom=0)
    axis.legend(fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)


def _memory(rounds: Sequence[Results], directory: Path) -> Path | None:
    """Curves: memory against time while the broker goes and comes back; of the last round."""
    measured = {who: rounds[-1].get(timeline(who).measurement) for who in (OURS, QUEUE)}
    ours = measured[OURS]
    if ours is None:
        return None
    _, axis = pyplot.subplots(figsize=(9, 4.2))
    gone, back = ours["phases"]
    axis.axvspan(gone, back, color="#f5e6e0", label="no broker")
    for who, found in measured.items():
        if found is not None:
            color = _OURS_COLOR if who == OURS else _OTHER_COLOR
            axis.plot(
                found["seconds"], found["growth_mib"], color=color, label=f"{who}: growth of the process"
            )
    axis.plot(
        ours["seconds"],
        ours["pending_mib"],
        color=_PENDING_COLOR,
        label="eplogging: bytes waiting (bound 16 MiB)",
    )
    axis.set_xlabel("seconds")
    axis.set_ylabel("MiB")
    axis.legend(fontsize=8)
    axis.spines[["top", "right"]].set_visible(False)
    return _save(directory / "performance-memory.png", "An outage at 4,000 events/s of 1 KB")


def _save(path: Path, title: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pyplot.suptitle(title)
    pyplot.tight_layout()
    pyplot.savefig(path, dpi=110)
    pyplot.close()
    return path
