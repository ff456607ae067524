"""Frames of the runner tunnel as literal JSON, both ways."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.protocol import frames
from omnigent.protocol.codec import FrameError
from omnigent.protocol.frames import UnknownKind

HELLO = """{"kind":"hello","runner_version":"0.19.0","frame_protocol_version":1,
  "harnesses":["codex","pi"],"envs":["os_sandbox"],"telemetry_opt_out":false,
  "capabilities":["session-event-ingest-v1"],"connection_id":"c1",
  "direct_attach_port":45287,"direct_attach_token":"secret"}"""

TABLE: list[tuple[str, frames.Frame]] = [
    (
        HELLO,
        frames.Hello(
            runner_version="0.19.0",
            frame_protocol_version=1,
            harnesses=("codex", "pi"),
            envs=("os_sandbox",),
            capabilities=("session-event-ingest-v1",),
            connection_id="c1",
            direct_attach_port=45287,
            direct_attach_token="secret",
        ),
    ),
    (
        '{"kind":"request","id":"r1","method":"GET","path":"/health","query_string":"a=1",'
        '"headers":[["accept","*/*"],["x","y"]],"body":null,"encoding":"utf-8","stream":true}',
        frames.Request(
            id_="r1",
            method="GET",
            path="/health",
            query_string="a=1",
            headers=(("accept", "*/*"), ("x", "y")),
            stream=True,
        ),
    ),
    (
        '{"kind":"response.head","id":"r1","status":200,"headers":[["content-type","text/plain"]]}',
        frames.ResponseHead(id_="r1", status=200, headers=(("content-type", "text/plain"),)),
    ),
    (
        '{"kind":"response.body","id":"r1","body":"aGk=","encoding":"base64"}',
        frames.ResponseBody(id_="r1", body="aGk=", encoding="base64"),
    ),
    ('{"kind":"response.end","id":"r1"}', frames.ResponseEnd(id_="r1")),
    ('{"kind":"response.end","id":"r1","error":"boom"}', frames.ResponseEnd(id_="r1", error="boom")),
    (
        '{"kind":"request.cancel","id":"r1","reason":"client_disconnected"}',
        frames.RequestCancel(id_="r1"),
    ),
    ('{"kind":"ping","ts":1795306411000}', frames.Ping(ts=1795306411000)),
    ('{"kind":"pong","ts":1795306411000}', frames.Pong(ts=1795306411000)),
    (
        '{"kind":"ws.open","ch_id":"0a1b2c3d","path":"/x","query_string":"read_only=true"}',
        frames.WsOpen(ch_id="0a1b2c3d", path="/x", query_string="read_only=true"),
    ),
    (
        '{"kind":"ws.frame","ch_id":"0a1b2c3d","data":"ls","encoding":"utf-8"}',
        frames.WsFrame(ch_id="0a1b2c3d", data="ls"),
    ),
    (
        '{"kind":"ws.close","ch_id":"0a1b2c3d","code":1001,"reason":"bye"}',
        frames.WsClose(ch_id="0a1b2c3d", code=1001, reason="bye"),
    ),
    ('{"kind":"event.ready"}', frames.EventReady()),
    (
        '{"kind":"event.batch","id":"b1","session_id":"conv_1","events":[{"type":"x","data":{}}]}',
        frames.EventBatch(id_="b1", session_id="conv_1", events=({"type": "x", "data": {}},)),
    ),
    (
        '{"kind":"event.ack","id":"b1","applied":1,"error":null,"retryable":false}',
        frames.EventAck(id_="b1", applied=1),
    ),
    (
        '{"kind":"stream.ack","session_id":"conv_1","id":"0a1b2c3d.17"}',
        frames.StreamAck(session_id="conv_1", id_="0a1b2c3d.17"),
    ),
]


@pytest.mark.parametrize(("wire", "frame"), TABLE, ids=[frame.kind for _, frame in TABLE])
def test_a_frame_and_its_json_are_the_same_both_ways(wire: str, frame: frames.Frame) -> None:
    assert frames.parse(wire) == frame
    assert frames.parse(wire.encode()) == frame
    assert json.loads(frames.render(frame)) == json.loads(wire)
    assert frames.render(frame).startswith(f'{{"kind":"{frame.kind}"')


def test_the_table_covers_every_kind() -> None:
    assert {frame.kind for _, frame in TABLE} == set(frames.TABLE.classes)


@pytest.mark.parametrize(
    ("wire", "frame"),
    [
        (
            '{"kind":"hello","runner_version":"1","frame_protocol_version":1,"future":{}}',
            frames.Hello(runner_version="1", frame_protocol_version=1),
        ),
        (
            '{"kind":"request","id":"r","method":"GET","path":"/"}',
            frames.Request(id_="r", method="GET", path="/"),
        ),
        ('{"kind":"response.head","id":"r","status":204}', frames.ResponseHead(id_="r", status=204)),
        ('{"kind":"response.body","id":"r","body":"x"}', frames.ResponseBody(id_="r", body="x")),
        ('{"kind":"response.end","id":"r","error":null}', frames.ResponseEnd(id_="r")),
        ('{"kind":"request.cancel","id":"r"}', frames.RequestCancel(id_="r")),
        ('{"kind":"ws.open","ch_id":"c","path":"/"}', frames.WsOpen(ch_id="c", path="/")),
        ('{"kind":"ws.close","ch_id":"c"}', frames.WsClose(ch_id="c")),
        ('{"kind":"event.ack","id":"b","applied":0}', frames.EventAck(id_="b", applied=0)),
    ],
)
def test_optional_members_may_be_absent(wire: str, frame: frames.Frame) -> None:
    assert frames.parse(wire) == frame


def test_a_hello_without_secrets_says_nothing_about_them() -> None:
    rendered = json.loads(frames.render(frames.Hello(runner_version="1", frame_protocol_version=1)))

    assert not {"direct_attach_port", "direct_attach_token", "connection_id"} & set(rendered)


def test_a_token_is_not_in_the_repr() -> None:
    assert "secret" not in repr(frames.parse(HELLO))


@pytest.mark.parametrize(
    ("wire", "words"),
    [
        ("", "not JSON"),
        ("[]", "must be an object"),
        ("{}", "kind: must be a string"),
        ('{"kind":1}', "kind: must be a string"),
        ('{"kind":["hello"]}', "kind: must be a string"),
        ('{"kind":"ping"}', "ping: ts: is required"),
        ('{"kind":"ping","ts":"1"}', "ping: ts: must be an integer, not a string"),
        ('{"kind":"request","id":"r","method":"GET"}', "request: path: is required"),
        ('{"kind":"request","id":null,"method":"GET","path":"/"}', "request: id: must be a string, not null"),
        ('{"kind":"response.head","id":"r","status":"200"}', "response.head: status: must be an integer"),
        (
            '{"kind":"response.head","id":"r","status":200,"headers":[["a"]]}',
            "headers: must be an array of 2",
        ),
        ('{"kind":"response.head","id":"r","status":200,"headers":{"a":"b"}}', "headers: must be an array"),
        ('{"kind":"response.body","id":"r","body":"","encoding":"gzip"}', "encoding: must be one of"),
        ('{"kind":"response.body","id":"r","body":"\\ud800"}', "not JSON"),
        ('{"kind":"event.batch","id":"b","session_id":"c","events":[]}', "events: must not be empty"),
        ('{"kind":"event.batch","id":"b","session_id":"c","events":[{"a":1}]}', "must have a string type"),
        ('{"kind":"event.batch","id":"b","session_id":"c","events":["x"]}', "events: must be an object"),
        ('{"kind":"event.ack","id":"b","applied":-1}', "applied: must not be negative"),
    ],
)
def test_a_bad_frame_is_refused_in_words(wire: str, words: str) -> None:
    with pytest.raises(FrameError) as caught:
        frames.parse(wire)

    assert words in str(caught.value)
    assert not isinstance(caught.value, UnknownKind)


def test_an_unknown_kind_is_told_apart_from_a_bad_frame() -> None:
    with pytest.raises(UnknownKind, match=r"unknown kind 'future\.frame'"):
        frames.parse('{"kind":"future.frame","x":1}')


def test_a_frame_that_json_cannot_carry_is_refused() -> None:
    with pytest.raises(FrameError):
        frames.render(frames.ResponseBody(id_="r", body="\ud800"))


@pytest.mark.parametrize(
    ("content_type", "is_text"),
    [
        ("text/plain", True),
        ("text/event-stream; charset=utf-8", True),
        ("application/json", True),
        ("Application/JSON; charset=utf-8", True),
        ("application/problem+json", True),
        ("application/x-ndjson", True),
        ("application/jsonl", True),
        ("application/gzip", False),
        ("image/png", False),
        ("", False),
    ],
)
def test_text_travels_as_text_and_the_rest_as_base64(content_type: str, is_text: bool) -> None:
    text, encoding = frames.encode_body(b"hi", content_type)

    assert (text, encoding) == (("hi", "utf-8") if is_text else ("aGk=", "base64"))
    assert frames.decode_body(text, encoding) == b"hi"


@given(st.binary(max_size=50), st.sampled_from(["text/plain", "application/octet-stream"]))
def test_any_bytes_survive_a_frame(data: bytes, content_type: str) -> None:
    text, encoding = frames.encode_body(data, content_type)
    frame = frames.parse(frames.render(frames.ResponseBody(id_="r", body=text, encoding=encoding)))

    assert isinstance(frame, frames.ResponseBody)
    assert frames.decode_body(frame.body, frame.encoding) == data


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=20), st.integers(0, 60))
def test_a_slice_in_the_middle_of_a_character_is_not_lost(text: str, cut: int) -> None:
    data = text.encode()
    parts = [frames.encode_body(part, "text/event-stream") for part in (data[:cut], data[cut:])]

    assert b"".join(frames.decode_body(*part) for part in parts) == data


@pytest.mark.parametrize(("text", "encoding"), [("hi", "gzip"), ("a", "base64"), ("!!!!", "base64")])
def test_a_bad_body_is_refused(text: str, encoding: str) -> None:
    with pytest.raises(FrameError):
        frames.decode_body(text, encoding)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.text("abc", max_size=3),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abc", max_size=3), inner, max_size=3)
    ),
    max_leaves=5,
)
KEYS = st.sampled_from(
    ["id", "path", "status", "headers", "body", "encoding", "events", "ts", "ch_id", "applied"]
)


@given(st.sampled_from(sorted(frames.TABLE.classes)), st.dictionaries(KEYS, JSON))
def test_any_object_is_a_frame_or_a_frame_error(kind: str, members: dict[str, Any]) -> None:
    try:
        frame = frames.parse(json.dumps({"kind": kind, **members}))
    except FrameError:
        return
    assert frames.parse(frames.render(frame)) == frame
