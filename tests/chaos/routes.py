"""The table of the crash tests: every write of the API, and the points at which a crash could hurt it.

`POST /v1/runners/{id}/token` has no row: in single-user mode it refuses everybody and writes nothing. What a
runner asks of the tool gate and of the policies is no write either: the row "tool gate" is about the runner
that asks again.
"""

from collections.abc import Callable
from dataclasses import dataclass

import httpx

from tests.chaos.points import (
    CHANGE,
    CREATE,
    DECISION,
    DELETE,
    EVALUATE,
    EVENTS,
    HELD,
    HELD_CHANGE,
    ITEM,
    LABEL,
    LAUNCH,
    LOG,
    OUTBOX_ENTRY,
    PATCH,
    RECEIPT,
    REMOVAL,
    RESOLVE,
    RUNNER,
    SESSION,
    TOOL_GATE,
    VERDICT,
    Points,
    after_commit,
    after_publish,
    after_statement,
    before_acknowledgement,
    of_a_delivery,
    of_a_forward,
    of_a_write,
)
from tests.chaos.scenes import (
    SETTLED_SECONDS,
    Scene,
    asked,
    at_rest,
    on_no_host,
    sends_a_command_that_counts,
    sends_message,
    with_a_held_call,
    with_a_policy,
    with_a_question,
)
from tests.e2e.api import Api

ONE_TURN = ["message", "function_call", "function_call_output", "message"]


@dataclass(frozen=True, kw_only=True, slots=True)
class Route:
    """A write: what is there before, how it is sent with a key, what proves that it happened exactly once."""

    name: str
    prepare: Callable[[Api, str], Scene] = at_rest
    send: Callable[[Api, Scene, str], httpx.Response]
    check: Callable[[Api, Scene], None]
    points: Points


def keyed(key: str) -> dict[str, str]:
    """The headers of a request that may be repeated."""
    return {"Idempotency-Key": key}


def sends_interrupt(api: Api, scene: Scene, key: str) -> httpx.Response:
    """An interrupt of whatever runs."""
    return api.post(scene.session_id, {"type": "interrupt"}, key=key)


