"""A plain client of the REST API, in the words of the tests."""

import json
import uuid
from collections.abc import Mapping
from types import TracebackType
from typing import Any, Self

import httpx

from tests.e2e.program import wait_for

DEFAULT_HARNESS = "scripted"


class Api:
    """One user's view of a server; every call asserts its status."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.http = httpx.Client(base_url=url, timeout=30)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()

    def get(self, path: str, **query: Any) -> Any:
        """A 200 answer's JSON."""
        answer = self.http.get(path, params=query)
        assert answer.status_code == httpx.codes.OK, f"GET {path}: {answer.status_code} {answer.text}"
        return answer.json()

    def agent_id(self, harness: str = DEFAULT_HARNESS) -> str:
        """The built-in agent of a harness."""
        agents = self.get("/v1/agents", limit=1000)["data"]
        found = [agent["id"] for agent in agents if agent["harness"] == harness]
        assert found, f"no agent with harness {harness} among {agents}"
        return str(found[0])

    def create(self, **fields: Any) -> dict[str, Any]:
        """A session on the caller's own host, unless `host_id` says otherwise."""
        body = {"agent_id": self.agent_id(), "host_id": "auto", **fields}
        answer = self.http.post("/v1/sessions", json=body)
        assert answer.status_code == httpx.codes.CREATED, f"create: {answer.status_code} {answer.text}"
        session: dict[str, Any] = answer.json()
        return session

    def post(self, session_id: str, event: Mapping[str, Any], *, key: str | None = None) -> httpx.Response:
        """Post one event; the caller looks at the answer."""
        headers = {"Content-Type": "application/json", "Idempotency-Key": key or uuid.uuid4().hex}
        content = json.dumps(event).encode()
        return self.http.post(f"/v1/sessions/{session_id}/events", content=content, headers=headers)

    def message(self, session_id: str, text: str, *, key: str | None = None) -> str:
        """Send a user message; its item id."""
        answer = self.post(session_id, message(text), key=key)
        assert answer.status_code == httpx.codes.ACCEPTED, f"message: {answer.status_code} {answer.text}"
        assert answer.json()["queued"] is True
        return str(answer.json()["item_id"])

    def interrupt(self, session_id: str) -> None:
        """Cancel the running turn."""
        answer = self.post(session_id, {"type": "interrupt"})
        assert answer.status_code == httpx.codes.ACCEPTED, f"interrupt: {answer.status_code} {answer.text}"
        assert answer.json() == {"queued": False}

    def items(self, session_id: str) -> list[dict[str, Any]]:
        """All items, oldest first, through the pages."""
        items: list[dict[str, Any]] = []
        query: dict[str, Any] = {"limit": 100}
        while True:
            page = self.get(f"/v1/sessions/{session_id}/items", **query)
            items += page["data"]
            if not page["has_more"]:
                return items
            query["after"] = page["last_id"]

    def snapshot(self, session_id: str, **query: Any) -> dict[str, Any]:
        """The session as it is now."""
        session: dict[str, Any] = self.get(f"/v1/sessions/{session_id}", **query)
        return session

    def wait_status(self, session_id: str, status: str, *, seconds: float) -> dict[str, Any]:
        """Poll until the session has a status; the snapshot that shows it."""

        def found() -> dict[str, Any] | None:
            session = self.snapshot(session_id, include_items="false", include_liveness="false")
            return session if session["status"] == status else None

        session = wait_for(found, seconds=seconds, what=f"session {status}", every=0.1)
        assert session is not None
        return session


def message(text: str) -> dict[str, Any]:
    """A user message as it is posted."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "data": {"role": "user", "content": content}}


def texts(items: list[dict[str, Any]], role: str) -> list[str]:
    """What one side said, message by message."""
    return [
        "".join(block.get("text", "") for block in item["content"])
        for item in items
        if item["type"] == "message" and item["role"] == role
    ]


def of_type(items: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    """The items of one type."""
    return [item for item in items if item["type"] == kind]
