"""The policy over Google Drive, Docs, Sheets and Slides."""

import json

import pytest

from omnigent.policies.builtins.google import gdrive_policy
from tests.policies.events import Json, event, request, tool_call, tool_result

ADDRESS = "https://docs.google.com/document/d/doc-1/edit"
SECRET = {"confidential_files": ["secret"], "allow_create": True, "write_files": ["doc-1", "secret"]}
HAS_READ = {"gdrive_read_confidential": True}
MADE = {"gdrive_created_file_ids": ["made"]}


def answer_to(params: Json, name: str, arguments: Json, state: Json | None = None) -> str:
    """ALLOW, DENY or ASK; no opinion is ALLOW."""
    answer = gdrive_policy(**params)(tool_call(name, arguments, state=state))
    return "ALLOW" if answer is None else str(answer["result"])


ALLOWED = [
    ({}, "mcp__google__drive_search", {}, {}),
    ({}, "docs_document_get", {"document_id": "any"}, {}),
    ({"read_all": False, "read_files": [ADDRESS]}, "google__docs_document_get", {"documentId": "doc-1"}, {}),
    ({"read_all": False, "read_files": ["doc-1"]}, "docs_document_get", {"document_id": ADDRESS}, {}),
    ({"allow_create": True}, "mcp__google__drive_file_create", {}, {}),
    ({"write_files": ["doc-1"]}, "mcp__google__drive_file_update", {"file_id": "doc-1"}, {}),
    ({}, "mcp__google__sheets_values_update", {"spreadsheet_id": "made"}, MADE),
    ({}, "mcp__google__drive_comment_create", {"file_id": "made"}, MADE),
    ({"comment_files": ["doc-1"]}, "mcp__google__drive_comment_reply_create", {"file_id": "doc-1"}, {}),
    (SECRET, "mcp__google__drive_file_update", {"file_id": "doc-1"}, {}),
    (SECRET, "mcp__google__drive_file_update", {"file_id": "secret"}, HAS_READ),
    (SECRET, "mcp__google__docs_document_get", {"document_id": "any"}, HAS_READ),
    ({"write_files": ["doc-1"]}, "drive_file_update", {"file_id": "doc-1"}, HAS_READ),
    ({}, "mcp__google__gmail_message_send", {}, {}),
    ({}, "mcp__google__calendar_event_delete", {}, {}),
    ({}, "Bash", {"command": "drive_file_delete"}, {}),
]
DENIED = [
    ({"read_all": False}, "mcp__google__drive_search", {}, {}),
    ({"read_all": False, "read_files": ["doc-1"]}, "docs_document_get", {"document_id": "doc-2"}, {}),
    ({"read_all": False, "read_files": ["doc-1"]}, "docs_document_get", {"document_id": ["doc-1"]}, {}),
    (
        {"read_all": False, "read_files": ["doc-1"]},
        "docs_document_get",
        {"document_id": "https://docs.google.com.evil.example/document/d/doc-1"},
        {},
    ),
    ({}, "mcp__google__drive_file_create", {}, {}),
    ({}, "mcp__google__slides_presentation_create", {}, {}),
    ({}, "mcp__google__docs_document_create_from_markdown", {}, {}),
    ({"write_files": ["doc-1"]}, "mcp__google__drive_file_update", {}, {}),
    ({"write_files": ["doc-1"]}, "mcp__google__drive_file_delete", {"file_id": "doc-2"}, MADE),
    ({"write_files": ["doc-1"]}, "drive_file_copy", {"file_id": "doc-1", "documentId": "doc-2"}, {}),
    ({"write_files": ["doc-1"]}, "mcp__google__drive_comment_create", {"file_id": "doc-1"}, {}),
    ({"comment_files": ["doc-1"]}, "mcp__google__drive_file_update", {"file_id": "doc-1"}, {}),
    ({}, "mcp__google__drive_permission_create", {"file_id": "doc-1"}, {}),
    ({}, "MCP__Google__Sheets_Zap", {}, {}),
    (SECRET, "mcp__google__drive_file_update", {"file_id": "doc-1"}, HAS_READ),
    (SECRET, "drive_file_update", {"file_id": "doc-1", "document_id": "secret"}, HAS_READ),
    (SECRET, "mcp__google__drive_file_create", {}, HAS_READ),
    (SECRET | {"write_down_action": "ASK"}, "drive_file_update", {"file_id": "doc-2"}, HAS_READ),
]
ASKED = [
    (SECRET | {"write_down_action": "ASK"}, "drive_file_update", {"file_id": "doc-1"}, HAS_READ),
    (SECRET | {"write_down_action": "ask"}, "drive_file_create", {}, HAS_READ),
]


@pytest.mark.parametrize(("params", "name", "arguments", "state"), ALLOWED)
def test_calls_within_the_bounds_pass(params: Json, name: str, arguments: Json, state: Json) -> None:
    assert answer_to(params, name, arguments, state) == "ALLOW"


@pytest.mark.parametrize(("params", "name", "arguments", "state"), DENIED)
def test_calls_beyond_the_bounds_are_denied(params: Json, name: str, arguments: Json, state: Json) -> None:
    assert answer_to(params, name, arguments, state) == "DENY"


@pytest.mark.parametrize(("params", "name", "arguments", "state"), ASKED)
def test_writing_elsewhere_after_a_confidential_read_is_asked_about(
    params: Json, name: str, arguments: Json, state: Json
) -> None:
    assert answer_to(params, name, arguments, state) == "ASK"


@pytest.mark.parametrize(
    ("result", "ids"),
    [
        ({"id": "a"}, ["a"]),
        ('{"documentId": "a", "more": [{"file_id": "b"}, {"fileId": "a"}]}', ["a", "b"]),
        ([{"type": "text", "text": '{"spreadsheetId": "a"}'}], ["a"]),
        ({"id": "made"}, []),
        ("made a file", []),
        ("[" * 5_000, []),
        ({"id": 7}, []),
        (None, []),
    ],
)
def test_files_made_in_the_session_are_remembered(result: object, ids: list[str]) -> None:
    given = tool_result("mcp__google__drive_file_create", result, state=MADE)

    answer = gdrive_policy()(given) or {"state_updates": []}

    assert answer["state_updates"] == [
        {"key": "gdrive_created_file_ids", "action": "append", "value": item} for item in ids
    ]


def test_identifiers_nested_too_deeply_are_not_remembered() -> None:
    deep: object = {"id": "a"}
    for _ in range(30):
        deep = [deep]

    assert gdrive_policy()(tool_result("drive_file_create", json.dumps(deep))) is None


def test_what_other_tools_give_makes_no_file_writable() -> None:
    assert gdrive_policy()(tool_result("mcp__google__drive_search", '{"id": "a"}')) is None


def test_reading_a_confidential_file_is_remembered() -> None:
    policy = gdrive_policy(confidential_files=[ADDRESS])

    read = policy(tool_result("docs_document_get", "text", {"documentId": "doc-1"}))

    assert read is not None
    assert read["state_updates"] == [{"key": "gdrive_read_confidential", "action": "set", "value": True}]
    assert policy(tool_result("docs_document_get", "text", {"documentId": "doc-2"})) is None


@pytest.mark.parametrize("other", [request("hello"), event("llm_request", {"model": "m"})])
def test_other_phases_are_left_alone(other: Json) -> None:
    assert gdrive_policy()(other) is None
