"""Commits a runner's events in the thread of the test, as the writer does for a relay."""

import json

from omnigent.accounts.identity import Principal
from omnigent.protocol.inputs import SessionEvent
from omnigent.protocol.sse import Message
from sessions_app.flows.reading import Counter, decode
from sessions_app.models import Session
from sessions_app.services import commit, inputs
from sessions_app.services.memory import Memory, recall
from sessions_app.services.policing.requests import Cleared
from sessions_app.services.receipts import Receipts
from tests.factories import make_lease, make_session
from tests.tunnel.script import Json

LOCAL = Principal(user_id="local", is_admin=True)


class Feed:
    """One session on a runner that is online, and the relay's memory."""

    def __init__(self, **fields: object) -> None:
        runner_id = f"runner_{Session.objects.count()}"
        make_lease("runner", runner_id)
        self.session = make_session(runner_id=runner_id, **fields)
        self.memory = Memory()

    @property
    def pk(self) -> int:
        """The session's key."""
        return self.session.pk

    def unit(self, *events: Json, number: int = 0) -> commit.IngestUnit:
        """A unit of these events, read as a stream's messages are."""
        messages = [Message("message", json.dumps(event)) for event in events]
        batch, _ = decode(messages, Counter("", 0))
        return commit.IngestUnit(
            session_pk=self.pk,
            generation=Session.objects.values_list("relay_generation", flat=True).get(pk=self.pk),
            memory=self.memory,
            batch=batch,
            stream="abcd0123" if number else "",
            number=number,
            report=lambda error: None,
        )

    def take(self, *events: Json, number: int = 0) -> None:
        """Commit these events with one transaction."""
        for outcome in commit.commit([self.unit(*events, number=number)]):
            if outcome is not None:
                raise outcome

    def each(self, *events: Json) -> None:
        """Commit each event by itself."""
        for event in events:
            self.take(event)

    def restart(self) -> None:
        """Another relay takes over: it remembers what the database tells it."""
        self.memory = recall(Session.objects.select_related("agent").get(pk=self.pk))

    def post(self, kind: str, **data: object) -> Json:
        """An input by its user."""
        event = SessionEvent(type=kind, data=data)
        cleared = Cleared(session_pk=self.session.pk)
        posted = inputs.post(LOCAL, self.session.public_id, event, Receipts(None, b""), cleared=cleared)
        return dict(posted.answer)

    def message(self, words: str = "Hello") -> str:
        """A message that the runner has taken; gives its item's id."""
        answer = self.post("message", role="user", content=[{"type": "input_text", "text": words}])
        self.session.outbox.all().delete()
        return str(answer["item_id"])
