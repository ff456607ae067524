"""Policies in the words of the tests: made, and tried on actions over HTTP."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx

from tests.e2e.api import Api
from tests.e2e.program import wait_for

ASK_ON_OS = "omnigent.policies.ask_on_os_tools"
LONG_SLEEP = "omnigent.policies.block_long_sleep"
CEL = "omnigent.policies.builtins.cel.cel_policy"
Json = dict[str, Any]


class House:
    """The server-wide policies of one test."""

    def __init__(self, admin: Api) -> None:
        self._admin = admin
        self._made: list[str] = []

    def add(self, handler: str = ASK_ON_OS, **fields: Any) -> Json:
        """A new one, as the server shows it."""
        answer = self.post({"name": unique(), "type": "python", "handler": handler, **fields})
        assert answer.status_code == httpx.codes.OK, answer.text
        made: Json = answer.json()
        return made

    def post(self, body: Json) -> httpx.Response:
        """Ask for a new one; the caller looks at the answer."""
        answer = self._admin.http.post("/v1/policies", json=body)
        if answer.status_code == httpx.codes.OK:
            self._made.append(answer.json()["id"])
        return answer

    def clear(self) -> None:
        """Delete what the test has made."""
        for policy_id in self._made:
            self._admin.http.delete(f"/v1/policies/{policy_id}")


def unique(word: str = "rule") -> str:
    """A name that nothing else has."""
    return f"{word}_{uuid.uuid4().hex[:8]}"


def always(result: str, reason: str) -> Json:
    """The parameters of a CEL policy that says the same about every call of a tool."""
    answer = f'{{"result": "{result}", "reason": "{reason}"}}'
    return {"expression": f'event.type == "tool_call" ? {answer} : {{}}'}


def attach(api: Api, session_id: str, handler: str = ASK_ON_OS, **fields: Any) -> Json:
    """Give a session another policy."""
    body = {"name": unique(), "type": "python", "handler": handler, **fields}
    answer = api.http.post(f"/v1/sessions/{session_id}/policies", json=body)
    assert answer.status_code == httpx.codes.OK, answer.text
    made: Json = answer.json()
    return made


def evaluate(api: Api, session_id: str, event: Json) -> Json:
    """The verdict on an event; waits for a person when one has to decide."""
    answer = api.http.post(f"/v1/sessions/{session_id}/policies/evaluate", json={"event": event})
    assert answer.status_code == httpx.codes.OK, answer.text
    verdict: Json = answer.json()
    return verdict


def call(name: str, /, **arguments: Any) -> Json:
    """A tool that is about to be called."""
    return {"type": "PHASE_TOOL_CALL", "data": {"name": name, "arguments": arguments}}


def shell(command: str) -> Json:
    """A command that is about to be run."""
    return call("sys_os_shell", command=command)


def result(api: Api, session_id: str, event: Json) -> str:
    """The verdict in one word: allow or deny."""
    return str(evaluate(api, session_id, event)["result"]).removeprefix("POLICY_ACTION_").lower()


def pending(api: Api, session_id: str) -> list[Json]:
    """The questions that wait for a person."""
    waiting: list[Json] = api.snapshot(session_id)["pending_elicitations"]
    return waiting


def answered(api: Api, session_id: str, event: Json, action: str) -> tuple[Json, Json]:
    """(the question that an event raises, the verdict after a person has answered it)."""
    with ThreadPoolExecutor(1) as threads:
        verdict = threads.submit(evaluate, api, session_id, event)
        question = wait_for(
            lambda: next(iter(pending(api, session_id)), None), seconds=20, what="a question", every=0.1
        )
        assert question is not None
        data = {"elicitation_id": question["elicitation_id"], "action": action}
        answer = api.post(session_id, {"type": "approval", "data": data})
        assert answer.status_code == httpx.codes.ACCEPTED, answer.text
        return question, verdict.result(20)
