"""Slash commands: the runner is asked first, because it may know more skills than the agent's bundle."""

from typing import TYPE_CHECKING

import orjson

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.protocol import inputs as protocol
from sessions_app.flows.policing import messages
from sessions_app.rpc import RunnerAnswer
from sessions_app.services import commands, inputs
from sessions_app.services.access import Access
from sessions_app.services.receipts import Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process

RESOLVE_SECONDS = 5.0
MAX_NAMES = 200


async def post(
    process: "Process",
    principal: Principal,
    session_id: str,
    event: protocol.SessionEvent,
    receipts: Receipts,
) -> inputs.Posted:
    """Take a command. Raises OmnigentError; then nothing of it is stored."""
    access, command = await process.pool.run(inputs.admit, principal, session_id, event)
    text: str | None = ""
    if isinstance(command, protocol.SlashCommand) and not await process.pool.run(
        receipts.is_answered, principal
    ):
        text = await _ask_runner(process, access, command)
    return await messages.post(process, principal, session_id, event, receipts, text)


async def _ask_runner(process: "Process", access: Access, command: protocol.SlashCommand) -> str | None:
    """What the runner says of the skill; None when it is away or does not know such questions."""
    if not access.runner_id:
        return None
    path = f"/v1/sessions/{access.public_id}/skills/resolve"
    asked = orjson.dumps({"name": command.name, "arguments": command.arguments})
    try:
        answer = await process.rpc.runner(access.runner_id, "POST", path, body=asked, seconds=RESOLVE_SECONDS)
    except OmnigentError:
        return None
    return _read(answer, command.name)


def _read(answer: RunnerAnswer, name: str) -> str | None:
    try:
        body = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(body, dict):
        return None
    if answer.status == 404 and body.get("error") == "skill_not_found":
        available = body.get("available")
        names = available if isinstance(available, list) else []
        raise commands.unknown(name, [str(one) for one in names[:MAX_NAMES]])
    text = body.get("meta_text")
    return text if answer.status == 200 and isinstance(text, str) and text.strip() else None
