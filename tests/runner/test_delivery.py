"""Events reach the server exactly once each, whatever happens to the tunnel."""

import asyncio
from pathlib import Path

import pytest

from omnigent.protocol.events import OutputTextDelta
from omnigent.runner.state import remove
from omnigent.runner.uplink import Uplink
from tests.runner.fake_server import FakeServer, until
from tests.runner.rig import running, settled
from tests.runner.stream import Stream

COUNT = "".join(f"{n} " for n in range(1, 61)) + "\n"


def numbers(stream: Stream) -> list[int]:
    return [int((event_id or ".0").rpartition(".")[2]) for event_id in stream.ids]


async def test_a_turn_survives_lost_tunnels_without_loss_or_double(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Count to 60 slowly")
        for part in ("5 ", "20 ", "40 "):
            await until(lambda part=part: f" {part}" in stream.text())  # type: ignore[misc]  # a lambda with a default cannot be inferred
            tunnel = await rig.server.tunnel()
            await tunnel.close(1012)
            await tunnel.closed.wait()
            assert stream.reader is not None
            await stream.reader
            rig.server.subscribe(last=stream.ids[-1], into=stream)
        await until(lambda: settled(stream))

    assert stream.text() == COUNT
    assert numbers(stream) == list(range(1, len(stream.events) + 1))


async def test_what_was_not_acknowledged_comes_again_and_what_was_does_not(tmp_path: Path) -> None:
    async with running(tmp_path, drain_seconds=0.1) as rig:
        first, again, rest = Stream(), Stream(), Stream()
        first.acks = again.acks = rest.acks = False
        rig.server.subscribe(into=first)
        await rig.turn("Count to 5", first)
        rig.server.subscribe(into=again)
        await until(lambda: len(again.ids) == len(first.ids))
        await rig.server.acknowledge(first.ids[3] or "")
        rig.server.subscribe(into=rest)
        await until(lambda: len(rest.ids) == len(first.ids) - 4)

        assert again.ids == first.ids
        assert rest.ids == first.ids[4:]
        assert first.done and again.done


async def test_a_last_event_id_acknowledges_too_and_one_of_another_process_does_not(tmp_path: Path) -> None:
    async with running(tmp_path, drain_seconds=0.1) as rig:
        first, foreign, rest = Stream(), Stream(), Stream()
        first.acks = foreign.acks = rest.acks = False
        rig.server.subscribe(into=first)
        await rig.turn("Count to 3", first)
        rig.server.subscribe(into=foreign, last="00000000.3")
        await until(lambda: len(foreign.ids) == len(first.ids))
        rig.server.subscribe(into=rest, last=first.ids[2])
        await until(lambda: len(rest.ids) == len(first.ids) - 3)

    assert foreign.ids == first.ids
    assert rest.ids == first.ids[3:]


async def test_without_the_header_events_have_no_ids_queue_up_and_are_sent_once(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        await rig.server.say("Count to 3")
        await until(lambda: rig.app.sessions.open("conv_1").status == "idle")
        first = rig.server.subscribe(acknowledge=False)
        await until(lambda: settled(first))
        second = rig.server.subscribe(acknowledge=False)
        await until(lambda: second.heartbeats == 1)
        await rig.turn("Count to 2", second)

    assert set(first.ids) == {None}
    assert first.text() == "1 2 3 \n"
    assert second.text() == "1 2 \n"


async def test_a_heartbeat_comes_first_and_after_silence() -> None:
    uplink = Uplink(heartbeat_seconds=0.02)
    chunks: list[bytes] = []
    async with asyncio.timeout(5):
        async for chunk in uplink.subscribe(acknowledges=True):
            chunks.append(chunk)
            if len(chunks) == 3:
                break

    assert all(b'"session.heartbeat"' in chunk and b"id:" not in chunk for chunk in chunks)


async def test_a_newer_reader_ends_the_older_ones_stream(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        older = rig.server.subscribe()
        await until(lambda: older.heartbeats == 1)
        newer = rig.server.subscribe()
        await until(lambda: older.done)
        await rig.turn("Count to 2", newer)

    assert older.events == []
    assert newer.text() == "1 2 \n"


async def test_a_full_uplink_holds_the_turn_back_and_loses_nothing(tmp_path: Path) -> None:
    async with running(tmp_path, retain_bytes=8_000) as rig:
        stream = Stream()
        stream.acks = False
        rig.server.subscribe(into=stream)
        await rig.server.say("Count to 500")
        await until(lambda: len(stream.events) > 10)
        # Nothing more is to come: there is no condition to wait for, only a while in which it would have.
        await asyncio.sleep(0.1)
        held = len(stream.events)
        assert held < 100
        stream.acks = True
        await rig.server.acknowledge(stream.ids[-1] or "")
        await until(lambda: settled(stream))

    assert stream.text() == "".join(f"{n} " for n in range(1, 501)) + "\n"
    assert numbers(stream) == list(range(1, len(stream.events) + 1))


async def test_an_interrupt_works_while_the_uplink_is_full(tmp_path: Path) -> None:
    async with running(tmp_path, retain_bytes=4_000, drain_seconds=0.1) as rig:
        stream = Stream()
        stream.acks = False
        rig.server.subscribe(into=stream)
        await rig.server.say("Count to 500")
        await until(lambda: len(stream.events) > 10)
        await rig.server.post({"type": "interrupt"})
        await until(lambda: settled(stream))

    assert stream.types()[-2:] == ["cancelled", "status idle"]


@pytest.mark.parametrize(
    "event_id", ["", "x", "1", ".1", "{stream}.", "{stream}.-1", "{stream}.99", "{stream}.²"]
)
async def test_ids_that_mean_nothing_drop_nothing(event_id: str) -> None:
    uplink = Uplink()
    uplink.put(OutputTextDelta(delta="x"))
    before = uplink.retained_bytes

    uplink.acknowledge(event_id.replace("{stream}", uplink.stream))

    assert uplink.retained_bytes == before > 0


async def test_a_deleted_session_ends_its_stream_and_its_turn(tmp_path: Path) -> None:
    async with running(tmp_path) as rig:
        stream = rig.server.subscribe()
        await rig.server.say("Count to 1000 slowly")
        await until(lambda: "2 " in stream.text())
        status, answer = await rig.server.request("DELETE", "/v1/sessions/conv_1")
        await until(lambda: stream.done)
        unknown, _ = await rig.server.request("GET", "/v1/sessions/conv_1")

    assert (status, answer) == (200, {"session_id": "conv_1", "object": "session.deleted", "deleted": True})
    assert unknown == 404
    assert "status idle" not in stream.types()
    assert rig.server.posted == []


def kept_in(folder: Path) -> set[str]:
    """The files below a folder, by what follows it."""
    return {str(one.relative_to(folder)) for one in folder.rglob("*") if not one.is_dir()}


async def test_a_deleted_session_takes_its_folder_along_and_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "work").mkdir()
    async with running(tmp_path / "work") as rig:
        state, outside = tmp_path / "work-state", tmp_path / "outside"
        for place in (outside, state / "conv_1" / "codex", state / "conv_2", state.parent / "beside"):
            place.mkdir(parents=True)
            (place / "kept").write_text("x")
        (state / "conv_1" / "link").symlink_to(outside)
        (state / "conv_3").symlink_to(outside)

        asked = ("conv_1", "conv_3", "conv_4", "..", "..%2Fbeside", ".")
        answers = [await rig.server.request("DELETE", f"/v1/sessions/{one}") for one in asked]
        for named in ("", ".", "..", "../beside", str(outside), "conv_2/kept", "conv_2\n"):
            remove(state, named)

    assert [status for status, _ in answers[:3]] == [200, 200, 200]
    assert kept_in(state) == {"conv_2/kept"}
    assert kept_in(outside) == kept_in(state.parent / "beside") == {"kept"}


async def test_the_tunnel_echoes_pings_and_survives_garbage(tmp_path: Path) -> None:
    server = FakeServer()
    async with running(tmp_path, server=server) as rig:
        tunnel = await server.tunnel()
        for text in (
            "",
            "[]",
            '{"kind":"nonsense"}',
            '{"kind":"request"}',
            '{"kind":"ping","ts":"x"}',
            "\ud83d!"[1:],
        ):
            await tunnel.send_text(text)
        await tunnel.send_text('{"kind":"ping","ts":12}')
        await until(lambda: tunnel.pongs == [12])
        status, _ = await rig.server.request("GET", "/health")
        unknown, answer = await rig.server.request("GET", "/v1/nothing")

        assert status == 200
        assert (unknown, answer["error"]) == (404, "not_found")
        assert tunnel.hello is not None
        assert "event-ack-v1" in tunnel.hello.capabilities
        assert tunnel.headers["origin"] == "omnigent://internal"
