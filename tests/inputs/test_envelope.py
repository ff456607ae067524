"""Bodies of `POST …/events` that are no events: the right refusal, and nothing stored."""

from typing import Any

import orjson
import pytest

from omnigent.protocol.inputs import INPUT_TYPES
from omnigent.protocol.items import MAX_OUTPUT_BYTES
from tests.error_shape import assert_error, assert_invalid
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig, said

NUL_TEXT = b'{"type":"message","data":{"role":"user","content":[{"type":"input_text","text":"a\\u0000b"}]}}'
SURROGATE = b'{"type":"message","data":{"role":"user","content":[{"type":"input_text","text":"\\ud800"}]}}'
NOT_UTF8 = b'{"type":"message","data":{"role":"user","content":[{"type":"input_text","text":"\xff"}]}}'


def nested(depth: int) -> bytes:
    """A message whose block holds lists in lists."""
    inner = b"[" * depth + b"]" * depth
    return b'{"type":"message","data":{"role":"user","content":[{"type":"odd","v":' + inner + b"}]}}"


@pytest.mark.parametrize(
    ("body", "loc", "kind"),
    [
        pytest.param(b"", ("body",), "missing", id="empty"),
        pytest.param(b"   ", ("body",), "missing", id="blank"),
        pytest.param(b"{", ("body",), "json_invalid", id="malformed"),
        pytest.param(b'{"type":"interrupt"}}', ("body",), "json_invalid", id="trailing"),
        pytest.param(b'{"type":"interrupt","data":{"x":NaN}}', ("body",), "json_invalid", id="NaN"),
        pytest.param(NOT_UTF8, ("body",), "json_invalid", id="not UTF-8"),
        pytest.param(SURROGATE, ("body",), "json_invalid", id="lone surrogate"),
        pytest.param(NUL_TEXT, ("body", "data"), "value_error", id="NUL"),
        pytest.param(nested(100), ("body",), "json_invalid", id="deep"),
        pytest.param(nested(100_000), ("body",), "json_invalid", id="very deep"),
        pytest.param(b"null", ("body",), "model_attributes_type", id="null"),
        pytest.param(b"1", ("body",), "model_attributes_type", id="number"),
        pytest.param(b'"interrupt"', ("body",), "model_attributes_type", id="string"),
        pytest.param(b"{}", ("body", "type"), "missing", id="no type"),
        pytest.param(b'{"type":null}', ("body", "type"), "string_type", id="type null"),
        pytest.param(b'{"type":7}', ("body", "type"), "string_type", id="type number"),
        pytest.param(b'{"type":["message"]}', ("body", "type"), "string_type", id="type list"),
        pytest.param(b'{"type":"message","data":[]}', ("body", "data"), "dict_type", id="data list"),
        pytest.param(b'{"type":"message","data":"x"}', ("body", "data"), "dict_type", id="data string"),
        pytest.param(b'{"type":"interrupt","data":null}', ("body", "data"), "dict_type", id="data null"),
        pytest.param(
            b'{"type":"interrupt","model_override":1}', ("body", "model_override"), "string_type", id="model"
        ),
        pytest.param(
            b'{"type":"interrupt","created_by":{}}', ("body", "created_by"), "string_type", id="created_by"
        ),
        pytest.param(b'{"type":"interrupt","tools":{}}', ("body", "tools"), "list_type", id="tools object"),
        pytest.param(b"[1]", ("body", 0), "model_attributes_type", id="batch of a number"),
        pytest.param(b"[[]]", ("body", 0), "model_attributes_type", id="batch of a batch"),
        pytest.param(b'[{"type":"interrupt"},{}]', ("body", 1, "type"), "missing", id="batch, second"),
    ],
)
async def test_what_is_no_event_is_invalid(
    rig: Rig, runner: FakeRunner, body: bytes, loc: tuple[str | int, ...], kind: str
) -> None:
    session_id = await rig.bound(runner)
    before = await rig.counts()

    assert_invalid(await rig.post(session_id, body), *loc, kind=kind)

    assert await rig.counts() == before


