"""A server to simulate on, and what the simulator's tests send it."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx
from django.utils import timezone

from omnigent.accounts.models import User
from omnigent.accounts.principal import Scope
from omnigent.accounts.services import tokens
from policies_app.services.decisions import NewDecision
from sessions_app.models import Session
from sessions_app.process import Process
from tests.factories import make_session
from tests.policies_rest.log import new
from tests.policies_rest.people import ASK, BLOCK_SKILLS, MAX_CALLS
from tests.stream.servers import application, running

BASE = "http://127.0.0.1:6767"
SIMULATIONS = "/v1/policy-simulations"
BACKTESTS = "/v1/policy-backtests"
CAP: Mapping[str, Any] = {
    "name": "cap",
    "type": "python",
    "handler": MAX_CALLS,
    "factory_params": {"limit": 2},
}
CARE: Mapping[str, Any] = {"name": "care", "type": "python", "handler": ASK}
GUARD: Mapping[str, Any] = {
    "name": "guard",
    "type": "python",
    "handler": BLOCK_SKILLS,
    "factory_params": {"blocked": ["deploy"]},
}

NONE = {
    "allow_to_deny": 0,
    "deny_to_allow": 0,
    "now_asks": 0,
    "ask_to_allow": 0,
    "ask_to_deny": 0,
    "unchanged": 0,
}
"""No differences."""


@dataclass(frozen=True, slots=True)
class Rig:
    """A server process and a client on its machine."""

    process: Process
    http: httpx.AsyncClient

    async def made(self, path: str, body: Any) -> dict[str, Any]:
        """What must be answered with 200."""
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        made: dict[str, Any] = answer.json()
        return made

    async def session(self) -> Session:
        """A session of the local user's."""
        session: Session = await self.process.pool.run(make_session)
        return session

    async def judged(self, session: Session, event: Mapping[str, Any]) -> str:
        """What the session's real chain says."""
        path = f"/v1/sessions/{session.public_id}/policies/evaluate"
        return str((await self.made(path, {"event": event}))["result"]).removeprefix("POLICY_ACTION_")


@asynccontextmanager
async def served() -> AsyncIterator[Rig]:
    """A server process on the test's loop."""
    transport = httpx.ASGITransport(app=application(), client=("127.0.0.1", 50000))
    async with (
        running() as process,
        httpx.AsyncClient(transport=transport, base_url=BASE, timeout=60) as client,
    ):
        yield Rig(process, client)


def tool(name: str = "fetch", /, **arguments: Any) -> dict[str, Any]:
    """A tool call as the evaluate endpoint takes it."""
    return {"type": "PHASE_TOOL_CALL", "data": {"name": name, "arguments": arguments}}


def skill(name: str) -> dict[str, Any]:
    """The loading of a skill."""
    return tool("load_skill", name=name)


def decided(
    name: str = "fetch", verdict: str = "allow", *, age: float = 60, at: int = 0, **fields: Any
) -> NewDecision:
    """A decision on a tool call, `age` seconds before now; later with a larger `at`."""
    arguments = fields.pop("arguments", {})
    kept = {
        "phase": "tool_call",
        "target": name,
        "data": {"name": name, "arguments": arguments},
        "context": {},
        "request_data": None,
    }
    moment = timezone.now() - timedelta(seconds=age) + timedelta(milliseconds=at)
    return new(
        **{"verdict": verdict, "target": name, "input": kept, "created_at": moment, "session_id": "conv_1"}
        | fields
    )


def deploys(verdict: str, **fields: Any) -> NewDecision:
    """A decision on the skill that GUARD blocks."""
    return decided("load_skill", verdict, arguments={"name": "deploy"}, **fields)


def token_of(name: str, **rights: Any) -> dict[str, str]:
    """The header by which somebody with these rights shows who they are."""
    scopes = [Scope.READ] if rights.get("is_auditor") else [Scope.READ, Scope.WRITE, Scope.ADMIN]
    user = User.objects.create_user(username=name, **rights)
    secret = tokens.issue(user=user, name="t", scopes=scopes, lifetime=None).secret
    return {"Authorization": f"Bearer {secret}"}
