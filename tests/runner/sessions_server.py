"""A server as the tools see it that look after sessions, and an agent that has sub-agents."""

import json
from typing import Any

import httpx

from omnigent.spec.types import AgentSpec, AgentTool, OsEnv, Sandbox

Json = dict[str, Any]
SPEC = AgentSpec(
    name="lead",
    os_env=OsEnv(sandbox=Sandbox(type="none")),
    callable_agents=("helper",),
    agent_tools=(AgentTool(name="helper", agent="helper", max_sessions=1),),
)
SENT = {"queued": True, "item_id": "item_1"}


class SessionsServer:
    """Sub-agents' rows, items and what was posted; every other answer is the one given for its last part."""

    def __init__(self, **answers: tuple[int, Json]) -> None:
        self.answers = answers
        self.children: list[Json] = []
        self.items: list[Json] = []
        self.posted: list[tuple[str, str, Json, str]] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path, last = request.url.path, request.url.path.rsplit("/", 1)[-1]
        if last == "token":
            return httpx.Response(404)
        if request.method != "GET":
            body = json.loads(request.content)
            self.posted.append((request.method, path, body, request.headers.get("Idempotency-Key", "")))
        if last in self.answers:
            status, answer = self.answers[last]
            return httpx.Response(status, json=answer)
        if last == "child_sessions":
            return httpx.Response(200, json={"data": self._named(request.url.params), "has_more": False})
        if last == "items":
            return httpx.Response(200, json=self._page(request.url.params))
        if request.method == "POST" and last == "sessions":
            return httpx.Response(201, json={"id": "conv_child"})
        if last == "events":
            return httpx.Response(202, json=SENT)
        return httpx.Response(200, json={"id": last, "agent_id": "ag_1", "status": "idle"})

    def _named(self, query: httpx.QueryParams) -> list[Json]:
        wanted = query.get("session_name")
        return [row for row in self.children if wanted is None or row["session_name"] == wanted]

    def _page(self, query: httpx.QueryParams) -> Json:
        ids = [item["id"] for item in self.items]
        start = ids.index(query["after"]) + 1 if "after" in query else 0
        page = self.items[start:]
        if query.get("order") == "desc":
            page = page[::-1]
        return {"data": page, "has_more": False, "last_id": page[-1]["id"] if page else None}

    def to(self, last: str) -> list[Json]:
        return [body for _, path, body, _ in self.posted if path.endswith(last)]
