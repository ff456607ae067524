"""/v1/policies, sentence by sentence of the published documentation."""

import json
import subprocess
from typing import Any

import httpx
import pytest

from tests.e2e.api import Api, of_type, texts
from tests.e2e.seed.rules import ASK_ON_OS, CEL, LONG_SLEEP, House, always, result, shell, unique
from tests.e2e.stack import Stack

EXAMPLE = "github_mcp_policy.block_non_misc_push"
LIMIT = "omnigent.policies.builtins.safety.max_tool_calls_per_session"
SHOWN = ("id", "name", "type", "handler", "enabled", "created_at")


def example(**fields: Any) -> dict[str, Any]:
    return {"name": unique("block_non_feature_branch_push"), "type": "python", "handler": EXAMPLE, **fields}


def listed(api: Api) -> list[dict[str, Any]]:
    answer = api.get("/v1/policies")
    assert (set(answer), answer["object"]) == ({"object", "data"}, "list")
    rows: list[dict[str, Any]] = answer["data"]
    return rows


def test_server_wide_policies_apply_to_all_sessions(api: Api, member: Api, house: House) -> None:
    before = [(one, one.create(host_id=None)["id"]) for one in (api, member)]
    house.add(CEL, factory_params=always("deny", "closed"))
    after = [(one, one.create(host_id=None)["id"]) for one in (api, member)]

    assert [result(one, session_id, shell("ls")) for one, session_id in before + after] == ["deny"] * 4


def test_server_wide_policies_are_managed_separately_from_session_level_policies(
    api: Api, admin: Api, house: House
) -> None:
    session_id = api.create(host_id=None)["id"]
    made = house.add()

    there = api.http.get(f"/v1/sessions/{session_id}/policies/{made['id']}")
    changed = api.http.patch(f"/v1/sessions/{session_id}/policies/{made['id']}", json={"enabled": False})

    assert {there.status_code, changed.status_code} == {httpx.codes.NOT_FOUND}
    assert admin.get(f"/v1/policies/{made['id']}")["enabled"] is True


def test_creating_or_deleting_them_requires_admin_privileges(mode: str, member: Api, house: House) -> None:
    made = house.add()
    allowed = mode == "single-user"
    created = member.http.post("/v1/policies", json=example())
    changed = member.http.patch(f"/v1/policies/{made['id']}", json={"enabled": False})
    deleted = member.http.delete(f"/v1/policies/{made['id']}")

    expected = httpx.codes.OK if allowed else httpx.codes.FORBIDDEN
    assert {created.status_code, changed.status_code, deleted.status_code} == {expected}
    if allowed:
        member.http.delete(f"/v1/policies/{created.json()['id']}")
    else:
        assert created.json()["error"]["code"] == "forbidden"
        assert made in listed(member)


def test_somebody_unknown_is_refused(mode: str, stack: Stack) -> None:
    expected = httpx.codes.OK if mode == "single-user" else httpx.codes.UNAUTHORIZED

    for path in ("/v1/policies", "/v1/policy-registry"):
        assert httpx.get(f"{stack.url}{path}").status_code == expected


def test_get_returns_all_server_wide_default_policies(member: Api, house: House) -> None:
    made = [house.add() for _ in range(3)]

    rows = listed(member)

    assert [row for row in rows if row["id"] in {one["id"] for one in made}] == made


def test_the_response_has_the_members_of_the_example(member: Api, house: House) -> None:
    made = house.post(example()).json()

    [row] = [row for row in listed(member) if row["id"] == made["id"]]

    assert set(SHOWN) <= set(row)
    assert row["id"].startswith("pol_srv_")
    assert (row["name"], row["type"], row["handler"]) == (made["name"], "python", EXAMPLE)
    assert row["enabled"] is True
    assert isinstance(row["created_at"], int)


def test_post_creates_a_default_policy(member: Api, house: House) -> None:
    answer = house.post(example())

    assert answer.status_code == httpx.codes.OK
    assert member.get(f"/v1/policies/{answer.json()['id']}") == answer.json()


