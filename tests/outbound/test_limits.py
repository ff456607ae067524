"""Answers that are slow, huge or broken, from a real HTTPS server on loopback."""

import asyncio
import gzip

import pytest

from omnigent.outbound import BadAnswer, Limits, NotReached, TooSlow
from omnigent.outbound.client import Answer, OutboundClient
from tests.outbound.authority import Authority
from tests.outbound.clients import HOST, outbound_client
from tests.outbound.https_server import Reply, answer, drip, hang_up, https_server, raw, silence

QUICK = Limits(seconds=0.3)
PATIENT = Limits(seconds=10)


async def ask(authority: Authority, reply: Reply, *, limits: Limits = PATIENT) -> Answer:
    async with (
        https_server(authority.server_context(HOST), reply) as server,
        outbound_client(authority, server.port) as client,
    ):
        return await client.send("POST", f"https://{HOST}:{server.port}/check", content=b"{}", limits=limits)


SLOW = {
    "silence": silence,
    "a dripping body": drip(b"HTTP/1.1 200 OK\r\nContent-Length: 60000\r\n\r\n", b"x"),
    "a dripping header": drip(b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
    "interim answers without end": drip(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n"),
    "chunks without end": drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "a body that stops": raw(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf"),
}


@pytest.mark.parametrize("reply", SLOW.values(), ids=SLOW.keys())
async def test_the_whole_exchange_has_one_time_limit(authority: Authority, reply: Reply) -> None:
    with pytest.raises(TooSlow, match=r"did not answer within 0\.3 s"):
        await ask(authority, reply, limits=QUICK)


async def test_a_handshake_that_never_ends_is_given_up_and_its_line_closed(authority: Authority) -> None:
    async with (
        https_server(None, silence) as server,
        outbound_client(authority, server.port) as client,
    ):
        with pytest.raises(TooSlow) as failure:
            await client.send("POST", f"https://{HOST}:{server.port}/", limits=QUICK)

        await asyncio.wait_for(server.line_ended.wait(), 30)
        # Held until here, so that the line is not closed by its memory being freed.
        assert failure.value.__cause__ is not None


async def test_a_slow_look_up_is_part_of_the_time(authority: Authority) -> None:
    async with https_server(authority.server_context(HOST), silence) as server:
        asked: list[str] = []

        async def never(host: str, port: int) -> list[str]:
            asked.append(host)
            await asyncio.Event().wait()
            return []

        async with outbound_client(authority, server.port, resolver=never) as client:
            with pytest.raises(TooSlow):
                await client.send("POST", f"https://{HOST}:{server.port}/", limits=QUICK)

        assert asked == [HOST]
        assert server.connections == 0


async def test_an_answer_of_exactly_the_cap_is_read(authority: Authority) -> None:
    received = await ask(authority, answer(body=b"x" * 65536))

    assert len(received.body) == 65536


HUGE = {
    "announced": answer(body=b"x" * 65537),
    "in chunks": drip(
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
    ),
    "until the end": drip(b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 0x4000),
}


@pytest.mark.parametrize("reply", HUGE.values(), ids=HUGE.keys())
async def test_an_answer_over_the_cap_is_cut_off(authority: Authority, reply: Reply) -> None:
    with pytest.raises(BadAnswer, match="more than 65536 bytes"):
        await ask(authority, reply)


async def test_a_packed_answer_is_not_unpacked(authority: Authority) -> None:
    packed = gzip.compress(b"x" * 10_000_000)

    with pytest.raises(BadAnswer, match="encoded"):
        await ask(authority, answer("200 OK", packed, "Content-Encoding: gzip"))


BROKEN = {
    "hanging up": hang_up,
    "no HTTP": raw(b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
    "headers without end": raw(b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 200_000),
}


@pytest.mark.parametrize("reply", BROKEN.values(), ids=BROKEN.keys())
async def test_a_broken_answer_is_not_reached(authority: Authority, reply: Reply) -> None:
    with pytest.raises(NotReached):
        await ask(authority, reply)


async def test_a_failed_request_leaves_the_client_usable(authority: Authority) -> None:
    async with (
        https_server(authority.server_context(HOST), silence) as server,
        outbound_client(authority, server.port) as client,
    ):
        url = f"https://{HOST}:{server.port}/"
        for reply in (silence, HUGE["announced"], hang_up):
            server.reply = reply
            await _failing(client, url)
        server.reply = answer(body=b"fine")

        assert (await client.send("POST", url)).body == b"fine"


async def _failing(client: OutboundClient, url: str) -> None:
    with pytest.raises((TooSlow, BadAnswer, NotReached)):
        await client.send("POST", url, limits=QUICK)
