"""`python -m bench`: measure this machine; `--help` lists the choices. Figures of one run are comparable."""

import argparse
import asyncio
import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import uvloop

from bench.delivery import READERS, measure_delivery, measure_relay
from bench.installation import Installation, installation, stores
from bench.journeys import journeys, measure, seeded

SETTLE_SECONDS = 2.0


async def measured(server: Installation, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about one server, printed as it comes."""
    await asyncio.sleep(SETTLE_SECONDS)
    idle = server.memory_mib()
    print(f"  cold start {server.cold_start:.2f} s, idle memory {idle:.0f} MiB", flush=True)
    report: dict[str, Any] = {
        "cold_start_s": server.cold_start,
        "idle_mib": idle,
        "requests": [],
        "streams": [],
    }
    async with seeded(server.port) as world:
        if "requests" in options.only:
            print(f"  {'':<16}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>9}{'req/s':>9}", flush=True)
            for journey in journeys(world):
                row = await measure(server, journey, count=options.count, seconds=options.seconds)
                report["requests"].append(asdict(row))
                figures = f"{row.p50:>9.2f}{row.p99:>9.2f}{row.cpu:>9.2f}{row.per_second:>9.0f}"
                print(f"  {row.name:<16}{figures}", flush=True)
        if "streams" in options.only:
            report["relay_per_s"] = await measure_relay(server, world)
            print(f"  one tunnel to one reader: {report['relay_per_s']:.0f} deltas/s", flush=True)
            print(
                f"  {'readers':<10}{'p50 ms':>9}{'p99 ms':>9}{'per s':>9}{'cpu us':>9}{'KiB each':>10}",
                flush=True,
            )
            for count in READERS:
                line = await measure_delivery(server, world, count)
                report["streams"].append(asdict(line))
                figures = f"{line.p50:>9.2f}{line.p99:>9.2f}{line.per_second:>9.0f}{line.cpu_us:>9.1f}"
                print(f"  {count:<10}{figures}{line.stream_kib:>10.1f}", flush=True)
    report["memory_after_mib"] = server.memory_mib()
    print(f"  memory afterwards {report['memory_after_mib']:.0f} MiB", flush=True)
    return report


def main() -> None:
    """Measure every chosen combination of server and store."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--server", action="append", choices=("daphne", "uvicorn"), help="default: both")
    parser.add_argument("--store", action="append", choices=("sqlite", "postgresql"), help="default: both")
    parser.add_argument("--only", action="append", choices=("requests", "streams"), help="default: both")
    parser.add_argument("--count", type=int, default=200, help="requests per journey one after the other")
    parser.add_argument("--seconds", type=float, default=2.0, help="seconds of sixteen at once per journey")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    options.only = options.only or ["requests", "streams"]
    report: dict[str, Any] = {"python": platform.python_version(), "machine": platform.machine()}
    for store in options.store or stores():
        for server in options.server or ["daphne", "uvicorn"]:
            name = f"{server}, {store}"
            print(f"\n{name}", flush=True)
            with installation(server=server, store=store) as running:
                report[name] = uvloop.run(measured(running, options))
    if options.json:
        options.json.write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    main()
