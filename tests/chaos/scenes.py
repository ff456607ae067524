"""What there is before a write of the crash tests, and the messages that bring it about."""

from dataclasses import dataclass

import httpx

from tests.e2e.api import Api, message
from tests.e2e.program import wait_for

SETTLED_SECONDS = 30


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """What a write is about: the session, the question that it asks, and where it is to run, if it is about
    these.
    """

    session_id: str
    question_id: str = ""
    host_id: str = ""
    workspace: str = ""

    @property
    def path(self) -> str:
        """The session's address."""
        return f"/v1/sessions/{self.session_id}"

    @property
    def title(self) -> str:
        """The title of a session that the write creates."""
        return f"born of {self.session_id}"


def at_rest(api: Api, session_id: str) -> Scene:
    """A session as it was created."""
    return Scene(session_id=session_id)


def on_no_host(api: Api, session_id: str) -> Scene:
    """A session that has no host yet, and where the given one runs."""
    placed = api.snapshot(session_id)
    answer = api.http.post("/v1/sessions", json={"agent_id": api.agent_id()})
    assert answer.status_code == httpx.codes.CREATED, answer.text
    return Scene(session_id=answer.json()["id"], host_id=placed["host_id"], workspace=placed["workspace"])


def with_a_question(api: Api, session_id: str) -> Scene:
    """A session whose agent asks before it runs a command."""
    api.message(session_id, "Ask me before running: echo once")
    return Scene(session_id=session_id, question_id=asked(api, session_id))


def with_a_policy(api: Api, session_id: str) -> Scene:
    """A session with a policy that asks before every command."""
    body = {"name": "ask", "type": "python", "handler": "omnigent.policies.ask_on_os_tools"}
    answer = api.http.post(f"/v1/sessions/{session_id}/policies", json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    return Scene(session_id=session_id)


def with_a_held_call(api: Api, session_id: str) -> Scene:
    """A session in which that policy has asked about a call that leaves a line each time that it is made."""
    scene = with_a_policy(api, session_id)
    answer = sends_a_command_that_counts(api, scene, f"held {session_id}".replace(" ", "-"))
    assert answer.status_code == httpx.codes.ACCEPTED, answer.text
    return Scene(session_id=session_id, question_id=asked(api, session_id))


def asked(api: Api, session_id: str) -> str:
    """The question that waits."""
    pending = wait_for(
        lambda: api.snapshot(session_id)["pending_elicitations"],
        seconds=SETTLED_SECONDS,
        what="a question",
        every=0.05,
    )
    return str(pending[0]["elicitation_id"])


def sends_message(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A user message."""
    return api.post(scene.session_id, message("Run the shell command: echo once"), key=key)


def sends_a_command_that_counts(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A message whose tool leaves a line each time that it runs, and shows all of them."""
    trace = f"{scene.session_id}.trace"
    words = f"Run the shell command: echo once >> {trace}; cat {trace}"
    return api.post(scene.session_id, message(words), key=key)
