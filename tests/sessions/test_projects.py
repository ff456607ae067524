"""Projects: a person's own folders, their order, and the sessions in them."""

from typing import Any

import httpx
import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from omnigent.api.pagination import Page
from sessions_app import listing, snapshot
from sessions_app.listing import Filters, Viewer
from sessions_app.models import Grant, Project, Session
from sessions_app.process import Process
from tests.error_shape import assert_error, assert_invalid
from tests.factories import label, make_agent, make_child, make_session

URL = "/v1/projects"
UNKNOWN = "proj_" + "0" * 32


def post(reader: Client, **body: Any) -> dict[str, Any]:
    answer = reader.post(URL, body, content_type="application/json")
    assert answer.status_code == 200, answer.content
    made: dict[str, Any] = answer.json()
    return made


def put_order(reader: Client, **body: Any) -> Any:
    return reader.put(f"{URL}/order", body, content_type="application/json")


def foreign_project(name: str = "theirs", owner: str = "somebody") -> Project:
    now = timezone.now()
    return Project.objects.create(owner=owner, name=name, created_at=now, updated_at=now)


def named(reader: Client) -> list[tuple[str | None, str]]:
    return [(row["id"], row["name"]) for row in reader.get("/v1/sessions/projects").json()]


def listed(reader: Client, **query: object) -> list[str]:
    answer = reader.get("/v1/sessions", query)
    assert answer.status_code == 200, answer.content
    return [row["id"] for row in answer.json()["data"]]


def test_a_project_is_made_shown_changed_and_deleted(reader: Client) -> None:
    made = post(reader, name=" Garden ", config={"icon": "🌱"})

    assert made["id"].startswith("proj_")
    assert made == {
        "id": made["id"],
        "object": "project",
        "name": "Garden",
        "created_at": made["created_at"],
        "updated_at": made["created_at"],
        "config": {"icon": "🌱"},
    }
    path = f"{URL}/{made['id']}"
    assert reader.get(path).json() == made
    changed = reader.patch(path, {"name": "Park"}, content_type="application/json").json()
    assert (changed["name"], changed["config"]) == ("Park", {"icon": "🌱"})
    changed = reader.patch(path, {"config": {}}, content_type="application/json").json()
    assert (changed["name"], changed["config"]) == ("Park", {})
    assert reader.patch(path, {}, content_type="application/json").json()["name"] == "Park"
    assert reader.delete(path).json() == {"id": made["id"], "object": "project.deleted", "deleted": True}
    assert_error(reader.get(path), 404, "not_found", "Project not found")
    assert_error(reader.delete(path), 404, "not_found", "Project not found")


def test_projects_are_paged_in_both_directions(reader: Client) -> None:
    ids = [post(reader, name=f"p{number}")["id"] for number in range(5)]
    foreign_project()

    first = reader.get(URL, {"limit": 2}).json()
    second = reader.get(URL, {"limit": 10, "after": first["last_id"]}).json()

    assert [row["id"] for row in (*first["data"], *second["data"])] == ids[::-1]
    assert (first["has_more"], second["has_more"]) == (True, False)
    assert [row["id"] for row in reader.get(URL, {"order": "asc"}).json()["data"]] == ids
    assert_error(reader.get(URL, {"after": UNKNOWN}), 400, "stale_cursor")
    assert_error(reader.get(URL, {"after": foreign_project("other").public_id}), 400, "stale_cursor")
    assert_error(reader.get(URL, {"after": "a/b"}), 404, "not_found")


def test_a_name_is_taken_once_per_person(reader: Client) -> None:
    foreign_project("Garden")
    post(reader, name="Garden")
    other = post(reader, name="Other")

    again = reader.post(URL, {"name": "Garden"}, content_type="application/json")
    renamed = reader.patch(f"{URL}/{other['id']}", {"name": "Garden"}, content_type="application/json")

    assert_error(again, 409, "already_exists")
    assert_error(renamed, 409, "already_exists")
    assert [row["name"] for row in reader.get(URL).json()["data"]] == ["Other", "Garden"]


@pytest.mark.parametrize(
    ("body", "field", "kind"),
    [
        ({}, "name", "missing"),
        ({"name": ""}, "name", "string_too_short"),
        ({"name": "  "}, "name", "string_too_short"),
        ({"name": "x" * 257}, "name", "string_too_long"),
        ({"name": 5}, "name", "string_type"),
        ({"name": "a\0"}, "name", "value_error"),
        ({"name": "a", "config": []}, "config", "dict_type"),
        ({"name": "a", "config": {"a": "x" * 65536}}, "config", "value_error"),
        ({"name": "a", "owner": "b"}, "owner", "extra_forbidden"),
    ],
)
def test_bad_projects_are_refused(reader: Client, body: dict[str, Any], field: str, kind: str) -> None:
    answer = reader.post(URL, body, content_type="application/json")

    assert_invalid(answer, "body", field, kind=kind)
    assert not Project.objects.exists()