def resolves(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A verdict by the question's own address."""
    path = f"{scene.path}/elicitations/{scene.question_id}/resolve"
    return api.http.post(path, json={"action": "accept"}, headers=keyed(key))


def approves(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A verdict as an event of the session."""
    data = {"elicitation_id": scene.question_id, "action": "accept"}
    return api.post(scene.session_id, {"type": "approval", "data": data}, key=key)


def creates(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A session without a host."""
    body = {"agent_id": api.agent_id(), "title": scene.title}
    return api.http.post("/v1/sessions", json=body, headers=keyed(key))


def creates_on_a_host(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A session on the caller's host."""
    body = {"agent_id": api.agent_id(), "title": scene.title, "host_id": "auto"}
    return api.http.post("/v1/sessions", json=body, headers=keyed(key))


def patches(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A new title and a label."""
    return api.http.patch(
        scene.path, json={"title": "Renamed", "labels": {"env": "prod"}}, headers=keyed(key)
    )


def launches(api: Api, scene: Scene, key: str) -> httpx.Response:
    """A runner on a host for a session that has none."""
    body = {"session_id": scene.session_id, "workspace": scene.workspace}
    return api.http.post(f"/v1/hosts/{scene.host_id}/runners", json=body, headers=keyed(key))


def deletes(api: Api, scene: Scene, key: str) -> httpx.Response:
    """The end of the session."""
    return api.http.delete(scene.path, headers=keyed(key))


def stores_an_item(api: Api, scene: Scene, key: str) -> httpx.Response:
    """An item from outside, which no runner sees."""
    data = {
        "item_type": "message",
        "item_data": {"role": "user", "content": [{"type": "input_text", "text": "noted"}]},
        "source_id": f"note-{scene.session_id}",
    }
    return api.post(scene.session_id, {"type": "external_conversation_item", "data": data}, key=key)


def is_one_turn(api: Api, scene: Scene) -> None:
    """The message, its call and its answer are there once, the tool ran once, and the session rests."""
    rests(api, scene)
    items = api.items(scene.session_id)
    assert [item["type"] for item in items] == ONE_TURN
    assert items[2]["output"] == "once\n"


def is_approved_once(api: Api, scene: Scene) -> None:
    """The verdict reached the runner, which ran the command, and another verdict is told the first."""
    is_one_turn(api, scene)
    path = f"{scene.path}/elicitations/{scene.question_id}"
    assert api.get(path) == {"status": "resolved"}
    late = api.http.post(f"{path}/resolve", json={"action": "decline"})
    assert late.json()["resolution"]["action"] == "accept"


def is_asked_and_made_once(api: Api, scene: Scene) -> None:
    """There is one question; agreed to, the call is made once, and the log of decisions is whole."""
    question_id = asked(api, scene.session_id)
    path = f"{scene.path}/elicitations/{question_id}/resolve"
    assert api.http.post(path, json={"action": "accept"}).status_code == httpx.codes.ACCEPTED
    is_one_turn(api, scene)
    decided = api.get("/v1/policy-decisions", session_id=scene.session_id, phase="tool_call")["data"]
    assert [row["verdict"] for row in decided] == ["allow", "ask"]


def rests(api: Api, scene: Scene) -> None:
    """Nothing runs."""
    api.wait_status(scene.session_id, "idle", seconds=SETTLED_SECONDS)


def is_born_once(api: Api, scene: Scene) -> None:
    """One session of that title."""
    found = api.get("/v1/sessions", limit=1000)["data"]
    assert sum(row.get("title") == scene.title for row in found) == 1


def runs_there(api: Api, scene: Scene) -> None:
    """The session has one runner, on that host, which does what it is told once."""
    before = api.snapshot(scene.session_id)
    assert (before["host_id"], before["workspace"]) == (scene.host_id, scene.workspace)
    api.message(scene.session_id, "Run the shell command: echo once")
    is_one_turn(api, scene)
    assert api.snapshot(scene.session_id)["runner_id"] == before["runner_id"]


def is_renamed(api: Api, scene: Scene) -> None:
    """Both changes hold, neither alone."""
    session = api.snapshot(scene.session_id)
    assert (session["title"], session["labels"].get("env")) == ("Renamed", "prod")


def is_gone(api: Api, scene: Scene) -> None:
    """The session answers 404."""
    assert api.http.get(scene.path).status_code == httpx.codes.NOT_FOUND


def is_noted_once(api: Api, scene: Scene) -> None:
    """One item."""
    assert len(api.items(scene.session_id)) == 1


ROUTES = (
    Route(
        name="message",
        send=sends_message,
        check=is_one_turn,
        points={
            "after the item": after_statement(ITEM),
            **of_a_write(OUTBOX_ENTRY, EVENTS),
            "after publish": after_publish("session.input.consumed"),
            **of_a_delivery("persisted_item_id"),
        },
    ),
    Route(
        name="tool gate",
        send=sends_a_command_that_counts,
        check=is_one_turn,
        points={
            "before the verdict of the policies": before_acknowledgement(EVALUATE),
            **of_a_forward("mcp/execute"),
            "before the tool's output": before_acknowledgement(TOOL_GATE),
        },
    ),
    Route(
        name="resolve",
        prepare=with_a_question,
        send=resolves,
        check=is_approved_once,
        points={
            **of_a_write(VERDICT, RESOLVE),
            "after publish": after_publish("response.elicitation_resolved"),
            **of_a_forward(r"\\\"approval\\\""),
        },
    ),
    Route(
        name="approval",
        prepare=with_a_question,
        send=approves,
        check=is_approved_once,
        points={
            "after the outbox row": after_statement(OUTBOX_ENTRY),
            "before acknowledgement": before_acknowledgement(EVENTS),
        },
    ),
    Route(
        name="a policy's question",
        prepare=with_a_policy,
        send=sends_a_command_that_counts,
        check=is_asked_and_made_once,
        points={"after it is held": after_statement(HELD), "after commit": after_commit(HELD)},
    ),
    Route(
        name="a policy's answer",
        prepare=with_a_held_call,
        send=resolves,
        check=is_approved_once,
        points={
            "before acknowledgement": before_acknowledgement(RESOLVE),
            "after the decision": after_commit(DECISION),
            "after the call is taken": after_commit(HELD_CHANGE),
        },
    ),
    Route(
        name="interrupt",
        send=sends_interrupt,
        check=rests,
        points={
            "after the entry": after_statement(LOG),
            "before acknowledgement": before_acknowledgement(EVENTS),
            "after publish": after_publish("session.interrupted"),
        },
    ),
    Route(name="create", send=creates, check=is_born_once, points=of_a_write(SESSION, CREATE)),
    Route(
        name="create on a host",
        send=creates_on_a_host,
        check=is_born_once,
        points=of_a_write(SESSION, CREATE),
    ),
    Route(
        name="launch on a host",
        prepare=on_no_host,
        send=launches,
        check=runs_there,
        points={**of_a_write(RUNNER, LAUNCH), **of_a_forward("host.launch_runner")},
    ),
    Route(
        name="patch",
        send=patches,
        check=is_renamed,
        points={
            "after the change": after_statement(CHANGE),
            **of_a_write(LABEL, PATCH),
            "after publish": after_publish("session.title"),
        },
    ),
    Route(name="delete", send=deletes, check=is_gone, points=of_a_write(REMOVAL, DELETE)),
    Route(
        name="external item",
        send=stores_an_item,
        check=is_noted_once,
        points={"after the receipt": after_statement(RECEIPT), **of_a_write(ITEM, EVENTS)},
    ),
)
