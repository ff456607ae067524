"""The decision log in the admin: filtered, looked into, drawn, verified."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from policies_app.models import Decision
from tests.policies_rest.admin_pages import DECISIONS, text_of
from tests.policies_rest.log import append, new
from tests.policies_rest.people import local

pytestmark = pytest.mark.django_db
SESSION = "conv_" + "a" * 32
CHILD = "conv_" + "b" * 32


def listed(**query: str) -> str:
    answer = local().get(DECISIONS, query)
    assert answer.status_code == 200
    return text_of(answer)


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ({"verdict__exact": "deny"}, {"too-late"}),
        ({"phase": "request"}, {"well-well"}),
        ({"policy_id": "pol_x"}, {"too-late"}),
        ({"actor": "mia"}, {"well-well"}),
        ({"session": SESSION}, {"well-well", "too-late"}),
        ({"session": CHILD}, {"too-late"}),
        ({"session": "nonsense"}, set()),
        ({"q": "Bash"}, {"too-late", "go-on"}),
        ({"q": CHILD}, {"too-late"}),
        ({"session": SESSION, "actor": "mia"}, {"well-well"}),
    ],
)
def test_filters_and_search_keep_what_fits(query: dict[str, str], kept: set[str]) -> None:
    append(
        new(verdict="deny", reason="too-late", policy_id="pol_x", session_id=CHILD, root_session_id=SESSION),
        new(verdict="ask", reason="well-well", phase="request", actor="mia", session_id=SESSION, target=""),
        new(reason="go-on"),
    )

    page = listed(**query)

    assert {reason for reason in ("too-late", "well-well", "go-on") if reason in page} == kept


def test_a_decision_is_shown_with_its_steps_and_its_redacted_input() -> None:
    event = {"data": {"arguments": {"command": "deploy", "password": "[redacted]"}}}
    append(new(verdict="deny", reason="Not on Fridays", policy_name="fridays", level="server", input=event))

    page = text_of(local().get(f"{DECISIONS}1/change/"))

    assert "Not on Fridays" in page
    assert '"password": "[redacted]"' in page
    assert "12 µs" in page
    assert Decision.objects.get().hash in page


def test_what_agents_write_is_shown_as_text() -> None:
    append(new(verdict="deny", reason="<script>alert(1)</script>", target="<b>x", input={"k": "</pre><i>"}))

    for path in ("", "1/change/"):
        page = local().get(f"{DECISIONS}{path}").content.decode()
        assert "<script>alert" not in page
        assert "</pre><i>" not in page


def test_nobody_changes_a_decision_here() -> None:
    append(new())

    for path in ("add/", "1/change/", "1/delete/"):
        assert local().post(f"{DECISIONS}{path}", {"reason": "x"}).status_code in (200, 403)
    assert Decision.objects.get().reason == ""


def test_the_chart_draws_each_day_by_verdict() -> None:
    now = timezone.now()
    append(
        *(new(verdict="deny", created_at=now, policy_name="strict", policy_id="pol_s") for _ in range(3)),
        new(verdict="allow", created_at=now - timedelta(days=1)),
        new(verdict="deny", created_at=now - timedelta(days=40), policy_name="old", policy_id="pol_o"),
    )

    answer = local().get(DECISIONS)
    page = answer.content.decode()

    assert f"<title>{now:%d %B}: 3 deny</title>" in page
    assert page.count('<rect class="bar-allow"') == 1
    assert [(one.name, one.count) for one in answer.context["denying"]] == [("strict", 3)]


def test_the_chain_verifies_until_somebody_changes_a_row() -> None:
    append(new(), new())
    assert "The chain verifies" in text_of(local().post(f"{DECISIONS}verification/"))

    Decision.objects.filter(seq=1).update(verdict="deny")

    page = text_of(local().post(f"{DECISIONS}verification/"))
    assert "First fault: row 1 was edited" in page


def test_asking_for_the_verification_by_its_address_alone_does_nothing() -> None:
    assert local().get(f"{DECISIONS}verification/").status_code == 405


def test_the_list_costs_the_same_however_long_it_is() -> None:
    def statements() -> int:
        with CaptureQueriesContext(connection) as captured:
            listed()
        return len(captured)

    append(new())
    statements()
    few = statements()
    append(*(new() for _ in range(30)))

    assert statements() == few