@pytest.mark.parametrize(
    ("body", "words"),
    [
        pytest.param({"type": "shout"}, "external_conversation_item", id="unknown type"),
        pytest.param({"type": ""}, "external_conversation_item", id="empty type"),
        pytest.param({"type": "x" * 5000}, "Allowed types: message", id="endless type"),
        pytest.param([], "session event batch must not be empty", id="empty batch"),
        pytest.param([{"type": "interrupt"}] * 101, "100", id="batch of 101"),
        pytest.param(said("x", role="robot"), "'message': role", id="role robot"),
        pytest.param(said("x", role=None), "'message': role", id="role null"),
        pytest.param({"type": "message", "data": {"content": []}}, "'message': role", id="no role"),
        pytest.param({"type": "message", "data": {"role": "user"}}, "'message': content", id="no content"),
        pytest.param({"type": "message"}, "'message': role", id="no data"),
        pytest.param(said("", content="hi"), "'message': content", id="content string"),
        pytest.param(said("", content={}), "'message': content", id="content object"),
        pytest.param(said("", content=["hi"]), "content[0]", id="block string"),
        pytest.param(said("", content=[{}]), "content[0].type", id="block without type"),
        pytest.param(said("", content=[{"type": "input_text"}]), "content[0].text", id="text block, no text"),
        pytest.param(
            said("", content=[{"type": "input_image"}]), "content[0].image_url", id="image, no source"
        ),
        pytest.param(said("", content=[{"type": "input_file"}]), "content[0].file_id", id="file, no source"),
        pytest.param(said("x", stable_id="A" * 32), "stable_id", id="stable_id upper case"),
        pytest.param(said("x", stable_id="a" * 31), "stable_id", id="stable_id short"),
        pytest.param(said("x", stable_id="a" * 32 + "\n"), "stable_id", id="stable_id newline"),
        pytest.param(said("x", stable_id=1), "stable_id", id="stable_id number"),
        pytest.param({**said("x"), "tools": ["x"]}, "tools[0]", id="tool string"),
        pytest.param({**said("x"), "tools": [{}]}, "tools[0].name", id="tool without name"),
        pytest.param(
            {**said("x"), "tools": [{"name": "t", "parameters": 1}]}, "parameters", id="tool parameters"
        ),
        pytest.param({"type": "function_call_output", "data": {"call_id": "c"}}, "output", id="no output"),
        pytest.param(
            {"type": "function_call_output", "data": {"call_id": "c", "output": {}}},
            "output",
            id="output object",
        ),
        pytest.param({"type": "function_call_output", "data": {"output": "o"}}, "call_id", id="no call_id"),
        pytest.param(
            {"type": "error", "data": {"source": "me", "code": "c", "message": "m"}}, "source", id="error"
        ),
        pytest.param({"type": "reasoning", "data": {}}, "summary", id="reasoning"),
        pytest.param({"type": "compaction", "data": {"summary": 1}}, "summary", id="compaction"),
        pytest.param(
            {"type": "external_assistant_message", "data": {"text": "t"}},
            "agent",
            id="external without agent",
        ),
        pytest.param(
            {"type": "external_conversation_item", "data": {"item_type": "odd", "item_data": {}}},
            "unknown item type",
            id="external of unknown type",
        ),
        pytest.param(
            {"type": "external_conversation_item", "data": {"item_type": "message", "item_data": []}},
            "item_data",
            id="external data list",
        ),
        pytest.param({"type": "external_output_text_delta", "data": {}}, "delta", id="delta missing"),
        pytest.param(
            {"type": "external_output_text_delta", "data": {"delta": "x", "index": "1"}},
            "index",
            id="delta index",
        ),
    ],
)
async def test_a_bad_event_is_refused_in_words(rig: Rig, runner: FakeRunner, body: Any, words: str) -> None:
    session_id = await rig.bound(runner)
    before = await rig.counts()

    answer = assert_error(await rig.post(session_id, body, key="k"), 400, "invalid_input")

    assert words in answer["error"]["message"]
    assert len(answer["error"]["message"]) < 3000
    assert await rig.counts() == before


