"""Terminals over the API: asked of the runner; looked at and typed into through its tunnel."""

import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

import orjson
import pytest

from omnigent.accounts.gate import Gate
from omnigent.protocol import frames
from sessions_app.consumers.lines import MAX_TYPED
from sessions_app.models import Session
from sessions_app.process import Process
from sessions_app.tunnels.channel import MAX_WAITING
from sessions_app.tunnels.tunnel import MAX_CHANNELS
from tests.api_plumbing.asgi_client import Reply, call
from tests.factories import make_session
from tests.stream.servers import until
from tests.tunnel.fake_runner import FakeRunner
from tests.tunnel.script import stored, types
from tests.tunnel.viewing import SLICE, TERMINAL_ID, Screen, Viewer, path_of

JSON = {"content-type": "application/json"}
SIZE = '{"type":"resize","cols":100,"rows":30}'
RESOURCE = {
    "id": TERMINAL_ID,
    "object": "session.resource",
    "type": "terminal",
    "session_id": "conv_1",
    "name": "shell",
    "environment": f"env_{TERMINAL_ID}",
    "metadata": {"terminal_name": "shell", "session_key": "main", "running": True},
}


async def session_on(process: Process, runner: FakeRunner, **fields: Any) -> Session:
    return await process.pool.run(make_session, runner_id=runner.runner_id, **fields)


# -- requests ------------------------------------------------------------------------------------------------


async def test_requests_go_to_the_runner_and_its_answers_come_back(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        page = {"object": "list", "data": [RESOURCE], "has_more": False}
        runner.answers = {"terminals": (200, page), TERMINAL_ID: (200, RESOURCE)}

        listed = await call(app, "GET", path_of(session))
        one = await call(app, "GET", path_of(session, f"/{TERMINAL_ID}"))
        made = await call(app, "POST", path_of(session), b'{"terminal":"shell","other":1}', JSON)
        gone = await call(app, "DELETE", path_of(session, f"/{TERMINAL_ID}"))

    assert [reply.status for reply in (listed, one, made, gone)] == [200] * 4
    assert (listed.json, one.json) == (page, RESOURCE)
    assert [(one.method, one.path) for one in runner.requests] == [
        ("GET", path_of(session)),
        ("GET", path_of(session, f"/{TERMINAL_ID}")),
        ("POST", path_of(session)),
        ("DELETE", path_of(session, f"/{TERMINAL_ID}")),
    ]
    assert orjson.loads(runner.requests[2].body or "") == {"terminal": "shell"}


@pytest.mark.parametrize(
    ("answer", "status", "error"),
    [
        ((400, {"error": {"code": "invalid_input", "message": "it declares: shell"}}), 400, "invalid_input"),
        ((404, {"error": {"code": "not_found", "message": "Terminal 'x' not found"}}), 404, "not_found"),
        ((410, {"error": "session_agent_missing", "detail": "no agent"}), 410, "session_agent_missing"),
        ((500, {"error": {"code": "internal_error", "message": "secret"}}), 502, "runner_unavailable"),
        ((302, {}), 502, "runner_unavailable"),
        ((404, {"error": 7}), 502, "runner_unavailable"),
        ((404, [1]), 502, "runner_unavailable"),
        ((200, [1]), 502, "runner_unavailable"),
    ],
    ids=[
        "refused",
        "missing",
        "a session route's error",
        "a fault",
        "a redirect",
        "no reason",
        "a list",
        "list",
    ],
)
async def test_a_runners_refusal_is_passed_on_and_nonsense_is_not(
    process: Process, app: Gate, answer: Any, status: int, error: str
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        runner.answers["terminals"] = answer

        reply = await call(app, "POST", path_of(session), b'{"terminal":"shell"}', JSON)

    assert (reply.status, reply.json["error"]["code"]) == (status, error)
    assert (status == 502) == ("detail" in reply.json)
    assert "secret" not in reply.body.decode()


async def test_without_a_runner_it_is_409_and_while_it_is_away_503(process: Process, app: Gate) -> None:
    unbound = await process.pool.run(make_session)
    away = await process.pool.run(make_session, runner_id="runner_away")

    for session, status, code in ((unbound, 409, "conflict"), (away, 503, "runner_unavailable")):
        for method, end in (("GET", ""), ("POST", ""), ("GET", "/t"), ("DELETE", "/t")):
            reply = await call(app, method, path_of(session, end), b'{"terminal":"shell"}', JSON)
            assert (reply.status, reply.json["error"]["code"]) == (status, code)
        async with Viewer(app, session) as viewer:
            assert await viewer.until_decided() == status


@pytest.mark.parametrize(
    "body",
    [b"", b"[]", b"{", b"{}", b'{"terminal":""}', b'{"terminal":"a","cwd":7}', b'{"terminal":"\\u0000"}'],
)
async def test_a_bad_body_never_reaches_the_runner(process: Process, app: Gate, body: bytes) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)

        assert (await call(app, "POST", path_of(session), body, JSON)).status == 422
        assert not runner.requests


@pytest.mark.parametrize("name", ["a b", "..", "a%3Fb", "ä", "x" * 201, "a\nb"])
async def test_an_id_that_is_none_never_reaches_the_runner(process: Process, app: Gate, name: str) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)

        for method in ("GET", "DELETE"):
            assert (await call(app, method, path_of(session, f"/{name}"))).status == 404
        async with Viewer(app, session, terminal=name) as viewer:
            assert await viewer.until_decided() == 404
        assert not runner.requests and not runner.channels


