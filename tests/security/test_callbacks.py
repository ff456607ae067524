"""What a runner calls: every route, for sessions that are bound to it and for those that are not."""

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from omnigent.accounts.gate import Gate
from omnigent.accounts.models import User
from omnigent.ids import runner_id_for
from sessions_app.access_rows import SOCKET, Needs, Who
from sessions_app.access_table import TABLE, refusal
from sessions_app.models import Grant, Item, Runner, Session
from sessions_app.process import Process
from sessions_app.services import launching
from tests.contract.calling import request
from tests.contract.people import NAMES, SECRETS, Credentials, Things, bound_runner, make_people
from tests.contract.test_access_table import NO_SESSION, call
from tests.factories import make_agent, make_child, make_runner, make_session

OTHER = "the binding token of another runner of the same person"
OF_A_SESSION = tuple(row for row in TABLE.values() if "{session_id}" in row.address)
REFUSED = (401, 403, 404)
ALONE = re.compile(r"[^{]*\{session_id\}[^{]*")


def change(session_id: str, **fields: Any) -> None:
    Session.objects.filter(public_id=session_id).update(**fields)


def of_another_runner(session_id: str) -> None:
    change(session_id, runner_id=make_runner(OTHER, owner=NAMES[Who.OWNER]).public_id)


def of_no_runner(session_id: str) -> None:
    change(session_id, runner_id="")


def of_another_person(session_id: str) -> None:
    of_another_runner(session_id)
    session = Session.objects.get(public_id=session_id)
    Grant.objects.filter(session=session).delete()
    Grant.objects.create(session=session, user_id=NAMES[Who.STRANGER], level=4)


def child_of_another_runner(session_id: str) -> None:
    of_another_runner(session_id)
    change(session_id, parent=make_session(owner=NAMES[Who.OWNER], runner_id=bound_runner()))


def parent_of_its_session(session_id: str) -> None:
    of_another_runner(session_id)
    make_child(Session.objects.get(public_id=session_id), "helper:one", runner_id=bound_runner())


def stopped(session_id: str) -> None:
    Runner.objects.filter(public_id=bound_runner()).update(host_id="0" * 32)
    session = Session.objects.get(public_id=session_id)
    launching.record_stop(session_pk=session.pk, runner_id=bound_runner())


@pytest.mark.parametrize(
    "becomes",
    [
        pytest.param(of_another_runner, id="taken over by another runner of the owner"),
        pytest.param(of_no_runner, id="bound to no runner"),
        pytest.param(of_another_person, id="somebody else's"),
        pytest.param(child_of_another_runner, id="child of its session, bound to another runner"),
        pytest.param(parent_of_its_session, id="parent of its session, bound to another runner"),
        pytest.param(stopped, id="its own until the host stopped it"),
    ],
)
@pytest.mark.timeout(120)
async def test_to_a_runner_a_session_that_is_not_bound_to_it_looks_like_none(
    process: Process, app: Gate, becomes: Callable[[str], None]
) -> None:
    credentials, ids = await scene(process, app)
    await process.pool.run(becomes, ids["session_id"])
    before = await process.pool.run(stored, ids["session_id"])

    wrong = []
    for row in OF_A_SESSION:
        reply = await call(app, row, credentials, Who.RUNNER, ids)
        unknown = await call(app, row, credentials, Who.RUNNER, {**ids, "session_id": NO_SESSION})
        wanted = 403 if row.method == SOCKET else 404
        if (reply.status, reply.content) != (wanted, unknown.content) or unknown.status != wanted:
            wrong.append(f"{row.method} {row.address}: {reply.status} {reply.content[:200]!r}")
        wrong += [
            f"{row.method} {row.address} tells {word}" for word in SECRETS if word.encode() in reply.content
        ]

    assert not wrong, "\n".join(wrong)
    assert await process.pool.run(stored, ids["session_id"]) == before


@pytest.mark.timeout(120)
async def test_a_runner_is_nobody_once_its_owner_is_locked_out(process: Process, app: Gate) -> None:
    credentials, ids = await scene(process, app)
    await process.pool.run(lambda: User.objects.filter(username=NAMES[Who.OWNER]).update(is_active=False))

    wrong = []
    for row in TABLE.values():
        if row.needs in (Needs.NOTHING, Needs.SIGNATURE):
            continue
        reply = await call(app, row, credentials, Who.RUNNER, {**ids, "name": ids["runner_id"]})
        if reply.status != 401:
            wrong.append(f"{row.method} {row.address}: {reply.status} {reply.content[:200]!r}")

    assert not wrong, "\n".join(wrong)


@pytest.mark.timeout(120)
async def test_a_runner_uses_a_sub_agents_session_as_its_own(process: Process, app: Gate) -> None:
    credentials, ids = await scene(process, app)

    def add() -> str:
        parent = Session.objects.select_related("agent").get(public_id=ids["session_id"])
        return str(make_child(parent, "helper:one", runner_id=bound_runner()).public_id)

    child = await process.pool.run(add)

    wrong = []
    for row in (row for row in OF_A_SESSION if ALONE.fullmatch(row.address)):
        if row.address.endswith(("/files:copy", "/comments/send")):
            continue  # these name things of the session; the first is tested below
        reply = await call(app, row, credentials, Who.RUNNER, {**ids, "session_id": child})
        wanted = refusal(row, Who.RUNNER)
        if (reply.status in REFUSED or wanted is not None) and reply.status != wanted:
            wrong.append(f"{row.method} {row.address}: {reply.status} {reply.content[:200]!r}")

    assert not wrong, "\n".join(wrong)


