"""Idempotency-Key on creating, changing and deleting sessions."""

import asyncio
from datetime import timedelta

import httpx
import pytest
from django.utils import timezone

from agents_app.models import Agent
from sessions_app.models import Receipt, Session
from sessions_app.process import Process
from sessions_app.services import receipts
from tests.error_shape import assert_error
from tests.factories import make_agent, make_session

URL = "/v1/sessions"
KEY = {"Idempotency-Key": "one"}


@pytest.fixture
async def agent(process: Process) -> Agent:
    return await process.pool.run(make_agent)


async def test_a_repeated_create_gives_the_first_answer(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    first = await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)
    await http.patch(f"{URL}/{first.json()['id']}", json={"title": "changed meanwhile"})

    second = await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)

    assert (second.status_code, second.content) == (201, first.content)
    assert await process.pool.run(Session.objects.count) == 1


async def test_ten_at_once_make_one_session(http: httpx.AsyncClient, agent: Agent, process: Process) -> None:
    answers = await asyncio.gather(
        *(http.post(URL, json={"agent_id": agent.public_id}, headers=KEY) for _ in range(10))
    )

    assert {answer.status_code for answer in answers} <= {201, 409}
    assert len({answer.content for answer in answers if answer.status_code == 201}) == 1
    assert await process.pool.run(Session.objects.count) == 1


async def test_another_body_under_the_same_key_is_a_mismatch(http: httpx.AsyncClient, agent: Agent) -> None:
    await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)

    answer = await http.post(URL, json={"agent_id": agent.public_id, "title": "other"}, headers=KEY)

    assert_error(answer, 422, "idempotency_mismatch")


async def test_another_route_under_the_same_key_is_a_mismatch(
    http: httpx.AsyncClient, process: Process
) -> None:
    one, two = await process.pool.run(make_session), await process.pool.run(make_session)
    await http.patch(f"{URL}/{one.public_id}", json={"title": "t"}, headers=KEY)

    assert_error(
        await http.patch(f"{URL}/{two.public_id}", json={"title": "t"}, headers=KEY),
        422,
        "idempotency_mismatch",
    )


async def test_a_refused_request_may_be_tried_again(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)
    bad = await http.patch(f"{URL}/{session.public_id}", json={"runner_id": "runner_x"}, headers=KEY)
    again = await http.patch(f"{URL}/{session.public_id}", json={"runner_id": "runner_x"}, headers=KEY)

    assert_error(bad, 400, "invalid_input")
    assert_error(again, 400, "invalid_input")
    assert await process.pool.run(Receipt.objects.count) == 0


async def test_a_repeated_patch_is_not_applied_twice(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)
    url = f"{URL}/{session.public_id}"
    first = await http.patch(url, json={"title": "mine"}, headers=KEY)
    await http.patch(url, json={"title": "theirs"})

    second = await http.patch(url, json={"title": "mine"}, headers=KEY)

    assert second.content == first.content
    assert (await http.get(url)).json()["title"] == "theirs"


async def test_a_repeated_delete_is_told_the_same(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)
    url = f"{URL}/{session.public_id}"

    first, second = await http.delete(url, headers=KEY), await http.delete(url, headers=KEY)

    assert (first.status_code, second.status_code) == (200, 200)
    assert first.content == second.content
    assert_error(await http.delete(url), 404, "not_found")


async def test_a_request_under_way_is_not_started_twice(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)
    await process.pool.run(lambda: Receipt.objects.update(status=None, created_at=timezone.now()))

    answer = await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)

    assert_error(answer, 409, "idempotency_in_flight")
    assert answer.headers["retry-after"] == "1"


async def test_an_abandoned_create_is_taken_up_where_it_was_left(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    first = (await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)).json()

    def abandon() -> None:
        # A launched runner is bound, so that nothing but the answer is missing.
        Session.objects.update(runner_id="runner_x")
        long_ago = timezone.now() - timedelta(hours=1)
        Receipt.objects.update(status=None, resource=first["id"], created_at=long_ago)

    await process.pool.run(abandon)

    second = await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)

    assert (second.status_code, second.json()["id"]) == (201, first["id"])
    third = await http.post(URL, json={"agent_id": agent.public_id}, headers=KEY)
    assert third.content == second.content
    assert await process.pool.run(Session.objects.count) == 1


async def test_a_server_that_starts_alone_holds_no_keys(
    http: httpx.AsyncClient, agent: Agent, process: Process
) -> None:
    body = {"agent_id": agent.public_id}
    first = await http.post(URL, json=body, headers=KEY)

    def crash() -> None:
        Session.objects.update(runner_id="runner_x")
        Receipt.objects.update(status=None, resource=first.json()["id"], created_at=timezone.now())
        receipts.release_all()

    await process.pool.run(crash)

    assert (await http.post(URL, json=body, headers=KEY)).json()["id"] == first.json()["id"]


@pytest.mark.parametrize("key", ["", " ", "a b", "x" * 256, "ä"])
async def test_a_key_is_short_visible_text(http: httpx.AsyncClient, agent: Agent, key: str) -> None:
    headers = {"Idempotency-Key": key.encode("latin-1")}

    assert_error(
        await http.post(URL, json={"agent_id": agent.public_id}, headers=headers), 400, "invalid_input"
    )


async def test_runner_and_owner_have_keys_of_their_own(http: httpx.AsyncClient, process: Process) -> None:
    session = await process.pool.run(make_session)
    url = f"{URL}/{session.public_id}"
    await http.patch(url, json={"title": "owner's"}, headers=KEY)

    answer = await http.patch(
        url, json={"title": "runner's"}, headers={**KEY, "X-Omnigent-Runner-Tunnel-Token": "t"}
    )

    assert_error(answer, 404, "not_found", "Session not found")
