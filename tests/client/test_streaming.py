"""The event stream over bad connections: nothing missing, nothing twice, an end that says why."""

import asyncio
import time

import httpx
import pytest

from omnigent_client import (
    AccessLostError,
    ConnectionFailedError,
    Event,
    ForbiddenError,
    InvalidAnswerError,
    NotFoundError,
    OmnigentClient,
    StreamRules,
    SyncClient,
    UnknownEvent,
)
from omnigent_client.events.response import OutputTextDelta
from omnigent_client.events.session import SessionHeartbeat, SessionTitle, StreamReset
from tests.client.scripted_server import (
    DONE,
    HEARTBEAT,
    QUICK_STREAM,
    ScriptedServer,
    delta,
    events,
    frame,
    refusal,
)

CUT = httpx.ReadError("connection reset")


async def read(client: OmnigentClient, after: int | str | None = None) -> list[Event]:
    """All events of a stream that ends, heartbeats left out."""
    async with client, client.stream("conv_1", after=after) as stream:
        return [event async for event in stream if not isinstance(event, SessionHeartbeat)]


def title(id_: int, text: str) -> bytes:
    """A new title."""
    return frame("session.title", id_, conversation_id="conv_1", title=text)


def words(found: list[Event]) -> str:
    """The text of the deltas."""
    return "".join(event.delta for event in found if isinstance(event, OutputTextDelta))


async def test_a_stream_yields_typed_events_until_the_server_ends_it() -> None:
    server = ScriptedServer(events(HEARTBEAT, delta(1, "Hello"), title(2, "T"), DONE))

    found = await read(server.client())

    assert found == [
        OutputTextDelta(delta="Hello", cursor="1.1"),
        SessionTitle(conversation_id="conv_1", title="T", cursor="2.1"),
    ]
    assert server.requests[0].url.path == "/v1/sessions/conv_1/stream"
    assert server.headers("accept") == ["text/event-stream"]
    assert server.headers("last-event-id") == [None]


@pytest.mark.parametrize("at", range(1, len(delta(8, "wörld")), 7))
async def test_a_frame_that_is_cut_in_the_middle_comes_whole_after_the_reconnect(at: int) -> None:
    whole = delta(8, "wörld")
    server = ScriptedServer(
        events(HEARTBEAT, delta(7, "Hello "), whole[:at], CUT), events(HEARTBEAT, whole, DONE)
    )

    found = await read(server.client(), after=6)

    assert words(found) == "Hello wörld"
    assert server.headers("last-event-id") == ["6", "7.1"]


@pytest.mark.parametrize("ending", ["\r\n", "\r", "\n"])
@pytest.mark.parametrize("size", [1, 2, 3, 64])
async def test_chunks_and_line_ends_do_not_matter(ending: str, size: int) -> None:
    text = (b"\xef\xbb\xbf: a comment\n" + delta(1, "one ") + delta(2, "two") + DONE).decode()
    data = text.replace("\n", ending).encode()
    server = ScriptedServer(events(*[data[at : at + size] for at in range(0, len(data), size)]))

    found = await read(server.client())

    assert words(found) == "one two"
    assert [event.cursor for event in found] == ["1.1", "2.1"]


async def test_data_of_several_lines_is_one_event() -> None:
    data = b'event: session.title\nid: 3\ndata: {"type": "session.title",\ndata: "title": "T"}\n\n'
    server = ScriptedServer(events(data, DONE))

    assert await read(server.client()) == [SessionTitle(title="T", cursor="3.1")]


async def test_an_event_that_comes_again_is_not_yielded_again() -> None:
    server = ScriptedServer(
        events(delta(1, "a"), delta(2, "b"), delta(2, "b"), CUT),
        events(delta(1, "a"), delta(2, "b"), delta(3, "c"), DONE),
    )

    assert words(await read(server.client())) == "abc"


async def test_a_server_that_closes_without_an_end_is_asked_again() -> None:
    server = ScriptedServer(events(delta(1, "a")), events(delta(2, "b")), events(DONE))

    assert words(await read(server.client())) == "ab"
    assert server.headers("last-event-id") == [None, "1.1", "2.1"]


