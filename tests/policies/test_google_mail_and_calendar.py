"""The policies over Gmail and Google Calendar, and the parameters of all Google policies."""

import inspect
from collections.abc import Callable

import pytest

from omnigent.policies.builtins.google import POLICY_REGISTRY, gcalendar_policy, gdrive_policy, gmail_policy
from omnigent.policies.calls import Handler
from omnigent.policies.registry import build_registry
from tests.policies.events import Json, tool_call, tool_result

Factory = Callable[..., Handler]
MADE = {"gmail_created_draft_ids": ["d1"]}


def verdict_of(policy: Handler, name: str, arguments: Json | None = None, state: Json | None = None) -> str:
    """ALLOW, DENY or ASK; no opinion is ALLOW."""
    answer = policy(tool_call(name, arguments, state=state))
    return "ALLOW" if answer is None else str(answer["result"])


MAIL = [
    ({}, "gmail_search", "ALLOW"),
    ({}, "gmail_profile_get", "ALLOW"),
    ({"allow_read": False}, "gmail_thread_get", "DENY"),
    ({}, "gmail_message_send", "DENY"),
    ({"allow_send": True}, "gmail_message_send", "ALLOW"),
    ({}, "gmail_draft_create", "ALLOW"),
    ({"allow_drafts": False}, "gmail_draft_create", "DENY"),
    ({}, "gmail_draft_update", "DENY"),
    ({}, "gmail_message_modify", "DENY"),
    ({"allow_modify": True}, "gmail_thread_modify", "ALLOW"),
    ({"allow_modify": True, "allow_send": True}, "gmail_message_delete", "DENY"),
    ({}, "drive_file_delete", "ALLOW"),
]
CALENDAR = [
    ({}, "calendar_freebusy_query", "ALLOW"),
    ({"allow_read": False}, "calendar_calendar_list", "DENY"),
    ({}, "calendar_event_create", "DENY"),
    ({"allow_create_events": True}, "calendar_calendar_create", "ALLOW"),
    ({"allow_create_events": True}, "calendar_event_delete", "DENY"),
    ({"allow_modify_events": True}, "calendar_event_update", "ALLOW"),
    ({"allow_modify_events": True}, "calendar_calendar_delete", "DENY"),
    ({}, "gmail_message_send", "ALLOW"),
]


@pytest.mark.parametrize(("params", "name", "wanted"), MAIL)
@pytest.mark.parametrize("prefix", ["mcp__google__", "google__", "MCP__GOOGLE__"])
def test_each_kind_of_mail_tool_has_its_switch(params: Json, name: str, wanted: str, prefix: str) -> None:
    assert verdict_of(gmail_policy(**params), prefix + name) == wanted


@pytest.mark.parametrize(("params", "name", "wanted"), CALENDAR)
def test_each_kind_of_calendar_tool_has_its_switch(params: Json, name: str, wanted: str) -> None:
    assert verdict_of(gcalendar_policy(**params), f"mcp__google__{name}") == wanted


@pytest.mark.parametrize(
    ("arguments", "wanted"),
    [
        ({"draft_id": "d1"}, "ALLOW"),
        ({"draftId": "d1"}, "ALLOW"),
        ({"draft_id": "d2"}, "DENY"),
        ({"draft_id": "d1", "id": "d2"}, "DENY"),
        ({"draft_id": ["d1"]}, "DENY"),
        ({}, "DENY"),
    ],
)
@pytest.mark.parametrize("name", ["gmail_draft_update", "gmail_draft_delete"])
def test_only_drafts_of_the_session_may_be_changed(name: str, arguments: Json, wanted: str) -> None:
    assert verdict_of(gmail_policy(), name, arguments, MADE) == wanted


def test_drafts_made_in_the_session_are_remembered() -> None:
    policy = gmail_policy()

    made = policy(tool_result("mcp__google__gmail_draft_create", '{"id": "d2"}', state=MADE))

    assert made is not None
    assert made["state_updates"] == [{"key": "gmail_created_draft_ids", "action": "append", "value": "d2"}]
    assert policy(tool_result("mcp__google__gmail_search", '{"id": "d2"}')) is None


def test_other_prefixes_can_be_named() -> None:
    policy = gmail_policy(tool_prefixes=["work."], deny_reason="no mail from here")

    assert policy(tool_call("work.gmail_message_send")) == {"result": "DENY", "reason": "no mail from here"}
    assert policy(tool_call("mcp__google__gmail_message_send")) is None


@pytest.mark.parametrize(
    ("factory", "params", "words"),
    [
        (gdrive_policy, {"read_all": "no"}, "read_all must be true or false"),
        (gdrive_policy, {"read_files": "doc"}, "read_files must be a list"),
        (gdrive_policy, {"write_down_action": "allow"}, "write_down_action must be DENY or ASK"),
        (gdrive_policy, {"write_down_action": 5}, "write_down_action must be DENY or ASK"),
        (gmail_policy, {"allow_send": 1}, "allow_send must be true or false"),
        (gmail_policy, {"tool_prefixes": [""]}, "tool_prefixes must be a list"),
        (gcalendar_policy, {"deny_reason": 5}, "deny_reason must be a text"),
    ],
)
def test_bad_parameters_are_refused_in_words(factory: Factory, params: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        factory(**params)


@pytest.mark.parametrize("factory", [gdrive_policy, gmail_policy, gcalendar_policy])
def test_the_schema_names_every_parameter_with_its_default(factory: Factory) -> None:
    handler = f"omnigent.policies.builtins.google.{factory.__name__}"
    entry = build_registry([]).get(handler)
    assert entry is not None
    parameters = inspect.signature(factory).parameters

    described = {name: rule["default"] for name, rule in entry.params_schema["properties"].items()}

    assert {
        name: list(item.default) if isinstance(item.default, tuple) else item.default
        for name, item in parameters.items()
    } == described
    assert len(POLICY_REGISTRY) == 3
