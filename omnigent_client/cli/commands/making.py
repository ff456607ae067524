"""`new` and `fork`: sessions that were not there before."""

import os
from typing import cast

from omnigent_client.cli.commands.rooms import enter
from omnigent_client.cli.exits import OK
from omnigent_client.cli.finding import find_agent, find_host, find_session
from omnigent_client.cli.task import Task
from omnigent_client.resources.fields import ForkOptions


async def new(task: Task) -> int:
    """Make a session; then be in it, or print its id when detached or in a pipe."""
    options = task.options
    text = None if options.text is None else task.message_text(options.text)
    async with task.open_client(for_ever=True) as client:
        agent = await find_agent(client, options.agent)
        session = await client.sessions.create_from_agent_id(
            agent.id,
            host_id=await find_host(client, options.host),
            workspace=_place(options.workspace),
            title=options.title,
        )
        if options.detach or not task.surroundings.is_interactive:
            task.screen.say(session.id)
            task.screen.flush()
            if text is not None:
                await client.sessions.send_message(session.id, text)
            return OK
        return await enter(task, client, session.id, first=text)


async def fork(task: Task) -> int:
    """Copy a conversation and print the new session's id."""
    options = task.options
    async with task.open_client() as client:
        session_id = await find_session(client, options.session)
        wanted = {
            "title": options.title,
            "up_to_response_id": options.up_to,
            "agent_id": (await find_agent(client, options.agent)).id if options.agent else None,
            "host_id": await find_host(client, options.host) if options.host else None,
            "workspace": _place(options.workspace),
        }
        made = await client.sessions.fork(session_id, **cast(ForkOptions, wanted))
    task.screen.say(made.id)
    return OK


def _place(path: str | None) -> str | None:
    """A path on the host; one that is relative is meant from here, for a host that is this machine."""
    return path if path is None or path.startswith(("/", "~")) else os.path.abspath(path)
