"""Server-wide policies in the admin: picked, filled in, saved through the services, and asked about first."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from policies_app.models import DefaultPolicy, PolicyVersion
from policies_app.services.revisions import current_revision
from tests.policies_rest.admin_pages import POLICIES, YES, add, change, changes, errors, text_of
from tests.policies_rest.conftest import Build
from tests.policies_rest.people import ASK, BLOCK_SKILLS, MAX_CALLS, local, send

pytestmark = pytest.mark.django_db
BUILTINS = "omnigent.policies.builtins"
COST = f"{BUILTINS}.cost.cost_budget"
SANDBOX = f"{BUILTINS}.safety.enforce_sandbox"
RISK = f"{BUILTINS}.risk_score.risk_score_policy"
PII = f"{BUILTINS}.safety.deny_pii_in_llm_request"


def the_policy() -> DefaultPolicy:
    return DefaultPolicy.objects.get()


def test_the_first_page_offers_what_is_in_the_registry() -> None:
    page = text_of(local().get(f"{POLICIES}add/"))

    for row in local().get("/v1/policy-registry").json()["data"]:
        assert row["handler"] in page
        assert row["name"] in page


def test_an_unregistered_handler_leads_back_to_the_picker() -> None:
    page = text_of(local().get(f"{POLICIES}add/?handler=os.system"))

    assert "“os.system” is not registered" in page
    assert add(local(), "os.system").status_code == 404
    assert not DefaultPolicy.objects.exists()


def test_an_added_policy_is_in_force_and_has_a_first_version() -> None:
    before = current_revision()

    answer = add(local(), ASK, name="ask first")

    assert answer.status_code == 302
    listed = local().get("/v1/policies").json()["data"]
    assert [(row["name"], row["handler"], row["enabled"]) for row in listed] == [("ask first", ASK, True)]
    assert "factory_params" not in listed[0]
    assert changes(the_policy().public_id) == ["created"]
    assert current_revision() > before


@pytest.mark.parametrize(
    ("handler", "typed", "stored"),
    [
        (MAX_CALLS, {"limit": "3"}, {"limit": 3}),
        (MAX_CALLS, {"limit": ""}, {}),
        (BLOCK_SKILLS, {"blocked": "deploy\r\n\r\n  release \r\n"}, {"blocked": ["deploy", "release"]}),
        (COST, {"max_cost_usd": "2.5"}, {"max_cost_usd": 2.5}),
        (
            COST,
            {"max_cost_usd": "20", "ask_thresholds_usd": "5\n7.5"},
            {"max_cost_usd": 20, "ask_thresholds_usd": [5, 7.5]},
        ),
        (
            SANDBOX,
            {"sandbox_type": "none", "write_paths": '["/tmp", {"path": "/srv"}]'},
            {"sandbox_type": "none", "allow_network": False, "write_paths": ["/tmp", {"path": "/srv"}]},
        ),
        (PII, {"pii_types": "email", "action": "ASK"}, {"pii_types": ["email"], "action": "ASK"}),
    ],
)
def test_parameters_are_stored_as_the_schema_means_them(
    handler: str, typed: dict[str, str], stored: dict[str, object]
) -> None:
    answer = add(local(), handler, **typed)

    assert answer.status_code == 302, errors(answer)
    assert (the_policy().factory_params or {}) == stored


@pytest.mark.parametrize(
    ("handler", "typed", "field", "words"),
    [
        (MAX_CALLS, {"limit": "-1"}, "limit", "must be at least 0"),
        (MAX_CALLS, {"limit": "many"}, "limit", "whole number"),
        (BLOCK_SKILLS, {"blocked": ""}, "blocked", "equires 'blocked'"),
        (COST, {"max_cost_usd": "0"}, "max_cost_usd", "must be greater than 0"),
        (COST, {"max_cost_usd": "1", "ask_thresholds_usd": "5\nlots"}, "ask_thresholds_usd", "'lots'"),
        (COST, {"max_cost_usd": "1", "ask_thresholds_usd": "nan"}, "ask_thresholds_usd", "not a number"),
        (SANDBOX, {"sandbox_type": "chroot"}, "sandbox_type", "chroot"),
        (SANDBOX, {"sandbox_type": "none", "write_paths": "[1"}, "write_paths", "not JSON"),
        (SANDBOX, {"sandbox_type": "none", "write_paths": "[" * 100_000}, "write_paths", "not JSON"),
        (SANDBOX, {"sandbox_type": "none", "write_paths": r'["\u0000"]'}, "write_paths", "NUL"),
        (MAX_CALLS, {"limit": "9" * 30}, "limit", "less than or equal to"),
        (RISK, {"tool_points": f'{{"Bash": {10**30}}}'}, "tool_points", "must be integer"),
        (
            RISK,
            {"tool_points": '{"Bash": -5}', "escalate_action": "ASK"},
            "tool_points",
            "must be at least 0",
        ),
    ],
)
def test_what_does_not_fit_is_said_at_its_field(
    handler: str, typed: dict[str, str], field: str, words: str
) -> None:
    found = errors(add(local(), handler, **typed))

    assert words in " ".join(found[field])
    assert not DefaultPolicy.objects.exists()


@pytest.mark.parametrize(
    ("typed", "field", "words"),
    [
        ({"name": " "}, "name", "required"),
        ({"name": "n" * 257}, "name", "256"),
        ({"approvers": "ada\nbob", "quorum": "3"}, "quorum", "must not be more than there are approvers"),
        ({"quorum": "0"}, "quorum", "greater than or equal to 1"),
        ({"ask_timeout": "-1"}, "ask_timeout", "greater than 0"),
        ({"mode": "sometimes"}, "mode", "sometimes"),
        ({"understood": ""}, "understood", "every session"),
    ],
)
def test_what_is_wrong_with_the_rest_is_said_at_its_field(
    typed: dict[str, str], field: str, words: str
) -> None:
    found = errors(add(local(), ASK, **typed))

    assert words in " ".join(found[field])
    assert not DefaultPolicy.objects.exists()


def test_a_taken_name_is_said_at_the_name() -> None:
    add(local(), ASK, name="taken")

    assert "already exists" in errors(add(local(), ASK, name="taken"))["name"][0]
    assert DefaultPolicy.objects.count() == 1


@pytest.mark.parametrize(
    ("address", "words"),
    [("http://example.com", "https://"), ("https://127.0.0.1/x", "cannot be used")],
)
def test_an_address_that_may_not_be_used_is_said_at_the_address(address: str, words: str) -> None:
    assert words in errors(add(local(), "url", address=address))["handler"][0]


def test_a_web_service_can_be_added() -> None:
    assert add(local(), "url", address="https://policies.example.com/judge").status_code == 302
    assert (the_policy().type, the_policy().handler) == ("url", "https://policies.example.com/judge")


def test_the_form_of_a_policy_shows_what_is_stored() -> None:
    add(local(), BLOCK_SKILLS, blocked="deploy\nrelease", approvers="ada")

    page = local().get(f"{POLICIES}{the_policy().pk}/change/")

    assert "deploy\nrelease</textarea>" in page.content.decode()
    assert "ada</textarea>" in page.content.decode()


def test_a_change_is_a_version() -> None:
    add(local(), MAX_CALLS, limit="3")

    answer = change(local(), the_policy(), limit="4", mode="shadow")

    assert answer.status_code == 302, errors(answer)
    assert (the_policy().factory_params, the_policy().mode) == ({"limit": 4}, "shadow")
    assert changes(the_policy().public_id) == ["created", "updated"]


def test_another_handler_starts_with_its_own_parameters() -> None:
    add(local(), MAX_CALLS, limit="3")

    shown = local().get(f"{POLICIES}{the_policy().pk}/change/?handler={BLOCK_SKILLS}")
    change(local(), the_policy(), handler=BLOCK_SKILLS, blocked="deploy")

    assert "param-limit" not in shown.context["form"].fields
    assert (the_policy().handler, the_policy().factory_params) == (BLOCK_SKILLS, {"blocked": ["deploy"]})


def test_saving_over_the_change_of_somebody_else_is_refused() -> None:
    add(local(), MAX_CALLS, limit="3")
    seen = the_policy()
    send(local(), "PATCH", f"/v1/policies/{seen.public_id}", {"name": "theirs"})

    found = errors(change(local(), seen, limit="9"))

    assert "Somebody has changed" in found["__all__"][0]
    assert (the_policy().name, the_policy().factory_params) == ("theirs", {"limit": 3})


@pytest.mark.parametrize(("verb", "change_"), [("disable", "disabled"), ("enable", "enabled")])
def test_switching_asks_first_and_says_that_it_affects_every_session(verb: str, change_: str) -> None:
    add(local(), ASK)
    policy = the_policy()
    if verb == "enable":
        local().post(f"{POLICIES}{policy.pk}/disable/", YES)
    before = the_policy().enabled

    asked = local().get(f"{POLICIES}{policy.pk}/{verb}/")
    unconfirmed = local().post(f"{POLICIES}{policy.pk}/{verb}/")

    assert "every session" in text_of(asked)
    assert "every session" in text_of(unconfirmed)
    assert the_policy().enabled == before
    assert local().post(f"{POLICIES}{policy.pk}/{verb}/", YES).status_code == 302
    assert the_policy().enabled != before
    assert changes(policy.public_id)[-1] == change_


def test_a_rollback_shows_what_it_will_change_and_asks_first() -> None:
    add(local(), MAX_CALLS, limit="3")
    policy = the_policy()
    change(local(), policy, limit="9")
    address = f"{POLICIES}history/{policy.public_id}/1/"

    history = text_of(local().get(f"{POLICIES}history/{policy.public_id}/"))
    asked = text_of(local().get(address))

    assert "limit = 3 limit = 9" in history
    assert "limit = 9 → limit = 3" in asked
    assert the_policy().factory_params == {"limit": 9}
    assert local().post(address, YES).status_code == 302
    assert the_policy().factory_params == {"limit": 3}
    assert changes(policy.public_id) == ["created", "updated", "rolled_back"]


def test_a_deleted_policy_comes_back_from_its_history() -> None:
    add(local(), ASK, name="precious")
    policy = the_policy()
    assert "every session" in text_of(local().get(f"{POLICIES}{policy.pk}/delete/"))
    local().post(f"{POLICIES}{policy.pk}/delete/", YES)
    assert not DefaultPolicy.objects.exists()

    assert "precious" in text_of(local().get("/admin/policies_app/policyversion/"))
    local().post(f"{POLICIES}history/{policy.public_id}/1/", YES)

    assert the_policy().public_id == policy.public_id


def test_a_rollback_to_a_taken_name_is_refused_in_words() -> None:
    add(local(), ASK, name="old")
    policy = the_policy()
    change(local(), policy, name="new")
    add(local(), ASK, name="old")

    answer = local().post(f"{POLICIES}history/{policy.public_id}/1/", YES)

    assert answer.status_code == 409
    assert "already exists" in text_of(answer)


@pytest.mark.parametrize(
    "path", ["9/change/", "9/disable/", "9/delete/", "history/pol_x/", "history/pol_x/1/", "x/change/"]
)
def test_what_is_not_there_is_not_found(path: str) -> None:
    assert local().get(f"{POLICIES}{path}").status_code == 404


def test_policies_of_the_config_file_are_listed_and_cannot_be_changed(configured: Build) -> None:
    configured(
        f"policies:\n  house:\n    type: function\n    handler: {MAX_CALLS}\n"
        "    factory_params: {limit: 7}\n"
    )

    page = text_of(local().get(POLICIES))

    assert "house" in page
    assert "limit = 7" in page


def test_the_list_costs_the_same_however_long_it_is() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert local().get(POLICIES).status_code == 200
        return len(captured)

    add(local(), ASK, name="0")
    statements()
    few = statements()
    for number in range(1, 8):
        add(local(), ASK, name=str(number))

    assert statements() == few
    assert PolicyVersion.objects.count() == 8
