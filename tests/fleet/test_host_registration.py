"""A host says hello: what is kept of it, and how one that is turned away learns why."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest
from django.db import connection

from omnigent.protocol import frames
from sessions_app.models import Host
from tests.api_plumbing.asgi_client import Socket
from tests.factories import make_host
from tests.inputs.rig import Rig
from tests.inputs.waiting import eventually, until
from tests.sessions.fake_host import HOST

HELLO: Mapping[str, Any] = {
    "kind": "host.hello",
    "version": "0.19.0",
    "frame_protocol_version": 1,
    "name": "vm",
    "configured_harnesses": {"codex": True},
}


def dialled(rig: Rig, **options: Any) -> Socket:
    """A daemon's connection."""
    return Socket(rig.door, f"/v1/hosts/{HOST}/tunnel", headers={"Origin": frames.ORIGIN}, **options)


def say(socket: Socket, **fields: Any) -> None:
    """Send a hello with these members."""
    socket.text(orjson.dumps({**HELLO, **fields}).decode())


async def farewell(socket: Socket) -> tuple[dict[str, Any], int]:
    """What a host that is turned away is told, and the code that closes its connection."""
    assert (await socket.next())["type"] == "websocket.accept"
    told = orjson.loads((await socket.next())["text"])
    closing = await socket.next()
    assert (told.pop("kind"), closing["type"]) == ("host.connection_error", "websocket.close")
    return told, closing["code"]


async def shown(rig: Rig) -> dict[str, Any]:
    """The host, once it is online."""

    async def online() -> dict[str, Any]:
        found = dict((await rig.http.get(f"/v1/hosts/{HOST}")).json())
        return found if found.get("status") == "online" else {}

    return await eventually(online, "the host is online")


async def test_silence_may_be_tried_again(rig: Rig, settings: Any) -> None:
    settings.OMNIGENT_HELLO_SECONDS = 0.1
    async with dialled(rig) as socket:
        told, code = await farewell(socket)

    assert (told["stage"], told["retryable"], code) == ("hello", True, 1013)


async def test_something_else_than_a_hello_may_not(rig: Rig) -> None:
    async with dialled(rig) as socket:
        socket.text('{"kind":"pong","ts":1}')
        told, code = await farewell(socket)

    assert (told["stage"], told["retryable"], code) == ("hello", False, 4001)


async def test_a_host_of_another_protocol_learns_both_versions(rig: Rig) -> None:
    async with dialled(rig) as socket:
        say(socket, frame_protocol_version=2, version="9.0")
        told, code = await farewell(socket)

    assert (told["stage"], told["retryable"], code) == ("protocol", False, 4002)
    assert told["error"] == "frame protocol 1 is required, this host speaks 2"
    assert not await rig.run(Host.objects.exists)


async def test_another_persons_host_is_not_taken_over(rig: Rig) -> None:
    await rig.run(make_host, public_id=HOST, owner="somebody", online=False, name="theirs")
    async with dialled(rig, denial=False) as socket:
        told, code = await farewell(socket)

    assert (told["stage"], told["retryable"], code) == ("registration", False, 4009)
    assert "somebody" not in told["error"]
    kept = await rig.run(Host.objects.get)
    assert (kept.owner, kept.name) == ("somebody", "theirs")


async def test_a_host_that_somebody_registers_first_is_not_taken_over(rig: Rig) -> None:
    """The other one's hello comes between the handshake and ours."""
    async with dialled(rig) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        await rig.run(make_host, public_id=HOST, owner="somebody", online=False, name="theirs")
        say(socket)
        told = orjson.loads((await socket.next())["text"])
        assert (told["stage"], (await socket.next())["code"]) == ("registration", 4009)

    kept = await rig.run(Host.objects.get)
    assert (kept.owner, kept.name) == ("somebody", "theirs")
    assert rig.process.tunnels.get("host", HOST) is None


async def test_a_fault_of_the_server_is_told_and_may_be_tried_again(rig: Rig) -> None:
    def break_down() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE sessions_app_host RENAME TO hidden")

    def mend() -> None:
        with connection.cursor() as cursor:
            cursor.execute("ALTER TABLE hidden RENAME TO sessions_app_host")

    async with dialled(rig) as socket:
        assert (await socket.next())["type"] == "websocket.accept"
        await rig.run(break_down)
        try:
            say(socket)
            told = orjson.loads((await socket.next())["text"])
            code = (await socket.next())["code"]
        finally:
            await rig.run(mend)

    assert (told["stage"], told["retryable"], code) == ("registration", True, 4005)
    assert "hidden" not in told["error"]
    assert "sessions_app" not in told["error"]


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("vm", "vm"),
        ("  a\tb\nc\u202e ", "a b c"),
        ("x" * 5000, "x" * 256),
        ("a\0b", "a\ufffdb"),
        ("", HOST),
        ("\x07", HOST),
        ("Ünïcødé 🖥", "Ünïcødé 🖥"),
    ],
    ids=["plain", "control characters", "endless", "NUL", "empty", "bell", "other letters"],
)
async def test_a_name_is_kept_as_one_line(rig: Rig, name: str, kept: str) -> None:
    async with dialled(rig) as socket:
        say(socket, name=name, version="v" * 500)

        found = await shown(rig)

    assert (found["name"], found["version"]) == (kept, "v" * 64)


async def test_what_no_database_stores_is_kept_readable(rig: Rig) -> None:
    async with dialled(rig) as socket:
        say(socket, configured_harnesses={"co\0dex": "needs\0auth"}, interactive_shells=["ba\0sh"])
        first = await shown(rig)
        again = {"kind": "host.harness_readiness", "configured_harnesses": {"pi": "\0"}}
        socket.text(orjson.dumps(again).decode())

        async def probed() -> bool:
            return bool((await shown(rig))["configured_harnesses"] == {"pi": "\ufffd"})

        await eventually(probed, "the new readiness")

    assert first["configured_harnesses"] == {"co\ufffddex": "needs\ufffdauth"}
    assert first["interactive_shells"] == ["ba\ufffdsh"]


async def test_unknown_readiness_stays_unknown(rig: Rig) -> None:
    async with dialled(rig) as socket:
        say(socket, configured_harnesses=None)
        assert (await shown(rig))["configured_harnesses"] is None


async def test_the_newest_connection_of_a_host_wins(rig: Rig) -> None:
    async with dialled(rig) as older:
        say(older, name="older")
        await shown(rig)
        assert (await older.next())["type"] == "websocket.accept"
        async with dialled(rig) as newer:
            say(newer, name="newer")
            closing = await older.next()
            older.disconnect(4000)

            assert (closing["code"], closing["reason"]) == (4000, "tunnel replaced")
            assert (await shown(rig))["name"] == "newer"
        await until(lambda: rig.process.tunnels.get("host", HOST) is None, "the newer one is gone")

    assert (await rig.http.get(f"/v1/hosts/{HOST}")).json()["status"] == "offline"


async def test_a_runner_of_another_protocol_learns_both_versions(rig: Rig) -> None:
    headers = {"Origin": frames.ORIGIN}
    async with Socket(rig.door, "/v1/runners/runner_1/tunnel", headers=headers) as socket:
        socket.text('{"kind":"hello","runner_version":"9","frame_protocol_version":3}')
        assert (await socket.next())["type"] == "websocket.accept"
        closing = await socket.next()

    assert (closing["code"], closing["reason"]) == (
        4002,
        "frame protocol 1 is required, this runner speaks 3",
    )