async def test_a_retry_under_the_same_key_gets_the_first_answer(process: Process, app: Gate) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        headers = {**JSON, "Idempotency-Key": "k1"}

        async def post() -> Reply:
            return await call(app, "POST", path_of(session), b'{"terminal":"shell"}', headers)

        runner.answers["terminals"] = (409, {"error": {"code": "conflict", "message": "too many"}})
        assert (await post()).status == 409
        runner.answers["terminals"] = (200, RESOURCE)
        assert (await post()).json == RESOURCE
        runner.answers["terminals"] = (200, {**RESOURCE, "name": "another"})
        assert (await post()).json == RESOURCE
        assert len(runner.requests) == 2


# -- what the runner tells of itself -------------------------------------------------------------------------


async def test_what_comes_and_goes_is_shown_and_stays_in_the_conversation(
    process: Process, app: Gate
) -> None:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        process.relays.ensure(session.pk, process.tunnels.get("runner", runner.runner_id))  # type: ignore[arg-type]  # it is there
        await runner.until_listened(session.public_id)
        runner.emit(
            session.public_id,
            {"type": "session.resource.created", "resource": RESOURCE},
            {"type": "session.resource.created", "resource": {"id": 7}},
            {"type": "session.resource.deleted", "resource_id": TERMINAL_ID, "resource_type": "terminal"},
        )
        await runner.until_acked(session.public_id)

        items = await process.pool.run(stored, session.pk)
        assert [(item["event_type"], item["resource_id"], item["resource_type"]) for item in items] == [
            ("session.resource.created", TERMINAL_ID, "terminal"),
            ("session.resource.deleted", TERMINAL_ID, "terminal"),
        ]
        assert items[0]["resource"] == RESOURCE
        assert await process.pool.run(types, session.pk) == [
            *("resource.created", "resource_event completed", "resource.created"),
            *("resource.deleted", "resource_event completed"),
        ]


# -- looking and typing --------------------------------------------------------------------------------------


@dataclass
class Place:
    """A session with a terminal, and the application that its viewers ask."""

    app: Gate
    process: Process
    runner: FakeRunner
    screen: Screen
    session: Session

    def viewer(self, query: str = "", **more: Any) -> Viewer:
        """Somebody about to look at it."""
        return Viewer(self.app, self.session, query=query, **more)


@pytest.fixture
async def place(process: Process, app: Gate) -> AsyncIterator[Place]:
    async with FakeRunner(app) as runner:
        session = await session_on(process, runner)
        yield Place(app, process, runner, Screen(runner), session)


