"""What the pictures of the policy screen show: policies, a question that waits, days of decisions."""

import subprocess
import sys
from collections.abc import Mapping
from typing import Any

from tests.e2e.program import wait_for
from tests.e2e.stack import Stack

BUILTINS = "omnigent.policies.builtins"
POLICIES: tuple[Mapping[str, Any], ...] = (
    {"name": "ask_on_os_tools", "handler": "omnigent.policies.ask_on_os_tools"},
    {
        "name": "no_deploy_skills",
        "handler": f"{BUILTINS}.safety.block_skills",
        "factory_params": {"blocked": ["deploy", "release"]},
    },
    {
        "name": "blast_radius",
        "handler": f"{BUILTINS}.orchestration.blast_radius",
        "factory_params": {"gate_pushes": True, "risky_action": "ASK"},
    },
    {
        "name": "session_budget",
        "handler": f"{BUILTINS}.cost.cost_budget",
        "factory_params": {"max_cost_usd": 20, "ask_thresholds_usd": [5, 10]},
        "mode": "shadow",
    },
)
SETTINGS = {"DJANGO_SETTINGS_MODULE": "omnigent.settings"}
WAIT_SECONDS = 40.0


def populate(stack: Stack) -> dict[str, str]:
    """Over HTTP, but for the decisions of days that are over. Gives what the pictures' paths name."""
    environ = {**stack.servers[0].environ, **SETTINGS}
    subprocess.run([sys.executable, "-m", "scripts.past_decisions"], env=environ, check=True)
    made = [_made(stack, policy) for policy in POLICIES]
    skills = made[1]["id"]
    for name in ("no_deploy_skill", "no_deploy_skills"):
        stack.api.http.patch(f"/v1/policies/{skills}", json={"name": name}).raise_for_status()
    session_id = str(stack.api.create(title="Try the release script")["id"])
    stack.api.message(session_id, "Run the shell command: make release")
    wait_for(
        lambda: stack.api.snapshot(session_id)["pending_elicitations"],
        seconds=WAIT_SECONDS,
        what="a question",
    )
    asked = stack.api.get("/v1/policy-decisions", verdict="ask", limit=1)["data"][0]
    return {"decision": str(asked["seq"]), "history": str(skills), "policy": "2"}


def _made(stack: Stack, policy: Mapping[str, Any]) -> dict[str, Any]:
    answer = stack.api.http.post("/v1/policies", json={"type": "python", **policy})
    answer.raise_for_status()
    made: dict[str, Any] = answer.json()
    return made
