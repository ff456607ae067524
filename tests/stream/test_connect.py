"""Opening a stream: what comes first, what is replayed, what is refused."""

import asyncio

import pytest

from omnigent.accounts.gate import Gate
from sessions_app.models import Session
from sessions_app.process import Process
from tests.api_plumbing.asgi_client import call
from tests.factories import make_child, make_session
from tests.stream.reader import Reader, text_of
from tests.stream.scene import append, begun, completed, delta, head, idle, relayed, running, title


@pytest.fixture
async def session(process: Process) -> Session:
    return await process.pool.run(make_session)


async def test_a_heartbeat_comes_first_and_after_every_quiet(app: Gate, session: Session) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until(lambda: len(reader.of("session.heartbeat")) >= 3)

    assert reader.frames[0].event == "session.heartbeat"
    assert reader.frames[0].id is None
    assert reader.frames[0].body == {
        "type": "session.heartbeat",
        "sequence_number": None,
        "server_time": None,
    }
    assert reader.status == 200
    assert reader.headers["content-type"] == "text/event-stream; charset=utf-8"
    assert reader.headers["cache-control"] == "no-cache"
    assert reader.headers["x-accel-buffering"] == "no"
    assert reader.headers["x-omnigent-stream-epoch"] == "1"


async def test_frames_have_event_id_and_data_in_this_order(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await process.pool.run(append, session.pk, [title("a")])
        await reader.until_id(1)

    assert b"\n\nevent: session.title\nid: 1\ndata: {" in reader.raw


@pytest.mark.parametrize("session_id", ["conv_" + "0" * 32, "x" * 65, "a%20b", ".."])
async def test_an_unknown_session_is_refused_before_any_byte(app: Gate, session_id: str) -> None:
    reply = await call(app, "GET", f"/v1/sessions/{session_id}/stream")

    assert reply.status == 404
    assert reply.json["error"]["code"] == "not_found"
    assert reply.headers["content-type"] == "application/json"


async def test_another_origin_or_host_is_refused(app: Gate, session: Session) -> None:
    path = f"/v1/sessions/{session.public_id}/stream"

    assert (await call(app, "GET", path, headers={"origin": "https://evil.example"})).status == 403
    assert (await call(app, "GET", path, headers={"host": "evil.example"})).status >= 400


async def test_without_a_cursor_only_what_is_new_is_sent(
    process: Process, app: Gate, session: Session
) -> None:
    await process.pool.run(append, session.pk, [title("a"), title("b")])

    async with Reader(app, session.public_id) as reader:
        await process.pool.run(append, session.pk, [title("c")])
        await reader.until_id(3)

    assert reader.ids == [3]
    assert reader.of("response.created") == []


async def test_text_under_way_is_replayed_whole(process: Process, app: Gate, session: Session) -> None:
    await process.pool.run(relayed, session.pk, [running(), begun(), delta("one "), delta("two ")])
    await process.pool.run(relayed, session.pk, [delta("three ")])

    async with Reader(app, session.public_id) as reader:
        await process.pool.run(relayed, session.pk, [delta("four")])
        await process.pool.run(relayed, session.pk, [completed(), idle()])
        await reader.until(lambda: [f for f in reader.of("session.status") if f.body["status"] == "idle"])

    created, prefix = reader.frames[1], reader.frames[2]
    assert (created.event, created.id, prefix.id) == ("response.created", None, None)
    assert created.body["response"]["id"] == "resp_1"
    assert prefix.body["delta"] == "one two three "
    assert text_of(reader.frames) == "one two three four"


async def test_a_new_reader_is_shown_the_sub_agents(process: Process, app: Gate, session: Session) -> None:
    child = await process.pool.run(make_child, session, "researcher:one")
    async with Reader(app, session.public_id) as new:
        shown = await new.until_event("session.child_session.updated")
    async with Reader(app, session.public_id, after="0") as resuming:
        await process.pool.run(append, session.pk, [title("a")])
        await resuming.until_id(1)

    assert (shown.body["child_session_id"], shown.id) == (child.public_id, None)
    assert (shown.body["child"]["title"], shown.body["child"]["busy"]) == ("researcher:one", False)
    assert resuming.of("session.child_session.updated") == []


async def test_the_prefix_and_the_tail_have_no_gap_and_no_double(
    process: Process, app: Gate, session: Session
) -> None:
    words = [f"{number} " for number in range(120)]
    await process.pool.run(relayed, session.pk, [running(), begun()])

    async def stream() -> None:
        for word in words:
            await process.pool.run(relayed, session.pk, [delta(word)])

    writing = asyncio.create_task(stream())
    readers = [Reader(app, session.public_id) for _ in range(12)]
    for reader in readers:
        await reader.__aenter__()
        await asyncio.sleep(0)
    await writing
    end = await process.pool.run(head, session.pk)
    for reader in readers:
        await reader.until(lambda reader=reader: text_of(reader.frames).endswith(words[-1]))
        await reader.close()

    assert end == 2 + len(words)
    for reader in readers:
        assert text_of(reader.frames) == "".join(words)


async def test_two_readers_see_the_same(process: Process, app: Gate, session: Session) -> None:
    async with Reader(app, session.public_id) as one, Reader(app, session.public_id) as two:
        for number in range(50):
            await process.pool.run(append, session.pk, [title(str(number))])
        await one.until_id(50)
        await two.until_id(50)

    assert one.logged == two.logged
    assert one.ids == list(range(1, 51))


async def test_closing_a_stream_frees_it_and_interrupts_nothing(
    process: Process, app: Gate, session: Session
) -> None:
    await process.pool.run(relayed, session.pk, [running(), begun(), delta("one")])
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("response.created")
        assert len(process.broker) == 1

    assert len(process.broker) == 0
    assert (await process.pool.run(lambda: Session.objects.get().status)) == "running"
    assert (await process.pool.run(head, session.pk)) == 3


async def test_a_stop_of_the_server_ends_streams_without_done(
    process: Process, app: Gate, session: Session
) -> None:
    async with Reader(app, session.public_id) as reader:
        await reader.until_event("session.heartbeat")
        await process.drain()
        await reader.until(lambda: reader.is_finished)

    assert reader.of("done") == []
