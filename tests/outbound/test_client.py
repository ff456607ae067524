"""The client against a real HTTPS server on loopback."""

from pathlib import Path

import pytest

from omnigent.outbound import Guard, NotReached, OutboundRules, Refused
from omnigent.outbound.client import OutboundClient
from tests.outbound.authority import Authority
from tests.outbound.clients import HOST, ScriptedResolver, outbound_client
from tests.outbound.https_server import answer, https_server


async def test_the_name_is_in_sni_host_and_certificate_while_the_address_is_dialled(
    authority: Authority,
) -> None:
    async with (
        https_server(authority.server_context(HOST), answer(body=b"hello")) as server,
        outbound_client(authority, server.port) as client,
    ):
        url = f"https://{HOST}:{server.port}/a/b?c=d"
        received = await client.send("PUT", url, headers={"X-One": "1"}, content=b"body")

    assert (received.status, received.body) == (200, b"hello")
    assert server.server_names == [HOST]
    (request,) = server.requests
    assert request.line == "PUT /a/b?c=d HTTP/1.1"
    assert request.headers == {
        "host": f"{HOST}:{server.port}",
        "accept-encoding": "identity",
        "x-one": "1",
        "content-length": "4",
    }
    assert request.body == b"body"


@pytest.mark.parametrize("name", ["Host", "Content-Length", "Transfer-Encoding"])
async def test_a_caller_cannot_set_a_header_that_frames_or_routes(authority: Authority, name: str) -> None:
    async with outbound_client(authority, 443) as client:
        with pytest.raises(ValueError, match=name.lower()):
            await client.send("POST", f"https://{HOST}/", headers={name: "other.example"})


async def test_a_resolver_that_changes_its_mind_is_asked_once_and_the_first_address_is_dialled(
    authority: Authority,
) -> None:
    resolver = ScriptedResolver(["127.0.0.2"], ["127.0.0.1"])
    async with (
        https_server(authority.server_context(HOST), answer(body=b"first"), address="127.0.0.2") as server,
        https_server(authority.server_context(HOST), answer(body=b"trap"), port=server.port) as trap,
        outbound_client(authority, server.port, allowed=["127.0.0.2"], resolver=resolver) as client,
    ):
        received = await client.send("POST", f"https://{HOST}:{server.port}/")

        assert received.body == b"first"
        assert resolver.asked == [(HOST, server.port)]
        assert trap.connections == 0


async def test_a_new_connection_to_a_name_that_now_leads_inside_is_refused(authority: Authority) -> None:
    resolver = ScriptedResolver(["127.0.0.2"], ["127.0.0.1"])
    closing = answer("200 OK", b"first", "Connection: close")
    async with (
        https_server(authority.server_context(HOST), closing, address="127.0.0.2") as server,
        https_server(authority.server_context(HOST), answer(body=b"trap"), port=server.port) as trap,
        outbound_client(authority, server.port, allowed=["127.0.0.2"], resolver=resolver) as client,
    ):
        await client.send("POST", f"https://{HOST}:{server.port}/")

        with pytest.raises(Refused, match="loopback"):
            await client.send("POST", f"https://{HOST}:{server.port}/")
        assert trap.connections == 0


async def test_a_public_address_beside_a_loopback_one_means_nothing_is_dialled(authority: Authority) -> None:
    resolver = ScriptedResolver(["127.0.0.1", "10.0.0.1"])
    async with (
        https_server(authority.server_context(HOST), answer()) as server,
        outbound_client(authority, server.port, allowed=["127.0.0.1"], resolver=resolver) as client,
    ):
        with pytest.raises(Refused):
            await client.send("POST", f"https://{HOST}:{server.port}/")

        assert server.connections == 0


async def test_without_the_allow_list_the_loopback_server_is_never_dialled(authority: Authority) -> None:
    async with (
        https_server(authority.server_context(HOST), answer()) as server,
        outbound_client(authority, server.port, allowed=()) as client,
    ):
        with pytest.raises(Refused, match="loopback"):
            await client.send("POST", f"https://{HOST}:{server.port}/")

        assert server.connections == 0


async def test_a_dead_first_address_gives_way_to_the_next(authority: Authority) -> None:
    resolver = ScriptedResolver(["127.0.0.3", "127.0.0.1"])
    async with (
        https_server(authority.server_context(HOST), answer(body=b"second")) as server,
        outbound_client(authority, server.port, resolver=resolver) as client,
    ):
        received = await client.send("POST", f"https://{HOST}:{server.port}/")

    assert received.body == b"second"


