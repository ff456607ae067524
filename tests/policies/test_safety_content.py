"""Sandboxes of agents, personal data in requests, and sleeping."""

from typing import Any

import pytest

from omnigent.policies.builtins.safety import block_long_sleep, deny_pii_in_llm_request, enforce_sandbox
from tests.policies.events import event, request, shell, tool_call, tool_result

Json = dict[str, Any]


def result_of(answer: Json | None) -> str | None:
    return None if answer is None else answer["result"]


def start(sandbox: object, **rest: Any) -> Json:
    return tool_call("sys_agent_start", {"sandbox": sandbox, **rest})


def test_the_sandbox_of_an_agent_is_replaced_and_unknown_keys_are_dropped() -> None:
    answer = enforce_sandbox()(start({"type": "none", "zzz": 1}, k=2))

    sandbox = {"type": "linux_bwrap", "allow_network": True}
    data = {"name": "sys_agent_start", "arguments": {"sandbox": sandbox, "k": 2}}
    assert answer == {"result": "ALLOW", "data": data}


SANDBOXES = [
    ({}, {"read_paths": ["/a"]}, {"type": "linux_bwrap", "allow_network": True, "read_paths": ["/a"]}),
    ({"read_paths": ["/b"]}, {"read_paths": ["/a"]}, {"read_paths": ["/b"]}),
    ({"read_paths": []}, {"read_paths": ["/a"]}, {"read_paths": []}),
    ({"allow_network": False}, {"allow_network": True}, {"allow_network": False}),
    ({"sandbox_type": "none"}, {"type": "linux_bwrap"}, {"type": "none"}),
    ({"env_passthrough": None}, {"env_passthrough": ["A"]}, {"env_passthrough": ["A"]}),
    ({"env_passthrough": ["B"]}, {"env_passthrough": ["A"]}, {"env_passthrough": ["B"]}),
    (
        {"write_paths": ["/a", {"path": "/b"}, {"path": "/c", "copy_on_write": True}]},
        {},
        {
            "write_paths": [
                "/a",
                {"path": "/b", "copy_on_write": False},
                {"path": "/c", "copy_on_write": True},
            ]
        },
    ),
    ({}, "none", {"type": "linux_bwrap"}),
    ({}, None, {"type": "linux_bwrap"}),
]


@pytest.mark.parametrize(("params", "asked", "expected"), SANDBOXES)
def test_parameters_override_what_the_agent_asked_for(params: Json, asked: object, expected: Json) -> None:
    answer = enforce_sandbox(**params)(start(asked))

    assert answer is not None
    sandbox = answer["data"]["arguments"]["sandbox"]
    assert {key: sandbox[key] for key in expected} == expected


def test_only_the_start_of_an_agent_is_rewritten() -> None:
    assert enforce_sandbox()(tool_call("Bash", {"sandbox": {}})) is None
    assert enforce_sandbox()(request("sys_agent_start")) is None


def llm(**data: str) -> Json:
    return event("llm_request", data)


FOUND = [
    ("ssn 123-45-6789.", "social security number found: 123-45-6789"),
    ("card 4111 1111 1111 1111 thanks", "credit card number found: 4111 1111 1111 1111"),
    ("4111-1111-1111-1111-111", "credit card number found: 4111-1111-1111-1111-"),
    ("4111111111111111", "credit card number found: 4111111111111111"),
    ("mail a.b+c@example.co.uk!", "email address found: a.b+c@example.co.uk"),
    ("mail averyveryverylongname@example.com", "email address found: averyveryverylongnam"),
    ("call 555-123-4567", "phone number found: 555-123-4567"),
    ("call (555) 123-4567", "phone number found: (555) 123-4567"),
    ("call 555.123.4567", "phone number found: 555.123.4567"),
    ("call +44 20 7946 0958", "phone number found: +44 20 7946 0958"),
    ("call +491511234567", "phone number found: +491511234567"),
    ("call 030 1234 5678", "phone number found: 030 1234 5678"),
]


@pytest.mark.parametrize(("text", "reason"), FOUND)
def test_personal_data_is_denied_with_its_kind_and_a_short_piece(text: str, reason: str) -> None:
    gate = deny_pii_in_llm_request()
    attached = [{"filename": "a.txt", "content_type": "text/plain", "text": text}]

    for given in (
        request(text),
        request("see file", attached),
        llm(last_user_message=text),
        llm(system_prompt_preview=text),
    ):
        assert gate(given) == {"result": "DENY", "reason": reason}


@pytest.mark.parametrize(
    "text",
    [
        "hello",
        "12345",
        "2024-11-22 10:30:00",
        "version 1.2.3",
        "a@b",
        "12-345-6789",
        "123-45-67890",
        "127.0.0.1",
    ],
)
def test_ordinary_text_passes(text: str) -> None:
    assert deny_pii_in_llm_request()(request(text)) is None


