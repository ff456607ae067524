"""The runner's calls to the server: who it says it is, and what it does when the server is away."""

import time

import httpx
import pytest

from omnigent.runner.api import ServerRefused, ServerUnreachable
from tests.runner.api_rig import Answer, Server, Waits, make_api


def bearer(token: str, seconds: float = 1800) -> httpx.Response:
    return httpx.Response(200, json={"token": token, "expires_at": time.time() + seconds})


def ok() -> httpx.Response:
    return httpx.Response(200, json={"result": "POLICY_ACTION_ALLOW"})


@pytest.mark.parametrize("status", [400, 404])
async def test_a_server_without_bearers_is_asked_once(status: int) -> None:
    server = Server(token=[httpx.Response(status)], evaluate=[ok()])
    api = make_api(server)
    for _ in range(3):
        await api.evaluate("conv_1", {})

    assert len(server.seen("token")) == 1
    headers = server.seen("evaluate")[0].headers
    assert headers["x-omnigent-runner-tunnel-token"] == "binding"
    assert headers["origin"] == "omnigent://internal"
    assert "authorization" not in headers


async def test_a_bearer_is_used_until_it_is_about_to_expire() -> None:
    server = Server(token=[bearer("one"), bearer("two")], evaluate=[ok()])
    api = make_api(server)
    await api.evaluate("conv_1", {})
    await api.evaluate("conv_1", {})

    assert [request.headers["authorization"] for request in server.seen("evaluate")] == ["Bearer one"] * 2


async def test_a_refused_bearer_is_renewed_once() -> None:
    server = Server(token=[bearer("one"), bearer("two")], evaluate=[httpx.Response(401), ok()])
    await make_api(server).evaluate("conv_1", {})

    assert server.seen("evaluate")[-1].headers["authorization"] == "Bearer two"


@pytest.mark.parametrize("status", [401, 403, 500])
async def test_a_token_endpoint_that_fails_leaves_the_binding_token(status: int) -> None:
    server = Server(token=[httpx.Response(status)], evaluate=[ok()])
    await make_api(server).evaluate("conv_1", {})

    assert "authorization" not in server.seen("evaluate")[0].headers


@pytest.mark.parametrize("away", [httpx.ConnectError("refused"), httpx.ReadError("cut"), httpx.Response(503)])
async def test_a_server_that_comes_back_is_waited_for(away: Answer) -> None:
    server = Server(items=[away, away, away, httpx.Response(200, json={"data": [{"id": "item_1"}]})])

    assert await make_api(server).items("conv_1") == [{"id": "item_1"}]


async def test_a_server_that_stays_away_is_given_up_after_two_minutes() -> None:
    waits = Waits()
    with pytest.raises(ServerUnreachable):
        await make_api(Server(items=[httpx.ConnectError("refused")]), waits).items("conv_1")

    assert 100 < waits.now <= 120


async def test_a_refusal_is_not_repeated() -> None:
    server = Server(items=[httpx.Response(403, text="no")])
    with pytest.raises(ServerRefused, match="403"):
        await make_api(server).items("conv_1")

    assert len(server.seen("items")) == 1


async def test_an_event_keeps_its_key_when_it_is_repeated() -> None:
    server = Server(events=[httpx.ReadError("cut"), httpx.Response(202, json={})])
    await make_api(server).post_event("conv_1", {"type": "x"})

    assert len({request.headers["idempotency-key"] for request in server.seen("events")}) == 1
    assert len(server.seen("events")) == 2


async def test_a_policy_keeps_its_key_when_it_is_sent_again() -> None:
    server = Server(policies=[httpx.ReadError("cut"), httpx.Response(200, json={"id": "pol_1"})])
    assert await make_api(server).add_policy("conv_1", {"name": "a"}) == {"id": "pol_1"}

    assert len({request.headers["idempotency-key"] for request in server.seen("policies")}) == 1
    assert [request.headers["x-omnigent-runner-tunnel-token"] for request in server.seen("policies")] == [
        "binding",
        "binding",
    ]


async def test_an_answer_that_is_no_object_is_a_refusal() -> None:
    with pytest.raises(ServerRefused):
        await make_api(Server(mcp=[httpx.Response(200, text="<html>")])).mcp("conv_1", {})
