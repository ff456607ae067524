"""What an agent asks a person, and the person's answer."""

from typing import Any

import httpx

from tests.e2e.api import Api
from tests.e2e.program import wait_for

SECONDS = 60.0


def question(api: Api, session_id: str) -> dict[str, Any]:
    """The one question that waits."""
    return wait_for(
        lambda: (api.snapshot(session_id)["pending_elicitations"] or [None])[0],
        seconds=SECONDS,
        what="a question",
        every=0.1,
    )


def answer(api: Api, session_id: str, asked: dict[str, Any], action: str) -> dict[str, Any]:
    """Answer a question; what the server says to that."""
    path = f"/v1/sessions/{session_id}/elicitations/{asked['elicitation_id']}/resolve"
    reply = api.http.post(path, json={"action": action})
    assert reply.status_code == httpx.codes.ACCEPTED, reply.text
    told: dict[str, Any] = reply.json()
    return told
