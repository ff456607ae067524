"""Every method: which request it makes, in both faces."""

import inspect
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from omnigent_client import OmnigentClient, Page, SyncClient
from omnigent_client.blocking.face import Face
from omnigent_client.resources.base import Resource
from tests.client.route_cases import AGENT, CASES, FILE, GRANT, SESSION, Case
from tests.client.scripted_server import ScriptedServer

BY_HAND = {
    "sessions.stream",
    "sessions.send",
    "sessions.ask",
    "sessions.run_turn",
    "sessions.create",
    "agents.upload",
    "files.upload",
}
"""Not one plain request: covered by tests of their own."""


def called(client: OmnigentClient | SyncClient, one: Case) -> Any:
    """The method's result, not yet awaited."""
    owner: Any = client
    for part in one.name.split("."):
        owner = getattr(owner, part)
    renamed = {"body_text": "body", "params_": "params"}
    return owner(*one.args, **{renamed.get(name, name): value for name, value in one.kwargs.items()})


def server_of(one: Case) -> ScriptedServer:
    """A server with the one answer."""
    return ScriptedServer(httpx.Response(204) if one.answer is None else httpx.Response(200, json=one.answer))


def assert_sent(server: ScriptedServer, one: Case) -> None:
    [request] = server.requests
    assert f"{request.method} {request.url.path}" == one.sends
    assert dict(request.url.params) == one.params
    assert (json.loads(request.content) if request.content else None) == one.body
    assert ("idempotency-key" in request.headers) == (request.method != "GET")


async def settled(result: Any) -> Any:
    """Await it, or walk through it."""
    if isinstance(result, AsyncIterator):
        return [row async for row in result]
    assert isinstance(result, Awaitable)
    return await result


def ids(one: Case) -> str:
    return one.name


@pytest.mark.parametrize("one", CASES, ids=ids)
async def test_a_method_makes_its_request(one: Case) -> None:
    server = server_of(one)
    async with server.client() as client:
        await settled(called(client, one))

    assert_sent(server, one)


@pytest.mark.parametrize("one", CASES, ids=ids)
def test_the_plain_face_does_the_same(one: Case) -> None:
    server, twin = server_of(one), server_of(one)
    with SyncClient("http://server.test", transport=server) as client:
        result = called(client, one)
        found = list(result) if isinstance(result, Iterator) else result

    async def awaited() -> Any:
        async with twin.client() as other:
            return await settled(called(other, one))

    with SyncClient("http://server.test", transport=twin) as runner:
        assert found == runner.sessions.portal.run(awaited())
    assert_sent(server, one)


def groups(client: OmnigentClient | SyncClient, kind: type) -> dict[str, Any]:
    """The groups of routes of a client, by the path to them."""
    found = {name: value for name, value in vars(client).items() if isinstance(value, kind)}
    for name, group in list(found.items()):
        found |= {f"{name}.{inner}": value for inner, value in vars(group).items() if isinstance(value, kind)}
    return found


def methods(group: object) -> dict[str, Callable[..., Any]]:
    """The public methods of a group."""
    return {
        name: method
        for name, method in inspect.getmembers(group, callable)
        if not name.startswith("_") and name != "target"
    }


async def test_every_method_is_in_the_table_and_in_the_plain_face() -> None:
    async with ScriptedServer().client() as client:
        with SyncClient("http://server.test", transport=ScriptedServer()) as plain:
            theirs, ours = groups(client, Resource), groups(plain, Face)
            everything = {f"{path}.{name}" for path, group in theirs.items() for name in methods(group)}

            assert set(ours) == set(theirs)
            assert {f"{path}.{name}" for path, group in ours.items() for name in methods(group)} == everything
            assert everything == {one.name for one in CASES} | BY_HAND
            shortcuts = {name for name, value in vars(client).items() if inspect.ismethod(value)}
            assert shortcuts == {name for name, value in vars(plain).items() if inspect.ismethod(value)}
            for path, group in theirs.items():
                for name, method in methods(group).items():
                    assert getattr(ours[path], name).__doc__ == method.__doc__