async def test_a_runner_copies_no_files_out_of_sessions_of_other_runners(process: Process, app: Gate) -> None:
    credentials, ids = await scene(process, app)

    def mine() -> str:
        parent = make_session(owner=NAMES[Who.OWNER], runner_id=runner_id_for(OTHER))
        return str(make_child(parent, "helper:one", runner_id=bound_runner()).public_id)

    target = await process.pool.run(mine)
    parents = Session.objects.filter(public_id=target).values_list("parent__public_id", flat=True)
    parent = await process.pool.run(parents.get)
    replies = [
        await post(
            app,
            credentials,
            f"/v1/sessions/{target}/resources/files:copy",
            {"source_session_id": source, "file_ids": file_ids},
        )
        for source in (parent, ids["session_id"], NO_SESSION)
        for file_ids in ([], [ids["file_id"]])
    ]

    assert {status for status, _ in replies} == {403}
    assert len({text for _, text in replies}) == 1


async def test_a_runners_list_has_its_own_sessions_only(process: Process, app: Gate) -> None:
    credentials, ids = await scene(process, app)
    await process.pool.run(
        lambda: make_session(make_agent("another"), owner=NAMES[Who.OWNER], title="another")
    )

    async def listed() -> list[str]:
        reply = await request(app, "GET", "/v1/sessions", headers=credentials[Who.RUNNER])
        assert reply.status == 200, reply
        return [one["id"] for one in json.loads(reply.content)["data"]]

    own = set(await process.pool.run(bound_ids))
    assert ids["session_id"] in own
    assert set(await listed()) == own
    await process.pool.run(stopped, ids["session_id"])
    assert await listed() == []


async def test_a_runner_opens_sub_agents_only_where_and_as_it_works_itself(
    process: Process, app: Gate
) -> None:
    credentials, ids = await scene(process, app)
    await process.pool.run(lambda: change(ids["session_id"], workspace="/srv/project"))
    foreign = await process.pool.run(
        lambda: str(make_session(owner=NAMES[Who.OWNER], runner_id=runner_id_for(OTHER)).public_id)
    )
    own = {"agent_id": ids["agent_id"], "parent_session_id": ids["session_id"]}
    cases: list[tuple[dict[str, Any], int]] = [
        ({"agent_id": ids["agent_id"]}, 403),
        ({**own, "parent_session_id": foreign}, 404),
        ({**own, "parent_session_id": NO_SESSION}, 404),
        ({**own, "workspace": "/"}, 403),
        ({**own, "workspace": "/srv"}, 403),
        ({**own, "workspace": "/srv/project-2"}, 403),
        ({**own, "workspace": "/srv/project/../../etc"}, 403),
        ({**own, "host_id": ids["host_id"]}, 403),
        ({**own, "host_id": "auto"}, 403),
        ({**own, "host_id": ids["host_id"], "git": {"branch_name": "b"}}, 403),
        ({**own, "terminal_launch_args": ["--yolo"]}, 403),
        ({**own, "title": "helper:one"}, 201),
        ({**own, "title": "helper:two", "workspace": "/srv/project"}, 201),
        ({**own, "title": "helper:three", "workspace": "/srv/project/part"}, 201),
    ]

    for body, status in cases:
        reply = await post(app, credentials, "/v1/sessions", body)
        assert reply[0] == status, (body, reply)


async def test_an_editor_places_no_sub_agent_where_the_owner_did_not(process: Process, app: Gate) -> None:
    credentials, ids = await scene(process, app)
    await process.pool.run(lambda: change(ids["session_id"], workspace="/srv/project"))
    body = {"agent_id": ids["agent_id"], "parent_session_id": ids["session_id"], "workspace": "/"}

    for who, status in ((Who.EDITOR, 403), (Who.MANAGER, 403), (Who.OWNER, 201)):
        assert (await post(app, credentials, "/v1/sessions", body, who))[0] == status, who


async def scene(process: Process, app: Gate) -> tuple[Credentials, dict[str, str]]:
    """Everybody, and one of everything in a session of the owner's that is bound to the runner."""
    credentials = await process.pool.run(make_people)
    return credentials, await Things(app, process, credentials).prepare()


def bound_ids() -> list[str]:
    return list(Session.objects.filter(runner_id=bound_runner()).values_list("public_id", flat=True))


def stored(session_id: str) -> list[Any]:
    """What a write to a session would change."""
    session = Session.objects.filter(public_id=session_id)
    pk = session.values_list("pk", flat=True).get()
    return [*session.values(), Item.objects.filter(session_id=pk).count(), Grant.objects.count()]


async def post(
    app: Gate, credentials: Credentials, path: str, body: Mapping[str, Any], who: Who = Who.RUNNER
) -> tuple[int, str]:
    headers = {**credentials[who], "Content-Type": "application/json"}
    reply = await request(app, "POST", path, headers=headers, body=json.dumps(body).encode())
    return reply.status, reply.content.decode()
