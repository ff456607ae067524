"""Run by the released client's own interpreter: every call of it that programs use, each with what it gave.

Prints one JSON object: step -> result. `{"error": …}` stands for a call that raised.
"""

import asyncio
import dataclasses
import io
import json
import sys
import tarfile
import tempfile
import uuid
from pathlib import Path

import httpx

from omnigent_client import OmnigentClient

CONFIG = b"""spec_version: 1
name: interop-bundle
description: An agent of a bundle
prompt: Be brief.
executor:
  type: omnigent
  config:
    harness: scripted
"""


def bundle() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        entry = tarfile.TarInfo("config.yaml")
        entry.size = len(CONFIG)
        archive.addfile(entry, io.BytesIO(CONFIG))
    return buffer.getvalue()


def plain(value):
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if hasattr(value, "model_dump"):
        return value.model_dump(mode="json")
    if isinstance(value, dict):
        return {str(key): plain(entry) for key, entry in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(entry) for entry in value]
    return value


class Journey:
    """The results so far, under the names of their steps."""

    def __init__(self) -> None:
        self.results: dict[str, object] = {}

    async def step(self, name, awaitable):
        """Await one call and keep what it gave."""
        try:
            found = await asyncio.wait_for(awaitable, 60)
        except Exception as error:  # noqa: BLE001 - whatever the client raises is the step's result
            self.results[name] = {"error": f"{type(error).__name__}: {error}"}
            return None
        self.results[name] = plain(found)
        return found


async def collect(stream, until):
    seen = []
    async for event in stream:
        seen.append(plain(event))
        if until(seen[-1]):
            break
    return seen


def is_over(event) -> bool:
    return event.get("type") in ("response.completed", "response.failed", "response.cancelled")


def message(text: str) -> dict:
    content = [{"type": "input_text", "text": text}]
    return {"type": "message", "data": {"role": "user", "content": content}}


async def streamed(client, session_id: str, text: str, *, on_delta=None):
    """Subscribe, post, and read to the end of the turn."""
    events = client.sessions.stream(session_id)
    posted = False
    seen = []
    async for event in events:
        shown = plain(event)
        seen.append(shown)
        if not posted:
            posted = True
            await client.sessions.post_event(session_id, message(text))
        if shown.get("type") == "response.output_text.delta" and on_delta is not None:
            await on_delta()
            on_delta = None
        if is_over(shown):
            return seen
    return seen


async def journey(url: str) -> dict[str, object]:
    """Everything in order."""
    run = Journey()
    async with httpx.AsyncClient(base_url=url, timeout=30) as http:
        agents = (await http.get("/v1/agents", params={"limit": 1000})).json()["data"]
        agent = next(row["id"] for row in agents if row["harness"] == "scripted")
        made = await http.post("/v1/sessions", json={"agent_id": agent, "host_id": "auto"})
        hosted = made.json()["id"]
    run.results["hosted"] = hosted
    async with OmnigentClient(base_url=url) as client:
        await settings(run, client, agent, hosted)
        await turns(run, client, hosted)
        await approvals(run, client, url, hosted)
        await run.step("files", files(client, hosted))
        await run.step("list_archived", client.sessions.list(visibility="archived"))
        await run.step("get_missing", client.sessions.get("conv_" + "0" * 32))
        await run.step("stale_cursor", client.sessions.list(after="conv_" + "0" * 32))
    return run.results


async def settings(run, client, agent: str, hosted: str) -> None:
    """Make sessions in both ways, find them, change them."""
    sessions = client.sessions
    made = await run.step("create", sessions.create(bundle(), title="From a bundle", labels={"a": "b"}))
    other = await run.step("create_from_agent_id", sessions.create_from_agent_id(agent, title="T"))
    await run.step("get", sessions.get(hosted))
    await run.step("list", sessions.list(limit=50))
    await run.step("list_by_agent", sessions.list(agent_name="interop-bundle", sort_by="updated_at"))
    await run.step("set_reasoning_effort", sessions.set_reasoning_effort(hosted, reasoning_effort="low"))
    await run.step("set_model_override", sessions.set_model_override(hosted, model_override="model-x"))
    await run.step("set_external", sessions.set_external_session_id(made.id, external_session_id="x-1"))
    runner = await run.step("resolve_online_runner", sessions.resolve_online_runner())
    await run.step("bind_runner", sessions.bind_runner(other.id, runner_id=runner))
    await run.step("unbind_runner", sessions.unbind_runner(other.id))
    await run.step("set_archived", sessions.set_archived(made.id, archived=True))


async def turns(run, client, hosted: str) -> None:
    """Talk, interrupt, and look at what was said."""
    sessions = client.sessions

    async def interrupt():
        await sessions.interrupt(hosted)

    await run.step("turn", streamed(client, hosted, "Count to 3 slowly"))
    await run.step("interrupted", streamed(client, hosted, "Count to 60 slowly", on_delta=interrupt))
    await run.step("again", streamed(client, hosted, "Hello"))
    page = await run.step("list_items", sessions.list_items(hosted, limit=5))
    await run.step("list_items_next", sessions.list_items(hosted, limit=5, after=page.last_id))
    await run.step("compact", sessions.compact(hosted))
    await run.step("fork", sessions.fork(hosted, title="Forked"))
    await run.step("child_sessions", sessions.child_sessions(hosted))


async def approvals(run, client, url: str, hosted: str) -> None:
    """Answer a question, and one that nobody asked."""
    sessions = client.sessions
    form = {"message": "Which one?", "requestedSchema": {"type": "object", "properties": {}}}
    asked = await run.step("ask", sessions.post_event(hosted, {"type": "mcp_elicitation", "data": form}))
    verdict = {"action": "accept", "content": {"which": "this"}}
    elicitation_id = (asked or {}).get("elicitation_id", "none")
    await run.step("resolve", sessions.resolve_elicitation(hosted, elicitation_id, verdict))
    await run.step("still_asked", pending(url, hosted))
    unknown = f"elicit_{uuid.uuid4().hex}"
    await run.step("resolve_unknown", sessions.resolve_elicitation(hosted, unknown, verdict))


async def pending(url: str, session_id: str):
    """What the session still asks; the client has no word for it."""
    async with httpx.AsyncClient(base_url=url) as http:
        return (await http.get(f"/v1/sessions/{session_id}")).json()["pending_elicitations"]


async def files(client, session_id: str):
    """Upload, list, read and delete one file."""
    space = client.files.for_session(session_id)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory) / "notes.txt"
        path.write_text("Some notes.\n")
        uploaded = await space.upload(str(path))
    listed = await space.list()
    content = await space.get_content(uploaded.id)
    await space.delete(uploaded.id)
    left = await space.list()
    return {
        "uploaded": plain(uploaded),
        "listed": plain(listed),
        "content": content.decode(),
        "left": plain(left),
    }


if __name__ == "__main__":
    sys.stdout.write(json.dumps(asyncio.run(journey(sys.argv[1])), default=str))
