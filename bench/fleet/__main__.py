"""`python -m bench.fleet`: tunnels, downloads, terminals and launches, with real runners where they matter.

Figures of one run are comparable. On PostgreSQL with two replicas where it is installed; the tunnels end at
the first replica.
"""

import argparse
import json
import shlex
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench.fleet.calls import Call, measure_calls
from bench.fleet.crowd import Crowd, measure_crowd
from bench.fleet.downloads import Download, measure_downloads
from bench.fleet.grounds import Grounds, grounds
from bench.fleet.launches import Launch, measure_launches
from bench.fleet.relays import Relay, measure_relays
from bench.fleet.terminals import Terminal, measure_terminal

Row = Call | Crowd | Download | Launch | Relay | Terminal
Part = Callable[[Grounds, argparse.Namespace], Awaitable[Sequence[Row]]]

PARTS: Mapping[str, Part] = {
    "calls": lambda fleet, options: measure_calls(fleet, count=options.count, seconds=options.seconds),
    "download": lambda fleet, options: measure_downloads(fleet, mib=options.mib),
    "terminal": lambda fleet, options: measure_terminal(fleet, seconds=options.seconds),
    "launch": lambda fleet, options: measure_launches(
        fleet, count=options.launches, released=options.released
    ),
    "relay": lambda fleet, options: measure_relays(fleet, deltas=options.deltas),
    "crowd": lambda fleet, options: measure_crowd(
        fleet, tunnels=options.tunnels, turns=options.turns, seconds=options.seconds
    ),
}
ALONE = "crowd"
"""Measured on a process that has done nothing before."""


async def measured(fleet: Grounds, options: argparse.Namespace, names: Sequence[str]) -> dict[str, Any]:
    """These parts, printed as they come."""
    report = {}
    for name in names:
        print(f"\n{name}", flush=True)
        report[name] = [asdict(row) for row in await PARTS[name](fleet, options)]
        show(report[name])
    return report


def show(rows: Sequence[Mapping[str, Any]]) -> None:
    """A table; its columns are the figures' names."""
    titles = [name.replace("_", " ") for name in rows[0]]
    cells = [
        [f"{value:.2f}" if isinstance(value, float) else str(value) for value in row.values()] for row in rows
    ]
    widths = [max(map(len, column)) + 2 for column in zip(titles, *cells, strict=True)]
    for line in (titles, *cells):
        print("".join(f"{cell:>{width}}" for cell, width in zip(line, widths, strict=True)), flush=True)


def main() -> None:
    """Measure what was chosen."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet", description=__doc__)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="uvicorn")
    parser.add_argument("--only", action="append", choices=tuple(PARTS), help="default: all of them")
    parser.add_argument("--count", type=int, default=500, help="calls one after the other")
    parser.add_argument("--seconds", type=float, default=10.0, help="of calls, of a flood, of rest, of turns")
    parser.add_argument("--mib", type=int, default=100, help="of the file that is downloaded")
    parser.add_argument("--launches", type=int, default=10, help="of runners")
    parser.add_argument("--released", action="store_true", help="also launch with the released host")
    parser.add_argument("--deltas", type=int, default=5000, help="relayed to each number of readers")
    parser.add_argument("--tunnels", type=int, default=200, help="of the crowd")
    parser.add_argument("--turns", type=int, default=20, help="of the crowd at once")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    names = [name for name in PARTS if name in (options.only or PARTS)]
    print(shlex.join(["python", "-m", "bench.fleet", *sys.argv[1:]]), flush=True)
    report: dict[str, Any] = {}
    if shared := [name for name in names if name != ALONE]:
        with grounds(server=options.server, replicas=2, with_host=True) as fleet:
            report |= uvloop.run(measured(fleet, options, shared))
    if ALONE in names:
        with grounds(server=options.server, replicas=1, with_host=False) as fleet:
            report |= uvloop.run(measured(fleet, options, [ALONE]))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
