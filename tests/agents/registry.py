"""The API of agents as its tests use it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import yaml

from agents_app.models import Agent
from agents_app.storage import read_bundle
from omnigent.spec import bundle
from sessions_app.models import LogEntry
from tests.inputs.door import Door

T = TypeVar("T")

CONFIG: Mapping[str, Any] = {
    "spec_version": 1,
    "name": "mine",
    "description": "A helper",
    "executor": {"type": "omnigent", "config": {"harness": "scripted"}},
    "instructions": "Help.",
}
SINGLE: Mapping[str, Any] = {"name": "mine", "prompt": "Help.", "executor": {"harness": "scripted"}}


def directory(files: Mapping[str, bytes] | None = None, **config: Any) -> bytes:
    """A bundle with a config.yaml."""
    return bundle.pack({"config.yaml": yaml.safe_dump({**CONFIG, **config}).encode(), **(files or {})})


def single(**document: Any) -> bytes:
    """A bundle of one YAML file."""
    return bundle.pack({"agent.yaml": yaml.safe_dump({**SINGLE, **document}).encode()})


@dataclass(frozen=True, kw_only=True, slots=True)
class Registry:
    """One caller of a server."""

    http: httpx.AsyncClient
    door: Door

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call something synchronous on a database thread."""
        return await self.door.process.pool.run(function, *args, **kwargs)

    async def post(self, data: bytes, **headers: str) -> httpx.Response:
        """POST /v1/agents."""
        return await self.http.post("/v1/agents", files=part(data), headers=headers)

    async def put(self, session_id: str, data: bytes, **headers: str) -> httpx.Response:
        """PUT the session's agent."""
        return await self.http.put(f"/v1/sessions/{session_id}/agent", files=part(data), headers=headers)

    async def kept(self, data: bytes) -> dict[str, Any]:
        """An agent that must be taken."""
        answer = await self.post(data)
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def session(self, agent_id: str) -> str:
        """A session with an agent; its id."""
        answer = await self.http.post("/v1/sessions", json={"agent_id": agent_id})
        assert answer.status_code == 201, answer.text
        return str(answer.json()["id"])

    async def uploaded(self, data: bytes) -> dict[str, Any]:
        """A session that brings its agent along; its snapshot."""
        fields = {"metadata": "{}"}
        answer = await self.http.post("/v1/sessions", data=fields, files=part(data))
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def agent(self, session_id: str) -> dict[str, Any]:
        """The session's agent."""
        answer = await self.http.get(f"/v1/sessions/{session_id}/agent")
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
        return found

    async def files(self, session_id: str) -> dict[str, bytes]:
        """What the session's runner would load."""
        answer = await self.http.get(f"/v1/sessions/{session_id}/agent/contents")
        assert answer.status_code == 200, answer.text
        return bundle.unpack(answer.content)

    async def events(self, session_id: str) -> list[str]:
        """The types of the events of a session, from its log on."""
        return await self.run(logged, session_id)


def part(data: bytes) -> dict[str, tuple[str, bytes, str]]:
    """The part of a multipart body that holds a bundle."""
    return {"bundle": ("agent.tar.gz", data, "application/gzip")}


def logged(session_id: str) -> list[str]:
    """The types of the events in a session's log."""
    rows = LogEntry.objects.filter(session__public_id=session_id).order_by("seq")
    return list(rows.values_list("type", flat=True))


def stored(agent_id: str) -> bytes:
    """The bundle of an agent as it lies in the store."""
    return read_bundle(Agent.objects.get(public_id=agent_id).digest)