async def test_a_reset_is_an_event_and_the_stream_goes_on_from_there() -> None:
    reset = frame("stream.reset", conversation_id="conv_1", reason="too old", resume_after=4)
    server = ScriptedServer(
        events(delta(9, "lost"), CUT),
        events(HEARTBEAT, reset, delta(5, "again"), CUT, epoch="2"),
        events(delta(6, "!"), DONE, epoch="2"),
    )

    found = await read(server.client())

    assert [isinstance(event, StreamReset) for event in found] == [False, True, False, False]
    assert found[1]["resume_after"] == 4
    assert words(found) == "lostagain!"
    assert server.headers("last-event-id") == [None, "9.1", "5.2"]


async def test_a_new_epoch_is_not_taken_over_before_the_server_has_resumed() -> None:
    server = ScriptedServer(
        events(delta(9, "a"), CUT), events(HEARTBEAT, CUT, epoch="2"), events(delta(10, "b"), DONE, epoch="2")
    )

    found = await read(server.client())

    assert server.headers("last-event-id") == [None, "9.1", "9.1"]
    assert found[-1].cursor == "10.2"


async def test_a_break_before_the_first_numbered_event_is_told() -> None:
    server = ScriptedServer(events(HEARTBEAT, CUT, epoch=None), events(HEARTBEAT, DONE, epoch=None))

    [reset] = await read(server.client())

    assert isinstance(reset, StreamReset)
    assert "before the stream's place" in reset.reason


async def test_silence_longer_than_the_heartbeats_is_a_broken_connection() -> None:
    rules = StreamRules(silence_seconds=0.05, first_wait=0.001, longest_wait=0.01)
    server = ScriptedServer(events(HEARTBEAT, delta(1, "a"), None), events(delta(2, "b"), DONE))

    found = await asyncio.wait_for(read(server.client(streaming=rules)), 30)

    assert words(found) == "ab"


async def test_slow_chunks_within_the_silence_are_no_break() -> None:
    first, last = delta(1, "slow"), asyncio.Event()

    class Drops(httpx.AsyncByteStream):
        async def __aiter__(self):  # type: ignore[no-untyped-def]  # httpx's own signature
            for byte in first:
                await asyncio.sleep(0)
                yield bytes([byte])
            last.set()
            yield DONE

    headers = {"Content-Type": "text/event-stream"}
    server = ScriptedServer(httpx.Response(200, headers=headers, stream=Drops()))

    assert words(await read(server.client())) == "slow"
    assert last.is_set() and len(server.requests) == 1


async def test_unknown_and_broken_events_are_shown_as_they_are() -> None:
    server = ScriptedServer(
        events(
            frame("session.skills", 1, skills=["a"]),
            frame("session.status", 2, conversation_id="conv_1"),
            b"event: session.title\nid: 3\ndata: {not json\n\n",
            b"event: x\nid: 4\ndata: [1]\n\n",
            frame("session.title", 5, title=17),
            DONE,
        )
    )

    found = await read(server.client())

    assert all(isinstance(event, UnknownEvent) for event in found)
    names = ["session.skills", "session.status", "session.title", "x", "session.title"]
    assert [event.type for event in found] == names
    assert found[0].raw["skills"] == ["a"]
    problems = [event.problem for event in found if isinstance(event, UnknownEvent)]
    assert problems[0] is None
    assert problems[1] == "status is missing"
    assert "JSON" in str(problems[2]) and "JSON" in str(problems[3])
    assert problems[4] == "title: expected str, got int"
    assert found[-1].cursor == "5.1"


@pytest.mark.parametrize(("status", "code"), [(401, "unauthorized"), (403, "forbidden"), (404, "not_found")])
async def test_lost_access_ends_an_open_stream_with_its_reason(status: int, code: str) -> None:
    server = ScriptedServer(events(delta(1, "a"), CUT), refusal(status, code))

    with pytest.raises(AccessLostError) as raised:
        await read(server.client())

    assert raised.value.session_id == "conv_1"
    assert raised.value.cause.status == status