def test_other_peoples_projects_are_unknown(reader: Client) -> None:
    foreign = f"{URL}/{foreign_project().public_id}"

    for answer in (
        reader.get(foreign),
        reader.patch(foreign, {"name": "mine"}, content_type="application/json"),
        reader.delete(foreign),
        put_order(reader, sort_mode="manual", ordered_project_ids=[foreign_project("b").public_id]),
    ):
        assert_error(answer, 404, "not_found", "Project not found")
    assert reader.get(URL).json()["data"] == []
    assert named(reader) == []


def test_one_key_makes_one_project(reader: Client) -> None:
    headers = {"Idempotency-Key": "k"}
    first = reader.post(URL, {"name": "a"}, content_type="application/json", headers=headers)
    second = reader.post(URL, {"name": "a"}, content_type="application/json", headers=headers)

    assert first.json() == second.json()
    assert Project.objects.count() == 1


def test_the_order_is_alphabetical_until_it_is_chosen_by_hand(reader: Client) -> None:
    ids = {name: post(reader, name=name)["id"] for name in ("b", "C", "a")}
    by_name = [ids["a"], ids["b"], ids["C"]]
    by_hand = [ids["C"], ids["a"]]
    assert reader.get(f"{URL}/order").json() == {"sort_mode": "alphabetical", "ordered_project_ids": []}
    assert [key for key, _ in named(reader)] == by_name

    chosen = put_order(reader, sort_mode="manual", ordered_project_ids=by_hand).json()

    assert chosen == {"sort_mode": "manual", "ordered_project_ids": by_hand}
    assert [key for key, _ in named(reader)] == [*by_hand, ids["b"]]
    back = put_order(reader, sort_mode="alphabetical").json()
    assert back == {"sort_mode": "alphabetical", "ordered_project_ids": by_hand}
    assert [key for key, _ in named(reader)] == by_name
    reader.delete(f"{URL}/{ids['C']}")
    assert reader.get(f"{URL}/order").json()["ordered_project_ids"] == [ids["a"]]


def test_bad_orders_are_refused(reader: Client) -> None:
    own = post(reader, name="a")["id"]

    twice = put_order(reader, sort_mode="manual", ordered_project_ids=[own, own.removeprefix("proj_")])
    assert_error(twice, 400, "invalid_input")
    assert_error(put_order(reader, sort_mode="manual", ordered_project_ids=[own, UNKNOWN]), 404, "not_found")
    assert_invalid(put_order(reader, sort_mode="random"), "body", "sort_mode", kind="string_pattern_mismatch")
    assert_invalid(put_order(reader), "body", "sort_mode", kind="missing")
    assert reader.get(f"{URL}/order").json() == {"sort_mode": "alphabetical", "ordered_project_ids": []}


def test_names_show_icons_and_the_labels_of_old(reader: Client) -> None:
    made = post(reader, name="b", config={"icon": "x"})
    for value in ("b", "old", "old"):
        label(make_session(), omni_project=value)
    label(make_session(owner="somebody"), omni_project="not mine")

    assert reader.get("/v1/sessions/projects").json() == [
        {"id": made["id"], "name": "b", "icon": "x"},
        {"id": None, "name": "old", "icon": None},
    ]


async def test_a_session_is_filed_moved_and_taken_out(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)
    path = f"/v1/sessions/{session.public_id}"
    ids = [(await http.post(URL, json={"name": name})).json()["id"] for name in ("a", "b")]
    await http.patch(path, json={"labels": {"omni_project": "old"}})

    filed = (await http.patch(path, json={"project_id": ids[0]})).json()
    moved = (await http.patch(path, json={"project_id": ids[1].removeprefix("proj_")})).json()
    row = (await http.get("/v1/sessions", params={"project": "b"})).json()["data"][0]
    unfiled = (await http.patch(path, json={"project_id": ""})).json()

    assert (filed["project_id"], filed["labels"]) == (ids[0], {})
    assert moved["project_id"] == row["project_id"] == ids[1]
    assert unfiled["project_id"] is None


async def test_the_label_of_old_takes_a_session_out_of_its_project(
    http: httpx.AsyncClient, process: Process
) -> None:
    session = await process.pool.run(make_session)
    path = f"/v1/sessions/{session.public_id}"
    project = (await http.post(URL, json={"name": "a"})).json()["id"]
    for value, labels in (("old", {"omni_project": "old"}), ("", {})):
        await http.patch(path, json={"project_id": project})

        shown = (await http.patch(path, json={"labels": {"omni_project": value}})).json()

        assert (shown["project_id"], shown["labels"]) == (None, labels)