async def test_a_viewer_sees_the_screen_and_types(place: Place) -> None:
    async with place.viewer() as viewer:
        channel = await place.screen.until_opened()
        assert await viewer.until_decided() == 101
        await until(lambda: viewer.shown == b"seed;")
        viewer.text(SIZE)
        viewer.type(b"ls\r\x00\xff")
        place.screen.show(channel, b"\xc3\xa4 \x1b[1m")
        place.screen.say(channel, '{"type":"clipboard-write","data":""}')

        await until(lambda: place.screen.typed(channel) == [SIZE, b"ls\r\x00\xff"])
        await until(lambda: viewer.shown == b"seed;\xc3\xa4 \x1b[1m" and viewer.texts)

    opened = place.screen.opened[0]
    assert opened.path == path_of(place.session, f"/{TERMINAL_ID}/attach")
    assert opened.query_string == "read_only=false"
    await until(lambda: place.screen.closed == [channel])


async def test_two_look_at_once_and_each_has_a_channel(place: Place) -> None:
    async with place.viewer() as first, place.viewer() as second:
        channels = [await place.screen.until_opened(1), await place.screen.until_opened(2)]
        place.screen.show(channels[0], b"one")
        place.screen.show(channels[1], b"two")
        await until(lambda: {first.shown, second.shown} == {b"seed;one", b"seed;two"})
        place.screen.end(channels[0], 4405, "detached")

        await until(lambda: first.close or second.close)
        rest = second if first.close else first
        rest.type(b"x")
        await until(lambda: place.screen.typed(channels[1]) == [b"x"])


@pytest.mark.parametrize("query", ["?read_only=true", "?read_only=1", "?read_only=false&read_only=true"])
async def test_who_only_looks_cannot_type_resize_or_get_the_clipboard(place: Place, query: str) -> None:
    async with place.viewer(query) as viewer, place.viewer() as writer:
        await place.screen.until_opened(2)
        looking, typing = (
            next(one.ch_id for one in place.screen.opened if one.query_string == f"read_only={word}")
            for word in ("true", "false")
        )
        await until(lambda: viewer.shown and writer.shown)
        viewer.type(b"intrusion")
        viewer.text(SIZE)
        await until(lambda: viewer.incoming.empty())
        writer.type(b"mine")
        await until(lambda: place.screen.typed(typing) == [b"mine"])
        place.screen.say(looking, '{"type":"clipboard-write","data":""}')
        place.screen.show(looking, b"later")
        await until(lambda: viewer.shown == b"seed;later")

        assert place.screen.typed(looking) == []
        assert viewer.texts == []


@pytest.mark.parametrize("query", ["?read_only=maybe", "?read_only="])
async def test_a_query_that_is_unclear_is_refused(place: Place, query: str) -> None:
    async with place.viewer(query) as viewer:
        assert await viewer.until_decided() == 422
    assert not place.runner.channels


@pytest.mark.parametrize(
    ("code", "shown"), [(4404, 4404), (4405, 4405), (4500, 4500), (1011, 1011), (1006, 4500), (99, 4500)]
)
async def test_the_runners_close_is_the_viewers(place: Place, code: int, shown: int) -> None:
    async with place.viewer() as viewer:
        channel = await place.screen.until_opened()
        place.screen.show(channel, b"the end")
        place.screen.end(channel, code, "ü" * 200)

        assert (await viewer.until_closed())[0] == shown
        assert viewer.shown == b"seed;the end"
        assert not place.screen.closed


@pytest.mark.parametrize("code", [1000, 1006])
async def test_a_runner_that_goes_takes_its_viewers_with_it(place: Place, code: int) -> None:
    async with place.viewer() as viewer:
        await place.screen.until_opened()
        await until(lambda: viewer.shown)
        await place.runner.hang_up(code)

        assert (await viewer.until_closed())[0] == 1012


async def test_nonsense_on_a_channel_harms_nobody(place: Place) -> None:
    async with place.viewer() as viewer:
        channel = await place.screen.until_opened()
        place.runner.say(frames.WsFrame(ch_id=channel, data="*", encoding="base64"))
        place.runner.say(frames.WsFrame(ch_id="ffffffff", data="to nobody"))
        place.runner.say(frames.WsClose(ch_id="ffffffff", code=4404))
        place.screen.show(channel, b"go on")

        await until(lambda: viewer.shown == b"seed;go on")