async def test_an_unknown_type_is_told_all_that_are_served(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    odd = assert_error(await rig.post(session_id, {"type": "shout"}), 400, "invalid_input")

    allowed = odd["error"]["message"].partition("Allowed types: ")[2].split(", ")
    assert sorted(allowed) == sorted(INPUT_TYPES)


async def test_a_body_over_the_cap_is_refused(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    before = await rig.counts()

    answer = await rig.post(session_id, said("x" * 11 * 1024 * 1024))

    assert_error(answer, 400, "invalid_input", "Request body too large")
    assert answer.json()["detail"] == "Request body too large"
    assert await rig.counts() == before


async def test_a_body_under_the_cap_is_taken(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    text = "é" * 4 * 1024 * 1024

    item_id = await rig.say(session_id, text)

    await rig.delivered(session_id)
    assert runner.messages == [item_id]
    assert runner.taken[0]["content"][0]["text"] == text


@pytest.mark.parametrize(
    ("session_id", "message"),
    [("conv_" + "0" * 32, "Session not found"), ("0" * 32, "Session not found"), ("a%20b", "Not found.")],
)
async def test_a_session_that_is_not_there(rig: Rig, session_id: str, message: str) -> None:
    assert_error(await rig.post(session_id, {"type": "interrupt"}), 404, "not_found", message)


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({"type": "message", "data": {"text": "hi"}}, id="data.text"),
        pytest.param({"type": "message", "content": "hi"}, id="content string beside type"),
        pytest.param(
            {"type": "message", "content": [{"type": "input_text", "text": "hi"}]}, id="blocks beside type"
        ),
        pytest.param({"type": "message", "content": "hi", "context": {"file": 7}}, id="odd context"),
        pytest.param({**said("hi"), "unknown": {"key": 1}}, id="unknown keys"),
        pytest.param(said("hi", is_meta=True, user_authored=False, interrupted=True), id="server's members"),
    ],
)
async def test_short_forms_are_the_same_message(rig: Rig, runner: FakeRunner, body: Any) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.post(session_id, body)

    assert answer.status_code == 202
    [item] = await rig.items(session_id)
    assert (item["role"], item["content"]) == ("user", [{"type": "input_text", "text": "hi"}])
    assert item["user_authored"] is True
    assert item.get("is_meta") is None
    assert item.get("interrupted") is None


async def test_an_editor_sends_the_file_it_shows(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    await rig.post(session_id, {"type": "message", "content": "explain", "context": {"file": "a.py"}})

    [item] = await rig.items(session_id)
    assert [block["text"] for block in item["content"]] == ["explain", "File: a.py"]


@pytest.mark.parametrize("kind", ["interrupt", "approval"])
async def test_data_may_be_missing(rig: Rig, runner: FakeRunner, kind: str) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.post(session_id, {"type": kind})

    assert (answer.status_code, answer.json()) == (202, {"queued": False})


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("\U0001f600 e\u0301 \u202e\u2066", id="unicode"),
        pytest.param("\ufeff\u2028\u2029\x85", id="line separators"),
        pytest.param("\x01\x1b[31m\x7f\r\n\t", id="control characters"),
        pytest.param("event: x\ndata: y\n\n", id="stream syntax"),
        pytest.param("\\u0000", id="a backslash and four zeros"),
        pytest.param("x" * 100_000, id="long"),
    ],
)
async def test_any_text_survives_the_way(rig: Rig, runner: FakeRunner, text: str) -> None:
    session_id = await rig.bound(runner)

    item_id = await rig.say(session_id, text)

    await rig.delivered(session_id)
    assert (await rig.items(session_id))[0]["content"][0]["text"] == text
    assert runner.taken[0]["content"][0]["text"] == text
    consumed = dict(await rig.log(session_id))["session.input.consumed"]
    assert consumed["data"]["item_id"] == item_id
    assert consumed["data"]["data"]["content"][0]["text"] == text


@pytest.mark.parametrize(
    "content",
    [
        pytest.param([], id="no blocks"),
        pytest.param(
            [{"type": "odd", "n": 1e300, "big": 2**63, "deep": [[[{"a": None}]]]}], id="unknown block"
        ),
        pytest.param([{"type": "text", "text": 5}], id="odd text"),
        pytest.param([{"type": "input_image", "image_url": "data:image/png;base64,AA=="}], id="image"),
        pytest.param([{"type": "input_file", "file_data": "AA==", "filename": None}], id="file"),
    ],
)
async def test_content_is_stored_untouched(rig: Rig, runner: FakeRunner, content: list[Any]) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.post(session_id, said("", content=content))

    assert answer.status_code == 202
    await rig.delivered(session_id)
    assert (await rig.items(session_id))[0]["content"] == content
    assert runner.taken[0]["content"] == content


async def test_numbers_beyond_json_do_not_break_the_item(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    odd = b'{"type":"odd","n":1e999,"i":123456789012345678901234567890}'
    body = b'{"type":"message","data":{"role":"user","content":[' + odd + b"]}}"

    answer = await rig.post(session_id, body)

    assert answer.status_code in (202, 400, 422)
    for item in await rig.items(session_id):
        orjson.dumps(item)


async def test_long_tool_output_is_cut(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    data = {
        "item_type": "function_call_output",
        "item_data": {"call_id": "c", "output": "é" * MAX_OUTPUT_BYTES},
    }

    answer = await rig.post(session_id, {"type": "external_conversation_item", "data": data})

    assert answer.status_code == 202
    [item] = await rig.items(session_id)
    assert len(item["output"].encode()) <= MAX_OUTPUT_BYTES
    assert "truncated" in item["output"]


async def test_a_batch_is_applied_in_order_and_answered_one_by_one(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.post(session_id, [said("one"), {"type": "interrupt"}, said("two")])

    assert answer.status_code == 202
    first, second, third = answer.json()
    assert second == {"queued": False}
    await rig.delivered(session_id)
    assert runner.kinds() == ["message", "interrupt", "message"]
    assert runner.messages == [first["item_id"], third["item_id"]]
    assert [item["id"] for item in await rig.items(session_id)] == runner.messages


async def test_a_batch_of_a_hundred_is_taken(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.post(session_id, [said(str(number)) for number in range(100)])

    assert answer.status_code == 202
    texts = [item["content"][0]["text"] for item in await rig.items(session_id)]
    assert texts == [str(number) for number in range(100)]
    await rig.delivered(session_id)
    assert runner.messages == [one["item_id"] for one in answer.json()]


async def test_a_batch_ends_at_its_first_bad_event(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)

    answer = await rig.post(session_id, [said("kept"), said("x", role="robot"), said("not reached")])

    assert_error(answer, 400, "invalid_input")
    assert [item["content"][0]["text"] for item in await rig.items(session_id)] == ["kept"]
