"""`python -m benchmarks`: measures everything, prints the table, writes it as JSON and as pictures."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from .harness import ROOT, Results, run_all
from .report import Line, lines_of, save, table
from .rows import GROUPS, ROWS, measurements_of

RESULTS = ROOT / "benchmarks" / "results" / "results.json"
PICTURES = ROOT / "docs"
_QUICK = {"rounds": 2, "scale": 0.2}
_FULL = {"rounds": 5, "scale": 1.0}


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints the table; returns 1 where a row is not met."""
    options = _options(arguments)
    preset = _QUICK if options.quick else _FULL
    rows = tuple(row for row in ROWS if not options.only or row.group in options.only)
    rounds = run_all(
        measurements_of(rows),
        rounds=options.rounds or int(preset["rounds"]),
        scale=options.scale or preset["scale"],
        tell=lambda text: print(text, file=sys.stderr, flush=True),
    )
    lines = lines_of(rows, rounds)
    print(table(lines))
    save(RESULTS, lines, rounds, scale=options.scale or preset["scale"], number_of_rounds=len(rounds))
    if not options.no_pictures:
        _draw(lines, rounds)
    return int(any(line.verdict == "NOT MET" for line in lines))


def _options(arguments: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a short form: 2 rounds of a fifth of the work")
    parser.add_argument("--only", action="append", choices=GROUPS, help="a group of rows; may be repeated")
    parser.add_argument("--rounds", type=int, help="how often everything is measured")
    parser.add_argument("--scale", type=float, help="how much of the work is done in each measurement")
    parser.add_argument("--no-pictures", action="store_true", help="leave docs/ as it is")
    return parser.parse_args(arguments)


def _draw(lines: list[Line], rounds: list[Results]) -> None:
    try:
        from .pictures import draw
    except ModuleNotFoundError as error:
        print(f"no pictures: {error.name} is not installed; install the extra bench", file=sys.stderr)
    else:
        for path in draw(rounds, PICTURES):
            print(path.relative_to(ROOT), file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
