"""Who may do what: grants, inheritance, public grants, bound runners, and what strangers learn (nothing)."""

import pytest
from pytest_django.fixtures import Settings

from omnigent.accounts.identity import Principal
from omnigent.api.pagination import Page
from omnigent.errors import OmnigentError
from sessions_app import listing
from sessions_app.models import Grant, Session
from sessions_app.services.access import Level, may_read, require
from tests.factories import make_agent, make_child, make_session

OWNER = Principal(user_id="olga", is_admin=False)
EDITOR = Principal(user_id="edgar", is_admin=False)
READER = Principal(user_id="rita", is_admin=False)
STRANGER = Principal(user_id="sven", is_admin=False)
ADMIN = Principal(user_id="ada", is_admin=True)
RUNNER = Principal(user_id="olga", is_admin=False, kind="runner", runner_id="runner_1")
OTHER_RUNNER = Principal(user_id="olga", is_admin=False, kind="runner", runner_id="runner_2")


@pytest.fixture(autouse=True)
def many_users(settings: Settings, db: None) -> None:
    settings.OMNIGENT_AUTH_MODE = "accounts"


@pytest.fixture
def session() -> Session:
    made = make_session(make_agent("shared"), owner=OWNER.user_id, runner_id="runner_1")
    Grant.objects.create(session=made, user_id=EDITOR.user_id, level=2)
    Grant.objects.create(session=made, user_id=READER.user_id, level=1)
    return made


def outcome(principal: Principal, session: Session | str, level: Level) -> int | str:
    public_id = session if isinstance(session, str) else session.public_id
    try:
        return require(principal, public_id, level).level or 0
    except OmnigentError as error:
        return f"{error.status} {error.message}"


@pytest.mark.parametrize(
    ("principal", "levels"),
    [
        (OWNER, (4, 4, 4, 4)),
        (ADMIN, (4, 4, 4, 4)),
        (EDITOR, (2, 2, "manage", "owner")),
        (READER, (1, "edit", "manage", "owner")),
        (STRANGER, (None, None, None, None)),
        (RUNNER, (2, 2, "manage", "owner")),
        (OTHER_RUNNER, (None, None, None, None)),
    ],
    ids=["owner", "admin", "editor", "reader", "stranger", "bound runner", "other runner"],
)
def test_levels(session: Session, principal: Principal, levels: tuple[int | str | None, ...]) -> None:
    for level, expected in zip(Level, levels, strict=True):
        if expected is None:
            wanted: int | str = "404 Session not found"
        elif isinstance(expected, int):
            wanted = expected
        else:
            wanted = f"403 '{principal.user_id}' needs {expected} permission on session '{session.public_id}'"
        assert outcome(principal, session, level) == wanted


def test_a_missing_session_looks_like_a_foreign_one(session: Session) -> None:
    assert outcome(STRANGER, "conv_" + "0" * 32, Level.READ) == outcome(STRANGER, session, Level.READ)


def test_a_child_takes_its_parents_grants(session: Session) -> None:
    grandchild = make_child(make_child(session, "a:b"), "c:d")

    assert outcome(EDITOR, grandchild, Level.EDIT) == 2
    assert outcome(STRANGER, grandchild, Level.READ) == "404 Session not found"


def test_a_grant_of_its_own_stops_the_inheritance(session: Session) -> None:
    child = make_child(session, "a:b")
    Grant.objects.create(session=child, user_id=EDITOR.user_id, level=1)

    assert outcome(EDITOR, child, Level.READ) == 1


def test_a_public_grant_lets_everybody_in(session: Session) -> None:
    Grant.objects.create(session=session, user_id="__public__", level=2)

    assert outcome(STRANGER, session, Level.EDIT) == 2
    assert outcome(READER, session, Level.EDIT) == 2


def test_a_withdrawn_grant_ends_reading(session: Session) -> None:
    assert may_read(READER, session.public_id)
    Grant.objects.filter(user_id=READER.user_id).delete()
    assert not may_read(READER, session.public_id)


def listed(principal: Principal, **filters: str) -> list[str]:
    viewer = listing.Viewer(
        user_id=principal.user_id,
        sees_all=principal.is_admin,
        shows_level=True,
        runner_id=principal.runner_id or "",
    )
    page = listing.read(viewer, listing.Filters(kind="any", **filters), Page(limit=50))  # type: ignore[arg-type]  # filters by name, of many types
    return [row["id"] for row in page["data"]]


def test_lists_hold_what_the_caller_may_read(session: Session) -> None:
    child = make_child(session, "a:b", runner_id="runner_1")
    make_session(session.agent, owner="somebody")

    visible = [child.public_id, session.public_id]
    assert listed(OWNER) == listed(READER) == listed(RUNNER) == visible
    assert listed(STRANGER) == listed(OTHER_RUNNER) == []
    assert len(listed(ADMIN)) == 3


def test_mine_and_shared_divide_the_list(session: Session) -> None:
    own = make_session(session.agent, owner=EDITOR.user_id)

    assert listed(EDITOR, visibility="mine") == [own.public_id]
    assert listed(EDITOR, visibility="shared") == [session.public_id]


def test_foreign_rows_do_not_count_for_has_more(session: Session) -> None:
    viewer = listing.Viewer(user_id=READER.user_id, sees_all=False, shows_level=True)
    make_session(session.agent, owner="somebody")

    page = listing.read(viewer, listing.Filters(), Page(limit=1))

    assert ([row["id"] for row in page["data"]], page["has_more"]) == ([session.public_id], False)
    assert page["data"][0]["permission_level"] == 1


def test_a_sub_agent_is_listed_with_the_level_on_its_root(session: Session) -> None:
    make_child(make_child(session, "a:b"), "c:d")
    viewer = listing.Viewer(user_id=EDITOR.user_id, sees_all=False, shows_level=True)

    page = listing.read(viewer, listing.Filters(kind="sub_agent"), Page(limit=5))

    assert [row["permission_level"] for row in page["data"]] == [2, 2]


def test_a_foreign_cursor_is_stale(session: Session) -> None:
    foreign = make_session(session.agent, owner="somebody")
    viewer = listing.Viewer(user_id=READER.user_id, sees_all=False, shows_level=True)

    with pytest.raises(OmnigentError) as refused:
        listing.read(viewer, listing.Filters(), Page(limit=1, after=foreign.public_id))

    assert refused.value.code == "stale_cursor"