async def test_bad_filings_change_nothing(http: httpx.AsyncClient, process: Process) -> None:
    parent = await process.pool.run(make_session)
    child = await process.pool.run(make_child, parent, "a:b")
    foreign = (await process.pool.run(foreign_project)).public_id
    own = (await http.post(URL, json={"name": "a"})).json()["id"]

    for wanted, status, code in (
        (foreign, 404, "not_found"),
        (UNKNOWN, 404, "not_found"),
        (None, 400, "invalid_input"),
    ):
        answer = await http.patch(
            f"/v1/sessions/{parent.public_id}", json={"title": "x", "project_id": wanted}
        )
        assert_error(answer, status, code)
    assert_error(
        await http.patch(f"/v1/sessions/{child.public_id}", json={"project_id": own}), 400, "invalid_input"
    )
    shown = (await http.get(f"/v1/sessions/{parent.public_id}")).json()
    assert (shown["title"], shown["project_id"]) == (None, None)


async def test_a_session_is_made_in_a_project_with_its_agent(
    http: httpx.AsyncClient, process: Process
) -> None:
    agent = await process.pool.run(make_agent, "gardener")
    config = {"default_agent_id": agent.public_id}
    project = (await http.post(URL, json={"name": "a", "config": config})).json()["id"]
    bare = (await http.post(URL, json={"name": "b"})).json()["id"]

    made = await http.post("/v1/sessions", json={"project_id": project})

    assert made.status_code == 201
    assert (made.json()["agent_name"], made.json()["project_id"]) == ("gardener", project)
    without = await http.post("/v1/sessions", json={"project_id": bare})
    assert_invalid(without, "body", "agent_id", kind="missing")
    unknown = {"agent_id": agent.public_id, "project_id": UNKNOWN}
    assert_error(await http.post("/v1/sessions", json=unknown), 404, "not_found", "Project not found")
    assert_invalid(await http.post("/v1/sessions", json={"title": "x"}), "body", "agent_id", kind="missing")


def test_deleting_a_project_unfiles_its_sessions(reader: Client) -> None:
    made = post(reader, name="a")
    session = make_session(project=Project.objects.get(public_id=made["id"]))

    reader.delete(f"{URL}/{made['id']}")

    session.refresh_from_db()
    assert session.project is None
    assert listed(reader, project="") == [session.public_id]


def test_the_list_is_narrowed_to_a_project_by_its_name(reader: Client) -> None:
    project = Project.objects.get(public_id=post(reader, name="a")["id"])
    filed, labelled, unfiled = make_session(project=project), make_session(), make_session()
    label(labelled, omni_project="a")
    make_session(project=foreign_project("a"), owner="somebody")

    assert listed(reader, project="a") == [labelled.public_id, filed.public_id]
    assert listed(reader, project="A") == []
    assert listed(reader, project="", visibility="mine")[-1] == unfiled.public_id


@pytest.fixture
def shared(db: None) -> Session:
    """A session of ann, in a project of hers, that bob may read."""
    session = make_session(owner="ann", project=foreign_project("hers", "ann"))
    Grant.objects.create(session=session, user_id="bob", level=1)
    return session


def rows_of(user: str, **filters: Any) -> list[dict[str, Any]]:
    viewer = Viewer(user_id=user, sees_all=False, shows_level=True)
    rows: list[dict[str, Any]] = listing.read(viewer, Filters(**filters), Page(limit=20))["data"]
    return rows


def test_where_a_session_is_filed_is_its_owners_business(shared: Session) -> None:
    assert rows_of("ann")[0]["project_id"] == shared.project.public_id
    assert "project_id" not in rows_of("bob")[0]
    assert len(rows_of("ann", project="hers")) == 1
    assert rows_of("bob", project="hers") == []
    assert rows_of("ann", project="") == []
    assert len(rows_of("bob", project="")) == 1
    for user, shown in (("ann", shared.project.public_id), ("bob", None)):
        read = snapshot.read(shared.pk, permission_level=1, user_id=user)
        assert read is not None
        assert read["project_id"] == shown


def test_names_take_as_many_statements_for_many(reader: Client) -> None:
    def statements() -> int:
        reader.get("/v1/sessions/projects")
        with CaptureQueriesContext(connection) as captured:
            reader.get("/v1/sessions/projects")
            reader.get(URL)
        return len(captured)

    post(reader, name="a")
    few = statements()
    for number in range(30):
        post(reader, name=f"p{number}")
        label(make_session(), omni_project=f"old {number}")

    assert statements() == few