async def test_a_message_over_the_limit_ends_the_viewer(place: Place) -> None:
    async with place.viewer() as viewer:
        channel = await place.screen.until_opened()
        place.screen.show(channel, b"y" * (MAX_WAITING + 1))

        assert (await viewer.until_closed())[0] == 1009
        await until(lambda: place.screen.closed == [channel])


async def test_who_is_too_slow_gets_the_screen_as_it_is_then(place: Place) -> None:
    async with place.viewer() as slow, place.viewer() as quick:
        channels = {await place.screen.until_opened(1), await place.screen.until_opened(2)}
        await until(lambda: slow.shown and quick.shown)
        slow.text(SIZE)
        await until(lambda: any(place.screen.typed(one) for one in channels))
        [channel] = [one for one in channels if place.screen.typed(one)]
        [other] = channels - {channel}
        slow.reads = False
        place.screen.show(channel, SLICE)
        await until(lambda: slow.waits)
        place.screen.seed = b"fresh;"
        for _ in range(2 * MAX_WAITING // len(SLICE)):
            place.screen.show(channel, SLICE)
        await until(lambda: place.screen.closed == [channel])
        # Meanwhile nobody else waits: not a viewer of the same terminal, not a request over the tunnel.
        place.screen.show(other, b"still")
        await until(lambda: quick.shown == b"seed;still")
        place.runner.answers["terminals"] = (200, {"data": []})
        assert (await call(place.app, "GET", path_of(place.session))).status == 200
        assert len(place.screen.opened) == 2

        slow.reads = True
        again = await place.screen.until_opened(3)
        await until(lambda: slow.shown.endswith(b"fresh;"))
        slow.type(b"\x03")

        await until(lambda: place.screen.typed(again) == [SIZE, b"\x03"])
        assert len(slow.shown) < MAX_WAITING


async def test_keys_reach_a_terminal_whose_output_nobody_reads(place: Place) -> None:
    async with place.viewer() as viewer:
        channel = await place.screen.until_opened()
        await until(lambda: viewer.shown)
        viewer.reads = False
        place.screen.show(channel, SLICE)
        await until(lambda: viewer.waits)
        for _ in range(2 * MAX_WAITING // len(SLICE)):
            place.screen.show(channel, SLICE)
        await until(lambda: place.screen.closed == [channel])

        viewer.type(b"\x03")

        again = await place.screen.until_opened(2)
        await until(lambda: place.screen.typed(again) == [b"\x03"])
        viewer.reads = True


async def test_more_than_is_taken_at_once_closes_the_viewer(place: Place) -> None:
    async with place.viewer() as viewer:
        await place.screen.until_opened()
        viewer.type(b"x" * MAX_TYPED)

        assert (await viewer.until_closed())[0] == 1009


async def test_a_session_takes_so_many_viewers(place: Place) -> None:
    viewers = [place.viewer("?read_only=true") for _ in range(MAX_CHANNELS)]
    for viewer in viewers:
        await viewer.__aenter__()
        assert await viewer.until_decided() == 101
    other = await session_on(place.process, place.runner)

    async with place.viewer() as late:
        assert await late.until_decided() == 409
    async with Viewer(place.app, other) as elsewhere:
        assert await elsewhere.until_decided() == 101
    await viewers[0].__aexit__()
    async with place.viewer() as later:
        assert await later.until_decided() == 101
    for viewer in viewers[1:]:
        await viewer.__aexit__()


async def test_nothing_of_what_passes_is_logged(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    async with place.viewer() as viewer:
        channel = await place.screen.until_opened()
        viewer.type(b"hunter2-typed")
        place.screen.show(channel, b"hunter2-shown")
        place.runner.say(frames.WsFrame(ch_id=channel, data="hunter2-broken", encoding="base64"))
        await until(lambda: place.screen.typed(channel) and viewer.shown.endswith(b"shown"))

    told = "\n".join(f"{record.getMessage()} {vars(record)}" for record in caplog.records)
    assert "tunnel_closed" in told or "channel_message_dropped" in told
    assert "hunter2" not in told
