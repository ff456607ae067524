"""What a relay remembers of a turn after it was rebuilt from the log."""

import pytest

from omnigent.accounts.identity import Principal
from omnigent.protocol import events
from omnigent.protocol.inputs import SessionEvent
from sessions_app.models import Session
from sessions_app.services import ingest, inputs
from sessions_app.services.memory import Memory, recall
from sessions_app.services.receipts import Receipts
from sessions_app.services.tick import tick_of
from tests.factories import make_session


@pytest.mark.django_db(transaction=True)
def test_text_that_was_posted_from_elsewhere_is_not_taken_for_the_runners() -> None:
    session = make_session()
    response = events.response_object(id="resp_1", status="in_progress", model="helper", created_at=1)
    said = [events.ResponseInProgress(response=response), events.OutputTextDelta(delta="mine")]
    with tick_of([session.pk]) as tick:
        ingest.apply(tick, tick.sessions[session.pk], Memory(), said)

    posted = SessionEvent(type="external_output_text_delta", data={"delta": "theirs"})
    inputs.post(Principal(user_id="local", is_admin=True), session.public_id, posted, Receipts(None, b""))

    assert recall(Session.objects.get(pk=session.pk)).text == ["mine"]
