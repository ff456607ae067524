"""Looking on without a prompt: the transcript, then what happens, as plain lines."""

from omnigent_client.cli.exits import OK
from omnigent_client.cli.live.drawing import Painter
from omnigent_client.cli.live.view import SessionView
from omnigent_client.cli.screen import Screen
from omnigent_client.client import OmnigentClient
from omnigent_client.events.session import StreamReset


async def follow(client: OmnigentClient, screen: Screen, session_id: str) -> int:
    """Until the server ends the stream. Raises what a stream raises."""
    session = await client.sessions.get(session_id)
    painter, view = Painter(screen), SessionView(session)
    for item in session.items:
        painter.paint(view.add(item))
    painter.paint(view.asked_before(session))
    async with client.stream(session_id, after=session.resume_after) as stream:
        async for event in stream:
            if isinstance(event, StreamReset):
                session = await client.sessions.get(session_id)
                painter.paint(view.missed(session, session.items))
            else:
                painter.paint(view.feed(event))
    return OK
