"""A session's own sub-agents: found by title or made, told what to do, and counted."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from omnigent.runner.api import ServerApi
from omnigent.runner.remote import sessions
from omnigent.runner.rooms import Home
from omnigent.runner.tools.answers import Refused, asked
from omnigent.runner.tools.base import ToolError

LAUNCH_SECONDS: Final = 180.0
CONFLICT: Final = 409
BUDGET_HANDLER: Final = "omnigent.policies.builtins.cost.subagent_cost_budget"
BUDGET_NAME: Final = "sub-agent budget"
EFFORTS: Final = ("none", "minimal", "low", "medium", "high", "xhigh", "max", "ultra")

Row = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Task:
    """What a sub-agent is to do, and with what."""

    text: str
    model: str | None = None
    effort: str | None = None
    file_ids: Sequence[str] = ()
    budget: Mapping[str, Any] = field(default_factory=dict)


class Family:
    """The sub-agents of one session. Two calls at once never make the same one twice."""

    def __init__(self, home: Home) -> None:
        self._id = home.session_id
        self._api: ServerApi = home.runtime.api
        self._making = asyncio.Lock()

    async def close(self) -> None:
        """The server has everything."""

    async def member(
        self,
        agent: str,
        name: str,
        task: Task,
        *,
        most: int | None,
        initial_items: Sequence[Mapping[str, Any]] = (),
    ) -> str:
        """The id of the sub-agent's session with this title, made when there is none. Raises ToolError."""
        async with self._making:
            row = await asked(sessions.child_named(self._api, self._id, agent, name))
            if row is None or not row.get("busy"):
                await self._require_room(agent, most)
            if row is not None:
                await self._change(str(row["id"]), task)
                return str(row["id"])
            own = await asked(sessions.session(self._api, self._id))
            body = {"agent_id": own.get("agent_id"), "sub_agent_name": agent, **self.settings(task)}
            if initial_items:
                body["initial_items"] = list(initial_items)
            return await self.make({**body, "title": f"{agent}:{name}"}, task)

    async def make(self, body: Mapping[str, Any], task: Task, bundle: bytes | None = None) -> str:
        """A new session below this one. Raises ToolError, also when its title is taken."""
        whole = {**body, "parent_session_id": self._id}
        key = secrets.token_hex(16)
        if bundle is None:
            made = await asked(sessions.create(self._api, whole, key=key), LAUNCH_SECONDS)
        else:
            made = await asked(sessions.upload(self._api, whole, bundle, key=key), LAUNCH_SECONDS)
        child_id = str(made.get("session_id") or made["id"])
        await self._limit(child_id, task)
        return child_id

    def settings(self, task: Task) -> dict[str, Any]:
        """What a new session has of its own."""
        wanted = {"model_override": task.model, "reasoning_effort": task.effort}
        return {key: value for key, value in wanted.items() if value is not None}

    async def tell(self, session_id: str, task: Task, *, dispatch: bool) -> Mapping[str, Any]:
        """Post the task; with `dispatch` this session is told how it ends. The server's answer."""
        content: list[dict[str, Any]] = [{"type": "input_text", "text": task.text}]
        if task.file_ids:
            copies = await asked(
                sessions.copy_files(
                    self._api,
                    session_id,
                    source_id=self._id,
                    file_ids=task.file_ids,
                    key=secrets.token_hex(16),
                )
            )
            content += [_block(copy) for copy in copies]
        data = {
            "role": "user",
            "content": content,
            "stable_id": secrets.token_hex(16),
            **({"dispatch": True} if dispatch else {}),
        }
        event = {"type": "message", "data": data}
        posting = sessions.post(
            self._api, session_id, event, key=secrets.token_hex(16), seconds=LAUNCH_SECONDS
        )
        return await asked(posting, LAUNCH_SECONDS)

    async def interrupt(self, session_id: str) -> None:
        """Stop what a session runs."""
        event = {"type": "interrupt", "data": {}}
        await asked(sessions.post(self._api, session_id, event, key=secrets.token_hex(16), seconds=60.0))

    async def _require_room(self, agent: str, most: int | None) -> None:
        if most is None:
            return
        rows = await asked(sessions.children(self._api, self._id))
        busy = sum(1 for row in rows if row.get("tool") == agent and row.get("busy"))
        if busy >= most:
            raise ToolError(f"{agent}: {busy} sessions are at work, and at most {most} may be at one time")

    async def _change(self, child_id: str, task: Task) -> None:
        changes = self.settings(task)
        if changes:
            await asked(sessions.change(self._api, child_id, changes, key=secrets.token_hex(16)))
        await self._limit(child_id, task)

    async def _limit(self, child_id: str, task: Task) -> None:
        """Put the budget on the sub-agent's session; one that it has already stays as it is."""
        if not task.budget:
            return
        policy = {
            "name": BUDGET_NAME,
            "type": "python",
            "handler": BUDGET_HANDLER,
            "factory_params": dict(task.budget),
        }
        try:
            await asked(sessions.add_policy(self._api, child_id, policy, key=secrets.token_hex(16)))
        except Refused as refusal:
            if refusal.status != CONFLICT:
                raise


def _block(copy: Row) -> dict[str, Any]:
    kind = "input_image" if str(copy.get("content_type", "")).startswith("image/") else "input_file"
    return {"type": kind, "file_id": copy["new_id"]}


def task_of(given: object) -> Task:
    """The `args` of a message to a sub-agent: a text, or an object with `input`. Raises ToolError."""
    if isinstance(given, str):
        given = {"input": given}
    if not isinstance(given, Mapping) or not isinstance(given.get("input"), str) or not given["input"]:
        raise ToolError("args: a text is required, or an object with `input`")
    effort = _text(given, "reasoning_effort")
    if effort is not None and effort not in EFFORTS:
        raise ToolError(f"args.reasoning_effort: one of {', '.join(EFFORTS)} is required")
    files = given.get("file_ids") or []
    if not isinstance(files, list) or not all(isinstance(one, str) for one in files):
        raise ToolError("args.file_ids: a list of file ids is required")
    budget = given.get("cost_budget") or {}
    if not isinstance(budget, Mapping):
        raise ToolError("args.cost_budget: an object is required")
    return Task(
        text=given["input"], model=_text(given, "model"), effort=effort, file_ids=files, budget=budget
    )


def _text(given: Mapping[str, Any], name: str) -> str | None:
    value = given.get(name)
    if value is not None and not isinstance(value, str):
        raise ToolError(f"args.{name}: a text is required")
    return value or None