def test_the_example_handler_blocks_pushes_outside_misc(api: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    house.post(example())

    assert result(api, session_id, shell("git push origin main")) == "deny"
    assert result(api, session_id, shell("git push origin misc/notes")) == "allow"


def test_name_must_be_globally_unique(admin: Api, house: House) -> None:
    made, other = house.add(), house.add()

    again = house.post(example(name=made["name"]))
    renamed = admin.http.patch(f"/v1/policies/{other['id']}", json={"name": made["name"]})

    assert (again.status_code, renamed.status_code) == (httpx.codes.CONFLICT, httpx.codes.CONFLICT)


@pytest.mark.parametrize("missing", ["name", "type", "handler"])
def test_these_are_required(house: House, missing: str) -> None:
    body = example()
    del body[missing]

    assert house.post(body).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_type_is_python_or_url(house: House) -> None:
    assert house.post(example()).json()["type"] == "python"
    url = house.post({"name": unique(), "type": "url", "handler": "https://policies.example.com/check"})
    assert (url.status_code, url.json()["type"]) == (httpx.codes.OK, "url")
    assert house.post(example(type="ruby")).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_handler_is_a_dotted_import_path_for_python(house: House) -> None:
    assert house.post(example(handler="nodots")).status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert house.post(example(handler="os.system")).status_code == httpx.codes.BAD_REQUEST


@pytest.mark.parametrize("handler", [ASK_ON_OS, "http://policies.example.com", "ftp://policies.example.com"])
def test_handler_is_an_https_url_for_url(house: House, handler: str) -> None:
    answer = house.post({"name": unique(), "type": "url", "handler": handler})

    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_factory_params_are_passed_to_the_factory(api: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    made = house.add(LIMIT, factory_params={"limit": 10})

    verdicts = [result(api, session_id, shell(f"echo {number}")) for number in range(11)]

    assert made["factory_params"] == {"limit": 10}
    assert verdicts == ["allow"] * 10 + ["deny"]


def test_factory_params_are_optional(house: House) -> None:
    assert "factory_params" not in house.add(LONG_SLEEP)


def test_factory_params_are_only_valid_for_python(house: House) -> None:
    body = {"name": unique(), "type": "url", "handler": "https://policies.example.com", "factory_params": {}}

    assert house.post(body).status_code == httpx.codes.UNPROCESSABLE_ENTITY


def test_get_returns_a_single_server_wide_policy(member: Api, house: House) -> None:
    made = house.add()

    assert member.get(f"/v1/policies/{made['id']}") == made
    assert member.http.get("/v1/policies/pol_srv_abc").status_code == httpx.codes.NOT_FOUND


def test_patch_updates_name_handler_and_enabled(admin: Api, house: House) -> None:
    made = house.add()
    changes = {"name": unique("renamed"), "handler": LONG_SLEEP, "enabled": False}

    answer = admin.http.patch(f"/v1/policies/{made['id']}", json=changes)

    assert answer.status_code == httpx.codes.OK
    assert changes.items() <= answer.json().items()
    assert admin.get(f"/v1/policies/{made['id']}") == answer.json()


@pytest.mark.parametrize("field", ["name", "handler", "enabled"])
def test_null_leaves_unchanged(admin: Api, house: House, field: str) -> None:
    made = house.add()

    answer = admin.http.patch(f"/v1/policies/{made['id']}", json={field: None})

    assert answer.status_code == httpx.codes.OK
    assert answer.json()[field] == made[field]


def test_the_type_field_is_immutable(admin: Api, house: House) -> None:
    made = house.add()

    answer = admin.http.patch(f"/v1/policies/{made['id']}", json={"type": "url"})

    assert answer.status_code == httpx.codes.UNPROCESSABLE_ENTITY
    assert admin.get(f"/v1/policies/{made['id']}")["type"] == "python"


def test_enabled_enables_or_disables_the_policy(api: Api, admin: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    made = house.add(CEL, factory_params=always("deny", "closed"))
    verdicts = []
    for enabled in (True, False, True):
        admin.http.patch(f"/v1/policies/{made['id']}", json={"enabled": enabled})
        verdicts.append(result(api, session_id, shell("ls")))

    assert verdicts == ["deny", "allow", "deny"]
    assert made["id"] in [row["id"] for row in listed(admin)]


def test_delete_deletes_a_server_wide_policy(api: Api, admin: Api, house: House) -> None:
    session_id = api.create(host_id=None)["id"]
    made = house.add(CEL, factory_params=always("deny", "closed"))

    answer = admin.http.delete(f"/v1/policies/{made['id']}")

    assert (answer.status_code, answer.json()) == (httpx.codes.OK, {"deleted": True})
    assert made["id"] not in [row["id"] for row in listed(admin)]
    assert result(api, session_id, shell("ls")) == "allow"


def test_delete_is_idempotent_and_a_missing_policy_returns_204(admin: Api, house: House) -> None:
    made = house.add()
    admin.http.delete(f"/v1/policies/{made['id']}")

    for policy_id in (made["id"], "pol_srv_abc"):
        answer = admin.http.delete(f"/v1/policies/{policy_id}")
        assert (answer.status_code, answer.content) == (httpx.codes.NO_CONTENT, b"")


def curl(api: Api, path: str, *more: str) -> Any:
    """A curl example as it is printed, with this server's address and the caller's token."""
    token = api.http.headers.get("Authorization", "Bearer <token>")
    command = ["curl", "-sS", *more, "-H", f"Authorization: {token}", f"{api.url}{path}"]
    ran = subprocess.run(command, capture_output=True, check=True, timeout=30)
    return json.loads(ran.stdout)


def test_the_curl_examples_run_as_they_are_printed(admin: Api, house: House) -> None:
    made = house.post(example()).json()

    assert made in curl(admin, "/v1/policies")["data"]
    assert EXAMPLE in [row["handler"] for row in curl(admin, "/v1/policy-registry")["data"]]
    assert curl(admin, f"/v1/policies/{made['id']}", "-X", "DELETE") == {"deleted": True}
    assert made not in curl(admin, "/v1/policies")["data"]


def test_they_hold_for_what_a_running_agent_does(stack: Stack, house: House) -> None:
    house.add(CEL, factory_params=always("deny", "closed on Sundays"))
    session_id = stack.api.create()["id"]
    stream = stack.stream(session_id)

    stack.api.message(session_id, "Run the shell command: echo done > proof")
    stream.wait_settled()

    [output] = of_type(stack.api.items(session_id), "function_call_output")
    assert "closed on Sundays" in output["output"]
    assert texts(stack.api.items(session_id), "user")
