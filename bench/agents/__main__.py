"""`python -m bench.agents`: what harnesses add to a model, what a runner can do, and reading agents."""

import argparse
import json
import os
import shlex
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench.agents.latency import measure_latency
from bench.agents.listing import AGENTS, measure_listing
from bench.agents.load import measure_idle, measure_load
from bench.agents.machine import Machine, machine
from bench.agents.talk import TurnFailed
from bench.agents.vendor import Vendor, environ_of
from omnigent.runner.harnesses.rows import HARNESSES

PARTS = ("latency", "load", "memory", "listing")
LOADED = ("scripted", "openai-responses")
Rows = list[dict[str, Any]]


async def measured(options: argparse.Namespace) -> dict[str, Rows]:
    """Every part that was chosen, printed as it comes."""
    report: dict[str, Rows] = {}
    harnesses = installed(options.harness or list(HARNESSES))
    if {"latency", "load", "memory"} & set(options.only):
        agents = {f"bench-{harness}": harness for harness in harnesses}
        async with Vendor() as vendor:
            with machine(server=options.server, agents=agents, environ=vendor.environ) as running:
                if "latency" in options.only:
                    report["latency"] = await latency(running, vendor, harnesses, options)
                if "load" in options.only:
                    report["load"] = await load(running, vendor, harnesses, options)
                if "memory" in options.only:
                    report["memory"] = await memory(running, vendor, harnesses, options)
    if "listing" in options.only:
        report["listing"] = await listing(options)
    return report


def installed(wanted: Sequence[str]) -> list[str]:
    """Those that can run here; the others are said."""
    environ = {**os.environ, **environ_of("http://127.0.0.1:1")}
    found = []
    for harness in wanted:
        missing = HARNESSES[harness].missing(environ)
        if missing:
            print(f"  left out: {harness}: {missing}", flush=True)
        else:
            found.append(harness)
    return found


async def latency(
    running: Machine, vendor: Vendor, harnesses: Sequence[str], options: argparse.Namespace
) -> Rows:
    """From a message to the model, and from the model to a reader."""
    titles = ("cold ms", "first ms", "request ms", "text ms", "token ms")
    print("\n  " + f"{'harness':<18}" + "".join(f"{title:>12}" for title in titles), flush=True)
    rows = []
    for harness in harnesses:
        try:
            row = asdict(await measure_latency(running, vendor, harness, turns=options.turns))
        except (TurnFailed, TimeoutError) as exc:
            print(f"  {harness:<18} failed: {exc or 'timed out'}", flush=True)
            continue
        rows.append(row)
        figures = [row[name] for name in ("cold", "first", "request", "text", "token")]
        shown = "".join(f"{'-':>12}" if value is None else f"{value:>12.1f}" for value in figures)
        print(f"  {harness:<18}{shown}", flush=True)
    return rows


async def load(
    running: Machine, vendor: Vendor, harnesses: Sequence[str], options: argparse.Namespace
) -> Rows:
    """Turns per second of one runner."""
    titles = ("turns/s", "p50 ms", "runner cpu", "server cpu")
    head = "".join(f"{title:>12}" for title in titles)
    print("\n  " + f"{'harness':<18}{'sessions':>9}{head}", flush=True)
    rows = []
    for harness in [harness for harness in harnesses if options.harness or harness in LOADED]:
        for one in await measure_load(running, vendor, harness, turns=options.turns):
            row = asdict(one)
            rows.append(row)
            figures = (one.per_second, one.p50, one.runner_cpu, one.server_cpu)
            shown = "".join(f"{value:>12.1f}" for value in figures)
            print(f"  {harness:<18}{one.sessions:>9}{shown}", flush=True)
    return rows


async def memory(
    running: Machine, vendor: Vendor, harnesses: Sequence[str], options: argparse.Namespace
) -> Rows:
    """What an idle session keeps."""
    titles = ("runner MiB", "KiB each", "programs", "MiB each")
    head = "".join(f"{title:>12}" for title in titles)
    print("\n  " + f"{'harness':<18}{'sessions':>9}{head}", flush=True)
    rows = []
    for harness in harnesses:
        one = await measure_idle(running, vendor, harness, sessions=options.idle)
        rows.append(asdict(one))
        figures = f"{one.runner_mib:>12.0f}{one.kib_each:>12.0f}{one.programs_each:>12.1f}"
        print(f"  {harness:<18}{one.sessions:>9}{figures}{one.programs_mib_each:>12.0f}", flush=True)
    return rows


async def listing(options: argparse.Namespace) -> Rows:
    """Reads of agents."""
    titles = ("p50 ms", "cpu ms", "KiB", "statements")
    head = "".join(f"{title:>12}" for title in titles)
    print("\n  " + f"{'read':<18}{'agents':>9}{head}", flush=True)
    rows = []
    for wanted in AGENTS:
        for one in await measure_listing(options.server, wanted, count=4 * options.turns):
            rows.append(asdict(one))
            figures = f"{one.p50:>12.2f}{one.cpu:>12.2f}{one.kib:>12.1f}{one.statements:>12}"
            print(f"  {one.read:<18}{one.agents:>9}{figures}", flush=True)
    return rows


def main() -> None:
    """Measure on SQLite, with one server, one host, and a scripted vendor."""
    parser = argparse.ArgumentParser(prog="python -m bench.agents", description=__doc__)
    parser.add_argument("--server", choices=("daphne", "uvicorn"), default="uvicorn")
    parser.add_argument("--only", action="append", choices=PARTS, help="default: all of them")
    parser.add_argument(
        "--harness",
        action="append",
        choices=tuple(HARNESSES),
        help=f"default: all that are installed, for load {' and '.join(LOADED)}",
    )
    parser.add_argument("--turns", type=int, default=50, help="turns (for listing a quarter of the reads)")
    parser.add_argument("--idle", type=int, default=100, help="sessions that rest, for memory")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    options.only = options.only or list(PARTS)
    print(shlex.join(["python", "-m", "bench.agents", *sys.argv[1:]]), flush=True)
    report = uvloop.run(measured(options))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