async def test_iteration_walks_through_all_pages() -> None:
    pages = [
        {
            "data": [{**SESSION, "id": f"conv_{n}"}],
            "last_id": f"conv_{n}",
            "first_id": f"conv_{n}",
            "has_more": n < 3,
        }
        for n in (1, 2, 3)
    ]
    server = ScriptedServer(*[httpx.Response(200, json=page) for page in pages])
    async with server.client() as client:
        found = [session.id async for session in client.sessions.iter(limit=1)]

    assert found == ["conv_1", "conv_2", "conv_3"]
    assert [request.url.params.get("after") for request in server.requests] == [None, "conv_1", "conv_2"]
    assert {request.url.params["limit"] for request in server.requests} == {"1"}


async def test_grants_are_listed_through_all_pages() -> None:
    pages = [{"permissions": [GRANT], "next_cursor": cursor} for cursor in ("ann", None)]
    server = ScriptedServer(*[httpx.Response(200, json=page) for page in pages])
    async with server.client() as client:
        assert len(await client.permissions.list("conv_1", limit=1)) == 2

    assert [request.url.params.get("cursor") for request in server.requests] == [None, "ann"]


async def test_a_page_is_a_sequence_of_rows_with_its_ends() -> None:
    answer = {"data": [SESSION, SESSION], "first_id": "a", "last_id": "b", "has_more": True, "partial": True}
    async with ScriptedServer(httpx.Response(200, json=answer)).client() as client:
        page: Page[Any] = await client.sessions.list()

    assert (len(page), page.first_id, page.last_id, page.has_more) == (2, "a", "b", True)
    assert page[0] == next(iter(page))
    assert page.raw["partial"] is True


@pytest.mark.parametrize("form", ["bytes", "file", "directory"])
async def test_a_bundle_is_uploaded_from_whatever_it_is(form: str, tmp_path: Path) -> None:
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent/config.yaml").write_text("name: mine\n")
    (tmp_path / "agent.tar.gz").write_bytes(b"archive")
    bundles = {"bytes": b"archive", "file": tmp_path / "agent.tar.gz", "directory": str(tmp_path / "agent")}
    server = ScriptedServer(
        httpx.Response(201, json={"session_id": "conv_1"}), httpx.Response(200, json=SESSION)
    )
    async with server.client() as client:
        session = await client.sessions.create(bundles[form], title="T", host_id=None)

    upload = server.requests[0].content
    assert session.id == "conv_1"
    assert b'name="metadata"\r\n' in upload and b'{"title": "T"}' in upload
    assert b'name="bundle"; filename="agent.tar.gz"' in upload
    assert (b"\x1f\x8b" if form == "directory" else b"archive") in upload


async def test_a_file_is_uploaded_with_its_name_and_type(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("hi")
    server = ScriptedServer(*[httpx.Response(201, json=FILE)] * 2)
    async with server.client() as client:
        await client.files.upload("conv_1", tmp_path / "notes.txt")
        await client.files.upload("conv_1", b"\x89PNG", filename="dot.png")
        with pytest.raises(ValueError, match="filename"):
            await client.files.upload("conv_1", b"?")

    first, second = (request.content for request in server.requests)
    assert b'name="file"; filename="notes.txt"\r\nContent-Type: text/plain\r\n\r\nhi' in first
    assert b'filename="dot.png"\r\nContent-Type: image/png' in second


async def test_an_agent_is_uploaded() -> None:
    server = ScriptedServer(httpx.Response(200, json=AGENT))
    async with server.client() as client:
        assert (await client.agents.upload(b"archive")).name == "plain"

    assert server.requests[0].url.path == "/v1/agents"
    assert b'name="bundle"; filename="agent.tar.gz"' in server.requests[0].content