@pytest.mark.parametrize(
    ("answer", "kind"),
    [(refusal(404, "not_found"), NotFoundError), (refusal(403, "forbidden"), ForbiddenError)],
)
async def test_a_stream_that_is_refused_at_first_raises_the_refusal(
    answer: httpx.Response, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await read(ScriptedServer(answer).client())


async def test_an_answer_that_is_no_stream_is_refused() -> None:
    with pytest.raises(InvalidAnswerError):
        await read(ScriptedServer(httpx.Response(200, html="<p>Log in</p>")).client())


async def test_passing_failures_are_waited_out() -> None:
    server = ScriptedServer(
        events(delta(1, "a"), CUT),
        httpx.ConnectError("refused"),
        httpx.Response(502),
        refusal(429, "rate_limited", headers={"Retry-After": "0"}),
        refusal(500, "internal_error"),
        events(delta(2, "b"), DONE),
    )

    assert words(await read(server.client())) == "ab"
    assert server.headers("last-event-id")[1:] == ["1.1"] * 5


async def test_a_server_that_was_never_there_is_given_up_soon() -> None:
    server = ScriptedServer(*[httpx.ConnectError("refused")] * QUICK_STREAM.first_attempts)

    with pytest.raises(ConnectionFailedError, match="refused"):
        await read(server.client())


async def test_a_server_that_does_not_come_back_is_given_up_in_time() -> None:
    def gone(request: httpx.Request) -> httpx.Response | Exception:
        server.answers.append(gone)
        return httpx.ConnectError("refused")

    server = ScriptedServer(events(delta(1, "a"), CUT), gone)
    began = time.monotonic()

    with pytest.raises(ConnectionFailedError, match="refused"):
        await read(server.client())

    assert time.monotonic() - began < 30


async def test_closing_lets_go_of_the_connection_and_ends_a_waiting_reader() -> None:
    answer = events(HEARTBEAT, delta(1, "a"), None)
    server = ScriptedServer(answer)
    async with server.client() as client:
        stream = client.stream("conv_1")
        seen: list[Event] = []

        async def follow() -> str:
            async for event in stream:
                seen.append(event)
                if isinstance(event, OutputTextDelta):
                    waiting.set()
            return "ended"

        waiting = asyncio.Event()
        reader = asyncio.create_task(follow())
        await asyncio.wait_for(waiting.wait(), 30)
        await asyncio.wait_for(stream.aclose(), 30)

        assert await asyncio.wait_for(reader, 30) == "ended"
        assert answer.is_closed


async def test_cancelling_a_reader_is_a_cancellation() -> None:
    server = ScriptedServer(events(HEARTBEAT, None))
    async with server.client() as client, client.stream("conv_1") as stream:
        await anext(stream)
        reader = asyncio.ensure_future(anext(stream))
        await asyncio.sleep(0)
        reader.cancel()

        with pytest.raises(asyncio.CancelledError):
            await reader


def test_a_plain_stream_yields_the_same_and_is_closed_from_elsewhere() -> None:
    server = ScriptedServer(events(HEARTBEAT, delta(1, "a"), None))
    with SyncClient("http://server.test", streaming=QUICK_STREAM, transport=server) as client:
        stream = client.stream("conv_1")
        first = [next(stream), next(stream)]
        stream.close()

        assert [event.type for event in first] == ["session.heartbeat", "response.output_text.delta"]
        assert list(stream) == []


@pytest.mark.parametrize("after", ["", "x", "-1", "one.2", -3])
async def test_a_cursor_that_is_none_is_refused_at_once(after: str | int) -> None:
    async with ScriptedServer().client() as client:
        with pytest.raises(ValueError, match="not a cursor"):
            client.stream("conv_1", after=after)


async def test_an_event_says_where_to_go_on() -> None:
    server = ScriptedServer(events(delta(5, "a"), DONE), events(DONE))
    async with server.client() as client:
        [event] = [event async for event in client.stream("conv_1")]
        assert [event async for event in client.stream("conv_1", after=event.cursor)] == []

    assert server.headers("last-event-id") == [None, "5.1"]
