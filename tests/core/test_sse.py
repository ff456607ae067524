"""text/event-stream, written and read."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.protocol import sse
from omnigent.protocol.sse import Decoder, Message, StreamError


def read(data: bytes) -> list[Message]:
    return Decoder().feed(data)


def test_a_frame_is_event_then_id_then_data() -> None:
    assert sse.encode("session.title", b'{"a":1}', 7) == b'event: session.title\nid: 7\ndata: {"a":1}\n\n'
    assert sse.encode("session.heartbeat", b"{}") == b"event: session.heartbeat\ndata: {}\n\n"
    assert sse.encode("x", b"{}", "7.3") == b"event: x\nid: 7.3\ndata: {}\n\n"
    assert sse.DONE == b"event: done\ndata: [DONE]\n\n"


def test_a_runners_frame_has_no_event_line() -> None:
    assert sse.encode_data(b"{}", "0a1b2c3d.4") == b"id: 0a1b2c3d.4\ndata: {}\n\n"
    assert sse.encode_data(b"{}") == b"data: {}\n\n"


@pytest.mark.parametrize("data", [b"a\nb", b"a\rb"])
def test_data_of_several_lines_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="one line"):
        sse.encode("x", data)
    with pytest.raises(ValueError, match="one line"):
        sse.encode_data(data)


@pytest.mark.parametrize(
    ("data", "messages"),
    [
        (b"event: a\nid: 1\ndata: x\n\n", [Message("a", "x", "1")]),
        (b"data: x\n\n", [Message("message", "x")]),
        (b"data:x\n\n", [Message("message", "x")]),
        (b"data:  x\n\n", [Message("message", " x")]),
        (b"data: x\ndata: y\n\n", [Message("message", "x\ny")]),
        (b"data\n\n", [Message("message", "")]),
        (b"event: a\n\n", []),
        (b": comment\nretry: 5\nfoo: bar\ndata: x\n\n", [Message("message", "x")]),
        (b"data: x\r\n\r\ndata: y\r\rdata: z\n\n", [Message("message", t) for t in "xyz"]),
        (b"\xef\xbb\xbfdata: x\n\n", [Message("message", "x")]),
        (b"data: \xff\n\n", [Message("message", "\N{REPLACEMENT CHARACTER}")]),
        (b"id: a\0b\ndata: x\n\n", [Message("message", "x")]),
        (b"event: a\ndata: x\n\ndata: y\n\n", [Message("a", "x"), Message("message", "y")]),
        (b"data: x", []),
        (b"data: x\n", []),
    ],
)
def test_streams_are_read_by_the_html_standard(data: bytes, messages: list[Message]) -> None:
    assert read(data) == messages


def test_an_id_belongs_to_its_own_message_and_the_last_one_is_remembered() -> None:
    decoder = Decoder()

    messages = decoder.feed(b"id: s.1\ndata: x\n\ndata: heartbeat\n\n")

    assert [message.id for message in messages] == ["s.1", None]
    assert decoder.last_id == "s.1"


def test_done_is_recognised() -> None:
    (message,) = read(sse.DONE)

    assert message.is_done
    assert not Message("done", "{}").is_done


def test_a_line_over_the_limit_ends_the_stream() -> None:
    decoder = Decoder(max_bytes=100)
    decoder.feed(b"data: " + b"x" * 60)

    with pytest.raises(StreamError, match="line over 100"):
        decoder.feed(b"x" * 60)


def test_a_message_over_the_limit_ends_the_stream() -> None:
    with pytest.raises(StreamError, match="message over 100"):
        Decoder(max_bytes=100).feed(b"data: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\n" * 5)


def test_short_messages_do_not_add_up_to_the_limit() -> None:
    assert len(Decoder(max_bytes=10).feed(b"data: abc\n\n" * 100)) == 100


LINE = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=12)
MESSAGES = st.lists(
    st.builds(
        Message,
        st.sampled_from(["message", "response.output_text.delta", "\N{SNOWMAN}"]),
        st.lists(LINE, min_size=1, max_size=3).map("\n".join),
        st.none() | st.integers(0, 999).map(str),
    ),
    max_size=6,
)


def render(message: Message, newline: bytes) -> bytes:
    lines = [] if message.event == "message" else [f"event: {message.event}"]
    lines += [] if message.id is None else [f"id: {message.id}"]
    lines += [f"data: {line}" for line in message.data.split("\n")]
    return b"".join(line.encode() + newline for line in [*lines, ""])


@given(MESSAGES, st.sampled_from([b"\n", b"\r\n", b"\r"]), st.lists(st.integers(0, 400), max_size=12))
def test_chunks_cut_anywhere_give_the_same_messages(
    messages: list[Message], newline: bytes, cuts: list[int]
) -> None:
    stream = b"".join(render(message, newline) for message in messages)
    edges = [0, *sorted(min(cut, len(stream)) for cut in cuts), len(stream)]
    decoder = Decoder()

    read_back = [
        message for start, end in itertools.pairwise(edges) for message in decoder.feed(stream[start:end])
    ]

    assert read_back == messages


@given(MESSAGES, st.sampled_from([b"\n", b"\r\n"]))
def test_single_bytes_give_the_same_messages(messages: list[Message], newline: bytes) -> None:
    stream = b"".join(render(message, newline) for message in messages)
    decoder = Decoder()

    read_back = [message for byte in stream for message in decoder.feed(bytes([byte]))]

    assert read_back == messages


@given(st.binary(max_size=200), st.integers(0, 200))
def test_any_bytes_are_read_alike_however_they_are_cut(stream: bytes, cut: int) -> None:
    decoder = Decoder()

    in_two = decoder.feed(stream[:cut]) + decoder.feed(stream[cut:])

    assert in_two == read(stream)