async def test_a_connection_is_used_again_for_the_same_name_only(authority: Authority) -> None:
    resolver = ScriptedResolver(["127.0.0.1"])
    hosts = [HOST, "other.example"]
    async with (
        https_server(authority.server_context(HOST), answer()) as server,
        outbound_client(authority, server.port, allowed=hosts, resolver=resolver) as client,
    ):
        await client.send("POST", f"https://{HOST}:{server.port}/1")
        await client.send("POST", f"https://{HOST}:{server.port}/2")

        assert server.connections == 1
        assert [host for host, _ in resolver.asked] == [HOST]
        with pytest.raises(NotReached, match="certificate"):
            await client.send("POST", f"https://other.example:{server.port}/3")
        assert len(server.requests) == 2


@pytest.mark.parametrize("status", ["301 Moved", "302 Found", "307 Temporary Redirect", "308 Permanent"])
async def test_a_redirect_is_an_answer_and_is_not_followed(authority: Authority, status: str) -> None:
    async with (
        https_server(authority.server_context(HOST), answer()) as server,
        outbound_client(authority, server.port) as client,
    ):
        server.reply = answer(status, b"", f"Location: https://{HOST}:{server.port}/inside")
        received = await client.send("POST", f"https://{HOST}:{server.port}/outside")

    assert received.status == int(status[:3])
    assert [request.line for request in server.requests] == ["POST /outside HTTP/1.1"]


async def test_cookies_are_not_kept(authority: Authority) -> None:
    async with (
        https_server(authority.server_context(HOST), answer("200 OK", b"", "Set-Cookie: a=b")) as server,
        outbound_client(authority, server.port) as client,
    ):
        await client.send("POST", f"https://{HOST}:{server.port}/")
        await client.send("POST", f"https://{HOST}:{server.port}/")

    assert "cookie" not in server.requests[1].headers


async def test_proxies_of_the_environment_are_ignored(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with (
        https_server(None, answer()) as proxy,
        https_server(authority.server_context(HOST), answer(body=b"direct")) as server,
    ):
        for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{proxy.port}")
        async with outbound_client(authority, server.port) as client:
            received = await client.send("POST", f"https://{HOST}:{server.port}/")

    assert received.body == b"direct"
    assert proxy.connections == 0


async def test_a_certificate_of_another_name_is_not_trusted(authority: Authority) -> None:
    async with (
        https_server(authority.server_context("other.example"), answer()) as server,
        outbound_client(authority, server.port) as client,
    ):
        with pytest.raises(NotReached, match=r"certificate is not trusted \(Hostname mismatch"):
            await client.send("POST", f"https://{HOST}:{server.port}/")


async def test_a_certificate_of_an_unknown_authority_is_not_trusted(
    authority: Authority, tmp_path: Path
) -> None:
    stranger = Authority(tmp_path)
    async with (
        https_server(stranger.server_context(HOST), answer()) as server,
        outbound_client(authority, server.port) as client,
    ):
        with pytest.raises(NotReached, match="certificate is not trusted"):
            await client.send("POST", f"https://{HOST}:{server.port}/", content=b"secret")

        assert server.requests == []


async def test_an_unnamed_authority_is_not_trusted_by_default(authority: Authority) -> None:
    async with https_server(authority.server_context(HOST), answer()) as server:
        rules = OutboundRules.parse([HOST], ports=[server.port])
        client = OutboundClient(Guard(rules, ScriptedResolver(["127.0.0.1"])))
        with pytest.raises(NotReached, match="certificate is not trusted"):
            await client.send("POST", f"https://{HOST}:{server.port}/")
        await client.aclose()


async def test_the_environment_cannot_add_an_authority(
    authority: Authority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stranger = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(stranger.ca_file))
    async with (
        https_server(stranger.server_context(HOST), answer()) as server,
        outbound_client(authority, server.port) as client,
    ):
        with pytest.raises(NotReached, match="certificate is not trusted"):
            await client.send("POST", f"https://{HOST}:{server.port}/")


async def test_a_server_without_tls_is_not_reached(authority: Authority) -> None:
    async with (
        https_server(None, answer()) as server,
        outbound_client(authority, server.port) as client,
    ):
        server.greeting = b"HTTP/1.1 400 Bad Request\r\n\r\n"
        with pytest.raises(NotReached, match="no secure connection"):
            await client.send("POST", f"https://{HOST}:{server.port}/")


async def test_a_closed_port_is_not_reached_and_the_address_is_not_told(authority: Authority) -> None:
    async with https_server(None, answer()) as server:
        port = server.port
    async with outbound_client(authority, port) as client:
        with pytest.raises(NotReached, match=r"'policy\.example' was not reached: no connection") as failure:
            await client.send("POST", f"https://{HOST}:{port}/")

    assert "127.0.0.1" not in str(failure.value)
