"""Being in a session: with a prompt on a terminal, only looking on in a pipe."""

from omnigent_client.cli.live.follower import follow
from omnigent_client.cli.live.room import Room
from omnigent_client.cli.task import Task
from omnigent_client.client import OmnigentClient


async def enter(task: Task, client: OmnigentClient, session_id: str, *, first: str | None = None) -> int:
    """Stay until the person leaves or the session ends; the exit code. `first` is said on entering."""
    if task.surroundings.is_interactive:
        return await Room(client, task.surroundings, task.screen, session_id).stay(first)
    return await follow(client, task.screen, session_id)
