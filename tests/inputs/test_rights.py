"""Who may post what: grants where there are several users, and what only the session's own runner may."""

from typing import Any

import pytest
from pytest_django import Settings

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.ids import runner_id_for
from omnigent.protocol import inputs as protocol
from sessions_app.models import Grant, Item, LogEntry, Receipt, Session
from sessions_app.services.inputs import post
from sessions_app.services.policing.requests import Cleared
from sessions_app.services.receipts import Receipts
from tests.error_shape import assert_error
from tests.factories import make_runner, make_session
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig, said

TOKEN = "the runner's own token"
NOTE = {"type": "external_assistant_message", "data": {"agent": "helper", "text": "done"}}
EXTERNAL: list[dict[str, Any]] = [
    NOTE,
    {
        "type": "external_conversation_item",
        "data": {"item_type": "message", "item_data": {"role": "assistant", "content": []}},
    },
    {"type": "external_output_text_delta", "data": {"delta": "x"}},
]
APPROVAL: dict[str, Any] = {"type": "approval", "data": {"elicitation_id": "e", "action": "accept"}}
STOP: dict[str, Any] = {"type": "stop_session"}
INTERRUPT: dict[str, Any] = {"type": "interrupt"}
CALL: dict[str, Any] = {"type": "function_call", "data": {"name": "n", "arguments": "{}", "call_id": "c"}}


def user(name: str) -> Principal:
    """Somebody who is not an administrator."""
    return Principal(user_id=name, is_admin=False)


def runner_of(token: str) -> Principal:
    """A runner that shows this token."""
    return Principal(user_id="owner", is_admin=False, kind="runner", runner_id=runner_id_for(token))


@pytest.fixture
def session(settings: Settings, transactional_db: None) -> Session:
    """A session of `owner` with one grant of each level, bound to a runner."""
    settings.OMNIGENT_AUTH_MODE = "accounts"
    runner = make_runner(TOKEN, owner="owner")
    made = make_session(owner="owner", runner_id=runner.public_id)
    for level, name in enumerate(("reader", "editor", "manager"), start=1):
        Grant.objects.create(session=made, user_id=name, level=level)
    return made


def attempt(session: Session, principal: Principal, body: dict[str, Any]) -> int:
    """The status with which an event is answered."""
    event = protocol.read_event(body)
    try:
        cleared = Cleared(session_pk=session.pk)
        post(principal, session.public_id, event, Receipts("k", b"x"), cleared=cleared)
    except OmnigentError as error:
        assert not Item.objects.exists()
        assert not LogEntry.objects.exists()
        assert not Receipt.objects.exists()
        return error.status
    return 202


@pytest.mark.parametrize(
    ("name", "body", "expected"),
    [
        *[
            pytest.param("stranger", body, 404, id=f"stranger {body['type']}")
            for body in (said("x"), STOP, NOTE)
        ],
        *[
            pytest.param("reader", body, 403, id=f"reader {body['type']}")
            for body in (said("x"), INTERRUPT, APPROVAL, STOP, NOTE, CALL)
        ],
        *[
            pytest.param(name, body, 202, id=f"{name} {body['type']}")
            for name in ("editor", "manager")
            for body in (said("x"), INTERRUPT, CALL)
        ],
        *[
            pytest.param(name, body, 403, id=f"{name} {body['type']}")
            for name in ("editor", "manager")
            for body in (STOP, APPROVAL, *EXTERNAL)
        ],
        *[
            pytest.param("owner", body, 202, id=f"owner {body['type']}")
            for body in (said("x"), INTERRUPT, APPROVAL, STOP, CALL, *EXTERNAL)
        ],
        *[
            pytest.param(name, {**said("x"), "created_by": name}, 403, id=f"{name} as itself")
            for name in ("editor", "owner")
        ],
    ],
)
def test_people_may_do_what_their_grant_allows(
    session: Session, name: str, body: dict[str, Any], expected: int
) -> None:
    assert attempt(session, user(name), body) == expected


@pytest.mark.parametrize(
    ("token", "body", "expected"),
    [
        *[
            pytest.param(TOKEN, body, 202, id=f"bound {body['type']}")
            for body in (said("x"), CALL, *EXTERNAL)
        ],
        pytest.param(TOKEN, {**said("x"), "created_by": "editor"}, 202, id="bound created_by"),
        pytest.param(TOKEN, STOP, 403, id="bound stop"),
        *[
            pytest.param("another", body, 404, id=f"other {body['type']}")
            for body in (said("x"), STOP, *EXTERNAL)
        ],
    ],
)
def test_a_runner_may_speak_for_its_own_sessions(
    session: Session, token: str, body: dict[str, Any], expected: int
) -> None:
    assert attempt(session, runner_of(token), body) == expected


def test_an_administrator_may_do_all(session: Session) -> None:
    admin = Principal(user_id="admin", is_admin=True)

    assert attempt(session, admin, NOTE) == 202


def test_a_message_names_its_author(session: Session) -> None:
    attempt(session, user("editor"), said("x"))

    assert Item.objects.get().created_by == "editor"


def test_a_runner_names_the_author_it_speaks_for(session: Session) -> None:
    attempt(session, runner_of(TOKEN), {**said("x"), "created_by": "editor"})

    assert Item.objects.get().created_by == "editor"


def test_a_refusal_does_not_tell_whether_the_session_exists(session: Session) -> None:
    with pytest.raises(OmnigentError) as foreign:
        post(user("stranger"), session.public_id, protocol.read_event(INTERRUPT), Receipts(None, b""))
    with pytest.raises(OmnigentError) as missing:
        post(user("stranger"), "conv_" + "0" * 32, protocol.read_event(INTERRUPT), Receipts(None, b""))

    assert (foreign.value.status, foreign.value.message) == (missing.value.status, missing.value.message)


async def test_the_only_user_may_not_name_an_author(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.post(session_id, {**said("x"), "created_by": "local"})

    assert_error(answer, 403, "forbidden")
    assert await rig.items(session_id) == []


async def test_a_stranger_runner_finds_nothing(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    assert_error(await rig.post(session_id, NOTE, token="some token"), 404, "not_found")


async def test_an_author_of_a_runner_has_a_bounded_name(rig: Rig) -> None:
    session_id = await rig.session(runner_id=runner_id_for(TOKEN))

    answer = await rig.post(session_id, {**INTERRUPT, "created_by": "x" * 151}, token=TOKEN)

    assert_error(answer, 400, "invalid_input")
