"""Codex's own tools, commands and patches, at the desk: asked about before they run, settled afterwards."""

import json
import shlex
from collections.abc import Mapping, Sequence
from typing import Any, Final

from omnigent.runner.harnesses.base import ApprovalRequest, ModelError, ToolCall
from omnigent.runner.harnesses.engine import Desk, EngineSettings
from omnigent.runner.policy_gate import Verdict

# The names that policies know such tools by.
COMMAND: Final = "Bash"
PATCH: Final = "Edit"
_SHELL_FLAGS: Final = frozenset({"-c", "-lc", "-ic"})
# Codex is silent about commands that go on in the background and about those that its sandbox stopped.
_UNTOLD: Final = "[Codex did not tell how it ended: it still runs, or the sandbox stopped it.]"
_KEPT_CHARACTERS: Final = 1024 * 1024
_OUTSIDE: Final = "outside the sandbox"
ALLOWED: Final = Verdict(is_allowed=True)
NOT_HERE: Final = Verdict(is_allowed=False, reason="this agent may not use tools of Codex")

Item = Mapping[str, Any]


class Suppressed(ModelError):
    """The policies keep an output from the model that Codex has put into its thread already."""

    def __init__(self, message: str) -> None:
        super().__init__("policy_denied", message)


class Workshop:
    """The own tools of one turn, by the id of their item."""

    def __init__(self, desk: Desk, settings: EngineSettings, *, is_confined: bool) -> None:
        self._desk = desk
        self._workspace = settings.workspace.resolve()
        self._has_tools = settings.own_tools
        self._is_confined = is_confined
        self._items: dict[str, Item] = {}
        self._open: dict[str, ToolCall] = {}
        self._refusals: dict[str, str] = {}
        self._outputs: dict[str, list[str]] = {}

    @property
    def is_busy(self) -> bool:
        """Whether a tool runs, so that Codex may be silent."""
        return bool(self._open)

    def begun(self, item: Item) -> None:
        """Codex tells of a tool; an approval for it names no more than its id."""
        self._items[str(item.get("id"))] = item

    def printed(self, item_id: str, text: str) -> None:
        """A command printed something."""
        self._outputs.setdefault(item_id, []).append(text)

    async def decide(self, params: Mapping[str, Any]) -> Verdict:
        """What becomes of a tool that Codex asks an approval for."""
        item_id = str(params.get("itemId"))
        if not self._has_tools:
            return NOT_HERE
        if params.get("kind") == "writeStdin":
            return await self._typed(params)
        item = self._items.get(item_id, {})
        verdict = ALLOWED
        if item_id not in self._open:
            call = _call(item_id, {**item, **{name: params[name] for name in _TOLD if params.get(name)}})
            self._open[item_id] = call
            verdict = await self._desk.permit(call)
            if not verdict.is_allowed:
                self._refusals[item_id] = verdict.refusal
        if verdict.is_allowed and (reason := self._leaving(item, params)):
            verdict = await self._ask(item_id, reason)
        return verdict

    async def ended(self, item: Item) -> None:
        """Store how a tool ended. Raises Suppressed, after which the turn cannot go on."""
        if not self._has_tools:
            if item.get("status") == "declined":
                return
            raise Suppressed(NOT_HERE.refusal)
        item_id = str(item.get("id"))
        call = self._open.pop(item_id, None)
        if call is None:
            call = _call(item_id, item)
            late = await self._desk.permit(call)
            verdict = await self._desk.settle(call, late.refusal or _output(item))
            if not late.is_allowed:
                raise Suppressed(late.refusal)
        else:
            output = self._refusals.pop(item_id, "") or _output(item)
            verdict = await self._desk.settle(call, output)
        if not verdict.is_allowed:
            raise Suppressed(verdict.refusal)

    async def leave(self) -> None:
        """The turn has ended: settle the commands of whose end Codex told nothing."""
        while self._open:
            item_id, call = self._open.popitem()
            output = "".join(self._outputs.get(item_id, []))[-_KEPT_CHARACTERS:]
            await self._desk.settle(call, f"{output}\n{_UNTOLD}".strip())

    def _leaving(self, item: Item, params: Mapping[str, Any]) -> str:
        """Why this would run without the sandbox; empty when it would not."""
        if not self._is_confined:
            return ""
        if (
            params.get("reason")
            or params.get("additionalPermissions")
            or params.get("networkApprovalContext")
        ):
            return str(params.get("reason") or "It asks for more permissions.")
        paths = [_path(change) for change in _changes(item)]
        outside = [
            path for path in paths if not (self._workspace / path).resolve().is_relative_to(self._workspace)
        ]
        return f"It changes {', '.join(outside)}." if outside else ""

    async def _ask(self, item_id: str, reason: str) -> Verdict:
        call = self._open[item_id]
        answer = await self._desk.ask(
            ApprovalRequest(
                elicitation_id=f"elicit_codex_{item_id}",
                message=f"Codex asks to run this {_OUTSIDE}: {reason}",
                preview=call.arguments,
            )
        )
        if answer == "accept":
            return ALLOWED
        verdict = Verdict(is_allowed=False, reason=f"nobody allowed it {_OUTSIDE}")
        self._refusals[item_id] = verdict.refusal
        return verdict

    async def _typed(self, params: Mapping[str, Any]) -> Verdict:
        """Input to a command that runs; the command's own item tells what came of it."""
        call_id = str(params.get("approvalId") or params.get("itemId"))
        call = _call(call_id, {"type": "commandExecution", "command": params.get("command")})
        verdict = await self._desk.permit(call)
        await self._desk.settle(call, verdict.refusal if not verdict.is_allowed else "[The input was sent.]")
        return verdict


_TOLD: Final = ("command", "cwd", "reason")


def _call(item_id: str, item: Item) -> ToolCall:
    if item.get("type") == "fileChange":
        changes = _changes(item)
        paths = [_path(change) for change in changes]
        told = {"file_path": paths[0] if len(paths) == 1 else paths, "changes": changes}
        return ToolCall(call_id=item_id, name=PATCH, arguments=json.dumps(told))
    arguments = {
        "command": _command(str(item.get("command") or "")),
        **{name: item[name] for name in ("cwd", "reason") if item.get(name)},
    }
    return ToolCall(call_id=item_id, name=COMMAND, arguments=json.dumps(arguments))


def _command(command: str) -> str:
    """What the model wrote, without the shell that Codex runs it in."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return words[2] if len(words) == 3 and words[1] in _SHELL_FLAGS else command


def _changes(item: Item) -> Sequence[Mapping[str, Any]]:
    changes = item.get("changes")
    return [change for change in changes if isinstance(change, Mapping)] if isinstance(changes, list) else []


def _path(change: Mapping[str, Any]) -> str:
    return str(change.get("path") or "")


def _output(item: Item) -> str:
    """What a tool printed or did."""
    status = str(item.get("status"))
    if item.get("type") == "fileChange":
        return f"{status}: {', '.join(_path(change) for change in _changes(item))}"
    output = str(item.get("aggregatedOutput") or "")
    code = item.get("exitCode")
    if code is None and status != "completed":
        return f"{output}\n[{status}]".strip()
    return f"{output}\n[exit code {code}]".strip() if code else output