@pytest.mark.parametrize(
    ("params", "text", "result"),
    [
        ({"pii_types": ["ssn"]}, "a@example.com", None),
        ({"pii_types": ["ssn"]}, "123-45-6789", "DENY"),
        ({"pii_types": []}, "a@example.com", "DENY"),
        ({"pii_types": ["unheard_of"]}, "a@example.com", "DENY"),
        ({"pii_types": ["email", "unheard_of"], "action": "ASK"}, "a@example.com", "ASK"),
        ({"action": "ask"}, "a@example.com", "ASK"),
    ],
)
def test_kinds_and_action_are_chosen(params: Json, text: str, result: str | None) -> None:
    assert result_of(deny_pii_in_llm_request(**params)(request(text))) == result


@pytest.mark.parametrize("other", [shell("echo a@example.com"), tool_result("x", "a@example.com")])
def test_tools_are_not_searched_for_personal_data(other: Json) -> None:
    assert deny_pii_in_llm_request()(other) is None


SLEEP_TOOLS = [
    ("sleep", {"seconds": 6}, "DENY"),
    ("sleep", {"seconds": 5}, None),
    ("mcp__clock__sleep", {"duration": 6.5}, "DENY"),
    ("mcp__clock__sleep", {"duration": "1m"}, "DENY"),
    ("mcp__clock__sleep", {"seconds": 1, "duration": 100}, "DENY"),
    ("sleep", {}, "ASK"),
    ("sleep", {"seconds": None}, "ASK"),
    ("sleep", {"seconds": True}, "ASK"),
    ("sleep", {"seconds": "a while"}, "ASK"),
    ("oversleep", {"seconds": 100}, None),
]


@pytest.mark.parametrize(("tool", "arguments", "result"), SLEEP_TOOLS)
def test_sleep_tools_have_the_same_limit(tool: str, arguments: Json, result: str | None) -> None:
    assert result_of(block_long_sleep()(tool_call(tool, arguments))) == result


@pytest.mark.parametrize(("max_seconds", "result"), [(0, "DENY"), (9, "DENY"), (10, None), (600, None)])
def test_the_limit_of_sleeping_is_a_parameter(max_seconds: int, result: str | None) -> None:
    assert result_of(block_long_sleep(max_seconds=max_seconds)(shell("sleep 10"))) == result


@pytest.mark.parametrize(
    "tool", ["sys_os_shell", "Bash", "bash", "Shell", "terminal", "developer__shell", "shell"]
)
def test_every_shell_tool_is_watched(tool: str) -> None:
    assert block_long_sleep()(shell("sleep 90", tool)) == {
        "result": "DENY",
        "reason": "sleeping for 90 seconds is not allowed; the limit is 5",
    }


@pytest.mark.parametrize(
    ("arguments", "result"),
    [
        ({"command": ["bash", "-lc", "sleep 100"]}, "DENY"),
        ({"command": ["sleep", "100"]}, "DENY"),
        ({"command": ["sleep 100"]}, "DENY"),
        ({"command": None, "cmd": "sleep 100"}, "DENY"),
        ({"command": "ls", "cmd": "sleep 100"}, "DENY"),
        ({"command": ["ls", "-l"]}, None),
        ({"command": {"a": "sleep 100"}}, "ASK"),
        ({}, None),
    ],
)
def test_a_command_is_found_in_every_shape_that_tools_take(arguments: Json, result: str | None) -> None:
    assert result_of(block_long_sleep()(tool_call("Bash", arguments))) == result


def test_sleeping_is_judged_before_a_tool_runs_and_at_no_other_time() -> None:
    assert block_long_sleep()(tool_result("Bash", "sleep 100", {"command": "sleep 100"})) is None
    assert block_long_sleep()(request("sleep 100")) is None


BAD = [
    (block_long_sleep, {"max_seconds": "5"}, "max_seconds must be an integer"),
    (block_long_sleep, {"max_seconds": -1}, "max_seconds must be at least 0"),
    (enforce_sandbox, {"sandbox_type": "docker"}, "sandbox_type must be one of"),
    (enforce_sandbox, {"allow_network": "no"}, "allow_network must be true or false"),
    (enforce_sandbox, {"write_paths": "/a"}, "write_paths must be a list"),
    (enforce_sandbox, {"write_paths": [{"copy_on_write": True}]}, "object with a path"),
    (enforce_sandbox, {"write_paths": [{"path": "/a", "copy_on_write": 1}]}, "copy_on_write"),
    (enforce_sandbox, {"read_paths": [1]}, "read_paths must be a list of strings"),
    (deny_pii_in_llm_request, {"action": "ALLOW"}, "action must be one of DENY, ASK"),
    (deny_pii_in_llm_request, {"pii_types": "ssn"}, "pii_types must be a list of strings"),
]


@pytest.mark.parametrize(("factory", "params", "words"), BAD)
def test_bad_parameters_are_refused_in_words(factory: Any, params: Json, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        factory(**params)
