"""What the routes below `…/resources` share that a session's runner answers."""

from omnigent.api.asgi import header_values
from omnigent.api.consumer import HttpConsumer
from sessions_app.consumers.sessions import KEY_HEADER
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services.receipts import Answer, Receipts


class ResourceConsumer(HttpConsumer):
    """Asks the runner while nobody's thread waits."""

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    @property
    def session_id(self) -> str:
        """The session that the address names."""
        return str(self.kwargs["session_id"])

    @property
    def key(self) -> str | None:
        """The request's idempotency key; an empty one, which is refused, for several."""
        keys = header_values(self.scope, KEY_HEADER)
        return None if not keys else keys[0].decode("latin-1") if len(keys) == 1 else ""

    def receipts(self, body: bytes) -> Receipts:
        """The request's idempotency key, bound to what it asks for."""
        query: bytes = self.scope["query_string"]
        target = f"{self.scope['method']} {self.scope['path']}?".encode() + query
        return Receipts(self.key, target + b"\n" + body)

    async def answer(self, answer: Answer) -> None:
        """Send it."""
        await self.json(answer.status, answer.body, [(b"cache-control", b"no-store")])
