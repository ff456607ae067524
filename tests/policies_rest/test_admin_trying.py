"""Trying policies in the admin: on one event, on what was decided, and in shadow."""

from typing import Any

import pytest
from django.utils import timezone

from policies_app.models import Decision, DefaultPolicy
from tests.policies_rest.admin_pages import POLICIES, add, change, errors, text_of
from tests.policies_rest.log import append, new
from tests.policies_rest.people import ASK, BLOCK_SKILLS, local

pytestmark = pytest.mark.django_db
SLEEP = "omnigent.policies.block_long_sleep"


def attempt(**fields: str) -> Any:
    return local().post(f"{POLICIES}{DefaultPolicy.objects.get().pk}/try/", {"phase": "tool_call", **fields})


@pytest.mark.parametrize(
    ("command", "verdict"), [("sleep 500", "deny"), ("sleep 1", "allow")], ids=["long", "short"]
)
def test_one_event_is_tried_and_nothing_is_logged(command: str, verdict: str) -> None:
    add(local(), SLEEP, max_seconds="5")

    answer = attempt(target="sys_os_shell", arguments=f'{{"command": "{command}"}}')

    assert answer.context["verdict"].action == verdict
    assert f'<span class="pill pill-{verdict}">' in answer.content.decode()
    assert not Decision.objects.exists()


def test_a_message_can_be_tried() -> None:
    add(local(), BLOCK_SKILLS, blocked="deploy")

    assert attempt(phase="request", text="/deploy now").context["verdict"].action == "deny"
    assert attempt(phase="request", text="hello").context["verdict"].action == "allow"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"target": ""}, "target"),
        ({"target": "Bash", "arguments": "[1]"}, "arguments"),
        ({"target": "Bash", "arguments": "{"}, "arguments"),
        ({"phase": "dream"}, "phase"),
    ],
)
def test_what_is_no_event_is_said_at_its_field(fields: dict[str, str], field: str) -> None:
    add(local(), ASK)

    assert errors(attempt(**fields))[field]


def test_an_address_is_not_called_from_here() -> None:
    add(local(), "url", address="https://policies.example.com/judge")

    answer = attempt(target="Bash")

    assert "is not called from here" in text_of(answer)
    assert answer.context["verdict"] is None


def test_a_draft_is_tried_on_what_was_decided_and_not_saved() -> None:
    append(*(new(created_at=timezone.now(), input=call(command)) for command in ("sleep 900", "ls", "pwd")))

    answer = add(local(), SLEEP, max_seconds="5", understood="", backtest="yes", days="7")

    assert answer.context["trial"]["counts"]["allow_to_deny"] == 1
    assert "allowed, now denied" in text_of(answer)
    assert not DefaultPolicy.objects.exists()


def test_changes_of_a_policy_are_tried_and_not_saved() -> None:
    add(local(), SLEEP, max_seconds="5")
    policy = DefaultPolicy.objects.get()
    step = {"id": policy.public_id, "name": "a", "version": 1, "verdict": "allow", "micros": 3}
    append(new(created_at=timezone.now(), input=call("sleep 90"), steps=[step]))

    answer = change(local(), policy, max_seconds="10", backtest="yes", days="1")

    assert answer.context["trial"]["counts"]["allow_to_deny"] == 1
    assert DefaultPolicy.objects.get().factory_params == {"max_seconds": 5}


def test_what_cannot_be_tried_is_said_in_words() -> None:
    handler = "omnigent.policies.builtins.prompt.prompt_policy"

    answer = add(local(), handler, prompt="Be kind", backtest="yes")

    assert "cannot be backtested" in text_of(answer)


def test_what_a_policy_said_in_shadow_is_counted() -> None:
    add(local(), ASK, mode="shadow")
    policy = DefaultPolicy.objects.get()
    said = {"id": policy.public_id, "name": "a", "version": 1, "verdict": "ask", "micros": 3}
    append(new(created_at=timezone.now(), shadow=[said]))

    page = text_of(local().get(f"{POLICIES}{policy.pk}/shadow/"))

    assert "now asked about 1" in page
    assert "It was asked 1 times" in page


def call(command: str) -> dict[str, Any]:
    """An event as the log keeps it."""
    return {
        "type": "tool_call",
        "target": "sys_os_shell",
        "data": {"name": "sys_os_shell", "arguments": {"command": command}},
        "context": {},
    }
