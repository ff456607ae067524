"""The API as these tests use it: attach policies, evaluate, call tools, ask and answer."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import httpx
import orjson

from policies_app.models import Decision
from sessions_app.models import HeldAction, PolicyMemory, SessionLabel
from tests.api_plumbing.asgi_client import Reply, http_scope
from tests.inputs.rig import Rig, said
from tests.inputs.waiting import eventually, until
from tests.policing import handlers

HERE = handlers.__name__
ALLOW, DENY, ASK = "POLICY_ACTION_ALLOW", "POLICY_ACTION_DENY", "POLICY_ACTION_ASK"
WIRE = {
    "request": "PHASE_REQUEST",
    "tool_call": "PHASE_TOOL_CALL",
    "tool_result": "PHASE_TOOL_RESULT",
    "llm_request": "PHASE_LLM_REQUEST",
    "llm_response": "PHASE_LLM_RESPONSE",
}

Json = Mapping[str, Any]


def a_call(name: str = "Bash", /, **arguments: Any) -> dict[str, Any]:
    """A tool call as the evaluate endpoint takes it."""
    return {"type": "PHASE_TOOL_CALL", "data": {"name": name, "arguments": arguments}}


def deny(reason: str, **more: Any) -> dict[str, Any]:
    return {"result": "DENY", "reason": reason, **more}


def ask(reason: str, **more: Any) -> dict[str, Any]:
    return {"result": "ASK", "reason": reason, **more}


def allow(**more: Any) -> dict[str, Any]:
    return {"result": "ALLOW", **more}


@dataclass(frozen=True, kw_only=True, slots=True)
class Policed(Rig):
    """A server, a client of it, and policies."""

    async def attach(
        self, session_id: str, name: str, handler: str = "says", *, more: Json | None = None, **params: Any
    ) -> str:
        """Give a session a policy; its id."""
        return await self._attach(f"/v1/sessions/{session_id}/policies", name, handler, more, params)

    async def everywhere(
        self, name: str, handler: str = "says", *, more: Json | None = None, **params: Any
    ) -> str:
        """Give all sessions a policy; its id."""
        return await self._attach("/v1/policies", name, handler, more, params)

    async def _attach(self, path: str, name: str, handler: str, more: Json | None, params: Json) -> str:
        dotted = handler if "." in handler else f"{HERE}.{handler}"
        body = {"name": name, "type": "python", "handler": dotted, **(more or {})}
        if params:
            body["factory_params"] = dict(params)
        answer = await self.http.post(path, json=body)
        assert answer.status_code == 200, answer.text
        return str(answer.json()["id"])

    async def evaluate(self, session_id: str, event: Any, **more: Any) -> httpx.Response:
        """Ask the evaluate endpoint; `headers` go with the request, the rest into the body."""
        headers = more.pop("headers", None)
        body = {"event": event, **more}
        return await self.http.post(
            f"/v1/sessions/{session_id}/policies/evaluate", json=body, headers=headers
        )

    async def verdict(self, session_id: str, event: Any, **more: Any) -> dict[str, Any]:
        """The verdict on an event."""
        answer = await self.evaluate(session_id, event, **more)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def mcp(self, session_id: str, params: Any, **envelope: Any) -> dict[str, Any]:
        """A JSON-RPC call of a tool, at the server's gate."""
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params, **envelope}
        answer = await self.http.post(f"/v1/sessions/{session_id}/mcp", json=body)
        assert answer.status_code == 200, answer.text
        return dict(answer.json())

    async def use(
        self, session_id: str, name: str = "Bash", /, *, operation: str = "mcpop_1", **arguments: Any
    ) -> dict[str, Any]:
        """Call a tool as a runner does."""
        params = {"name": name, "arguments": arguments, "_omnigent_operation_id": operation}
        return await self.mcp(session_id, params)

    async def pending(self, session_id: str) -> list[dict[str, Any]]:
        """The questions that the snapshot shows."""
        return list((await self.snapshot(session_id))["pending_elicitations"])

    async def question(self, session_id: str, *, besides: str = "") -> dict[str, Any]:
        """Wait for a question, other than one that was seen before."""

        async def open_one() -> dict[str, Any] | None:
            shown = [one for one in await self.pending(session_id) if one["elicitation_id"] != besides]
            return shown[0] if shown else None

        found = await eventually(open_one, "a question is open")
        assert found is not None
        return found

    async def answer(
        self, session_id: str, elicitation_id: str, action: str = "accept", **options: Any
    ) -> httpx.Response:
        """Answer a question by its address."""
        url = f"/v1/sessions/{session_id}/elicitations/{elicitation_id}/resolve"
        return await self.http.post(url, json={"action": action}, **options)

    async def settle(self, session_id: str, action: str = "accept") -> str:
        """Wait for the question and answer it in-band; its id."""
        elicitation_id = str((await self.question(session_id))["elicitation_id"])
        data = {"elicitation_id": elicitation_id, "action": action}
        answer = await self.post(session_id, {"type": "approval", "data": data})
        assert (answer.status_code, answer.json()) == (202, {"queued": False})
        return elicitation_id

    async def decisions(self) -> list[Decision]:
        """The decision log, oldest first."""
        return await self.run(lambda: list(Decision.objects.order_by("seq")))

    async def remembered(self, session_id: str) -> dict[str, Any]:
        """What policies remember of a session."""

        def read() -> dict[str, Any]:
            found = PolicyMemory.objects.filter(session__public_id=session_id).first()
            return {} if found is None else dict(found.state)

        return await self.run(read)

    async def labels(self, session_id: str) -> dict[str, str]:
        def read() -> dict[str, str]:
            rows = SessionLabel.objects.filter(session__public_id=session_id)
            return dict(rows.values_list("key", "value"))

        return await self.run(read)

    async def held(self) -> list[HeldAction]:
        """Everything that was ever held, oldest first."""
        return await self.run(lambda: list(HeldAction.objects.order_by("id")))

    def waits(self, work: Any) -> "asyncio.Task[Any]":
        """Start something that has to wait for a person."""
        return asyncio.ensure_future(work)

    async def parked(self, session_id: str, text: str, **more: Any) -> "asyncio.Task[Any]":
        """Post a message about which somebody is asked; the call that waits."""
        waiting = self.waits(self.post(session_id, said(text), **more))
        await self.question(session_id)
        return waiting


class Line:
    """One POST whose client can hang up before it is answered."""

    def __init__(self, app: Any, path: str, body: Any, **headers: str) -> None:
        self.reply = Reply()
        self._incoming: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        content = {"type": "http.request", "body": orjson.dumps(body), "more_body": False}
        self._incoming.put_nowait(content)
        scope = http_scope("POST", path, {"content-type": "application/json", **headers})
        self._serving = asyncio.ensure_future(app(scope, self._incoming.get, self._send))

    async def _send(self, message: Any) -> None:
        self.reply.messages.append(dict(message))

    async def hang_up(self) -> None:
        """The client goes; nothing was answered."""
        self._incoming.put_nowait({"type": "http.disconnect"})
        await asyncio.wait_for(self._serving, 30)
        assert not self.reply.messages

    async def answered(self) -> Reply:
        """The whole answer."""
        await until(lambda: self._serving.done(), "the request is answered")
        return self.reply
