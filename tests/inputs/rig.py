"""The API as the tests of input use it: post, look, and compare with what is stored."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx
import orjson

from sessions_app.models import Item, LogEntry, Outbox, Receipt, Runner, Session
from sessions_app.process import Process
from tests.factories import make_session
from tests.inputs.door import Door
from tests.inputs.fake_host import FakeHost
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.waiting import eventually

T = TypeVar("T")

COUNTED = (Item, LogEntry, Outbox, Receipt)


def said(text: str, **data: Any) -> dict[str, Any]:
    """The body of a user's message."""
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "data": {"role": "user", "content": content, **data}}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rig:
    """A server and a client of it."""

    door: Door
    http: httpx.AsyncClient

    @property
    def process(self) -> Process:
        """The process that serves now."""
        return self.door.process

    async def run(self, function: Callable[..., T], *args: Any, **kwargs: Any) -> T:
        """Call something synchronous on a database thread."""
        return await self.process.pool.run(function, *args, **kwargs)

    async def session(self, **fields: Any) -> str:
        """A session without runner and host; its id."""
        return (await self.run(make_session, **fields)).public_id

    async def bound(self, runner: FakeRunner, **fields: Any) -> str:
        """A session bound to a runner that is online."""
        await self.known(runner)
        return await self.session(runner_id=runner.runner_id, **fields)

    async def known(self, runner: FakeRunner) -> None:
        """Wait until the server has registered the runner's tunnel."""
        await eventually(lambda: self.is_online(runner.runner_id), f"{runner.runner_id} is online")

    async def is_online(self, runner_id: str) -> bool:
        answer = await self.http.get(f"/v1/runners/{runner_id}/status")
        return answer.status_code == 200 and answer.json()["online"] is True

    async def hosted(self, host: FakeHost, **fields: Any) -> str:
        """A session on a host that is online, with no runner yet."""
        await self.known_host(host)
        return await self.session(host_id=host.host_id, workspace="/tmp", **fields)

    async def known_host(self, host: FakeHost) -> None:
        """Wait until the server has registered the host's tunnel."""
        await eventually(lambda: self._host_is_online(host.host_id), "the host is online")

    async def _host_is_online(self, host_id: str) -> bool:
        rows = (await self.http.get("/v1/hosts")).json()["hosts"]
        return any(row["host_id"] == host_id and row["status"] == "online" for row in rows)

    async def post(
        self, session_id: str, body: Any, *, key: str | None = None, token: str | None = None
    ) -> httpx.Response:
        """POST events; `body` is JSON or raw bytes."""
        headers = {"Content-Type": "application/json"}
        if key is not None:
            headers["Idempotency-Key"] = key
        if token is not None:
            headers["X-Omnigent-Runner-Tunnel-Token"] = token
        content = body if isinstance(body, bytes) else orjson.dumps(body)
        return await self.http.post(f"/v1/sessions/{session_id}/events", content=content, headers=headers)

    async def say(self, session_id: str, text: str, **more: Any) -> str:
        """Post a message that must be taken; its item id."""
        answer = await self.post(session_id, said(text), **more)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["item_id"])

    async def snapshot(self, session_id: str) -> Mapping[str, Any]:
        answer = await self.http.get(f"/v1/sessions/{session_id}")
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def status(self, session_id: str) -> str:
        return str((await self.snapshot(session_id))["status"])

    async def becomes(self, session_id: str, word: str) -> Mapping[str, Any]:
        """Wait for a status; the snapshot then."""

        async def reached() -> Mapping[str, Any] | None:
            shown = await self.snapshot(session_id)
            return shown if shown["status"] == word else None

        return await eventually(reached, f"status {word}")  # type: ignore[return-value]  # it waits for a true value

    async def items(self, session_id: str) -> list[dict[str, Any]]:
        answer = await self.http.get(f"/v1/sessions/{session_id}/items?limit=1000")
        return list(answer.json()["data"])

    async def log(self, session_id: str) -> list[tuple[str, dict[str, Any]]]:
        """The session's log: (event type, event)."""

        def read() -> list[tuple[str, dict[str, Any]]]:
            rows = LogEntry.objects.filter(session__public_id=session_id).order_by("seq")
            return [(row.type, orjson.loads(row.data)) for row in rows]

        return await self.run(read)

    async def log_types(self, session_id: str) -> list[str]:
        return [kind for kind, _ in await self.log(session_id)]

    async def delivered(self, session_id: str) -> None:
        """Wait until nothing is left in the session's outbox."""

        def is_empty() -> bool:
            return not Outbox.objects.filter(session__public_id=session_id).exists()

        await eventually(lambda: self.run(is_empty), "the outbox is empty")

    async def counts(self) -> list[int]:
        """How many rows there are of what an input could leave behind."""
        return await self.run(lambda: [model.objects.count() for model in COUNTED])  # type: ignore[attr-defined]  # the stubs know no manager of a model in general

    async def row(self, session_id: str) -> Session:
        return await self.run(Session.objects.get, public_id=session_id)

    async def runner_row(self, runner_id: str) -> Runner:
        return await self.run(Runner.objects.get, public_id=runner_id)
