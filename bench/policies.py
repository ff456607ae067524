"""`python -m bench.policies`: what policies cost: an evaluation, a turn of eight calls, an audit export."""

import argparse
import asyncio
import json
import statistics
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import uvloop

from bench.client import Connection, ask
from bench.installation import Installation, installation, stores

CHAINS = (0, 1, 10, 50)
CALLS = 8
HANDLER = "omnigent.policies.builtins.orchestration.worktree_guard"
COUNTING = "omnigent.policies.builtins.safety.max_tool_calls_per_session"
CALL = {
    "event": {
        "type": "PHASE_TOOL_CALL",
        "target": "sys_os_shell",
        "data": {"name": "sys_os_shell", "arguments": {"command": "ls -la"}},
    }
}
LLM = {"event": {"type": "PHASE_LLM_REQUEST", "data": {"model": "m", "messages_count": 3, "tools_count": 5}}}
EXPORTED = 100_000
AT_ONCE = 16


@dataclass(frozen=True, kw_only=True, slots=True)
class Evaluation:
    """Milliseconds of an evaluation with so many policies: the first one after a change of them, and later
    ones; `turn` is what eight tool calls with their results and nine model requests wait for policies.
    """

    policies: int
    cold: float
    p50: float
    p99: float
    cpu: float
    turn: float


async def evaluation(
    server: Installation, connection: Connection, path: str, policies: int, count: int
) -> Evaluation:
    """Measure one length of chain."""
    cold = await timed(connection, path, CALL)
    began = server.cpu_seconds()
    times = sorted([await timed(connection, path, CALL) for _ in range(count)])
    cpu = 1000 * (server.cpu_seconds() - began) / count
    turn = 0.0
    for body in [LLM, *[CALL, CALL, LLM] * CALLS]:
        turn += await timed(connection, path, body)
    return Evaluation(
        policies=policies,
        cold=cold,
        p50=statistics.median(times),
        p99=times[int(0.99 * (len(times) - 1))],
        cpu=cpu,
        turn=turn,
    )


async def timed(connection: Connection, path: str, body: Any) -> float:
    """Milliseconds of one request."""
    began = time.perf_counter()
    answer = await connection.request("POST", path, body)
    assert answer.status == 200, answer.body
    return 1000 * (time.perf_counter() - began)


async def attach(port: int, known: int, wanted: int) -> None:
    """Server-wide policies, of which every tenth counts."""
    for number in range(known, wanted):
        body: dict[str, Any] = {"name": f"policy {number}", "type": "python", "handler": HANDLER}
        if number % 10 == 0:
            body |= {"handler": COUNTING, "factory_params": {"limit": 10**9}}
        else:
            body |= {"factory_params": {}}
        await ask(port, "POST", "/v1/policies", body)


async def export(server: Installation, path: str, wanted: int) -> dict[str, float]:
    """Fill the decision log from many connections, then read all of it."""
    first = (await ask(server.port, "GET", "/v1/policy-decisions?limit=1"))["data"]
    missing = wanted - (first[0]["seq"] if first else 0)

    async def fill(count: int) -> None:
        async with Connection(server.port) as connection:
            for _ in range(count):
                await connection.request("POST", path, CALL)

    began = time.perf_counter()
    await asyncio.gather(*(fill(max(0, missing) // AT_ONCE) for _ in range(AT_ONCE)))
    filling = time.perf_counter() - began
    memory, began = server.memory_mib(), time.perf_counter()
    async with Connection(server.port) as connection:
        answer = await connection.request("GET", "/v1/policy-decisions?format=ndjson")
    return {
        "rows": float(answer.body.count(b"\n")),
        "seconds": time.perf_counter() - began,
        "mib": len(answer.body) / 2**20,
        "evaluations_per_s": max(0, missing) / filling,
        "memory_growth_mib": server.memory_mib() - memory,
    }


async def measured(server: Installation, options: argparse.Namespace) -> dict[str, Any]:
    """Everything about one server, printed as it comes."""
    agents = (await ask(server.port, "GET", "/v1/agents?limit=100"))["data"]
    agent_id = next(agent["id"] for agent in agents if agent["harness"] == "scripted")
    made = await ask(server.port, "POST", "/v1/sessions", {"agent_id": agent_id}, expect=201)
    path = f"/v1/sessions/{made['id']}/policies/evaluate"
    rows, known = [], 0
    print(
        f"  {'policies':<10}{'cold ms':>9}{'p50 ms':>9}{'p99 ms':>9}{'cpu ms':>9}{'turn ms':>9}", flush=True
    )
    async with Connection(server.port) as connection:
        for policies in CHAINS:
            await attach(server.port, known, policies)
            known = policies
            row = await evaluation(server, connection, path, policies, options.count)
            rows.append(asdict(row))
            figures = "".join(f"{value:>9.2f}" for value in list(asdict(row).values())[1:])
            print(f"  {policies:<10}{figures}", flush=True)
    exported = await export(server, path, options.rows)
    print("  export: " + ", ".join(f"{name} {value:.1f}" for name, value in exported.items()), flush=True)
    return {"evaluations": rows, "export": exported}


def main() -> None:
    """Measure every chosen combination of server and store."""
    parser = argparse.ArgumentParser(prog="python -m bench.policies", description=__doc__)
    parser.add_argument("--server", action="append", choices=("daphne", "uvicorn"), help="default: both")
    parser.add_argument("--store", action="append", choices=("sqlite", "postgresql"), help="default: both")
    parser.add_argument("--count", type=int, default=300, help="evaluations one after the other")
    parser.add_argument("--rows", type=int, default=EXPORTED, help="decisions to export")
    parser.add_argument("--json", type=Path, help="also write the figures to this file")
    options = parser.parse_args()
    report: dict[str, Any] = {}
    for store in options.store or stores():
        for server in options.server or ["daphne", "uvicorn"]:
            name = f"{server}, {store}"
            print(name, flush=True)
            with installation(server=server, store=store) as one:
                report[name] = uvloop.run(measured(one, options))
    if options.json:
        options.json.write_text(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
