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
from bench.journeys import Seeded, journeys, measure, seeded

SETTLE_SECONDS = 2.0
MANY = 200


async def measured(server: Installation, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about one server, printed as it comes."""
    await asyncio.sleep(SETTLE_SECONDS)
    idle = server.memory_mib()
    print(f"  cold start {server.cold_start:.2f} s, idle memory {idle:.0f} MiB", flush=True)
    report: dict[str, Any] = {"cold_start_s": server.cold_start, "idle_mib": idle}
    async with seeded(server.port) as world:
        if "streams" in options.only:
            report["relay_per_s"] = await measure_relay(server, world)
            print(f"  one tunnel to one reader: {report['relay_per_s']:.0f} deltas/s", flush=True)
            report["streams"] = await streams(server, world)
        # Last, because the posted messages are still being delivered when it ends.
        if "requests" in options.only:
            report["requests"] = await requests(server, world, options)
    report["memory_after_mib"] = server.memory_mib()
    print(f"  memory afterwards {report['memory_after_mib']:.0f} MiB", flush=True)
    return report


async def requests(server: Installation, world: Seeded, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Single requests: latency one after the other, CPU and throughput from sixteen connections."""
    print(f"  {'':<16}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>9}{'req/s':>9}", flush=True)
    rows = []
    for journey in journeys(world):
        row = await measure(server, journey, count=options.count, seconds=options.seconds)
        rows.append(asdict(row))
        figures = f"{row.p50:>9.2f}{row.p99:>9.2f}{row.cpu:>9.2f}{row.per_second:>9.0f}"
        print(f"  {row.name:<16}{figures}", flush=True)
    return rows


async def streams(server: Installation, world: Seeded) -> list[dict[str, Any]]:
    """Delivery to more and more readers; memory per reader says nothing when there are few."""
    titles = (("p50 ms", 9), ("p99 ms", 9), ("cpu us", 9), ("KiB each", 10), ("deltas/s merged", 17))
    print(f"  {'readers':<10}" + "".join(f"{title:>{width}}" for title, width in titles), flush=True)
    rows = []
    for count in READERS:
        row = await measure_delivery(server, world, count)
        rows.append(asdict(row))
        memory = f"{row.stream_kib:.1f}" if count >= MANY else "-"
        figures = f"{row.p50:>9.2f}{row.p99:>9.2f}{row.cpu_us:>9.1f}{memory:>10}{row.per_second:>17.0f}"
        print(f"  {count:<10}{figures}", flush=True)
    return rows


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
