"""The plain face: threads, callbacks, interrupts and closing."""

import asyncio
import threading
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from omnigent_client import Approval, ClientClosedError, NotFoundError, OmnigentSync, SyncClient
from omnigent_client.blocking.portal import Portal
from tests.client.fake_session import SESSION_ID, FakeSession
from tests.client.scripted_server import HEARTBEAT, QUICK_STREAM, ScriptedServer, events, good, refusal

SESSION = {"id": "conv_1", "agent_id": "ag_1", "status": "idle", "created_at": 1}


def plain(server: httpx.AsyncBaseTransport) -> SyncClient:
    """A client of a scripted server."""
    return SyncClient("http://server.test", streaming=QUICK_STREAM, transport=server)


def threads() -> set[str]:
    """The names of the threads that run."""
    return {thread.name for thread in threading.enumerate()}


def test_the_two_names_are_one_class() -> None:
    assert OmnigentSync is SyncClient


def test_many_threads_use_one_client() -> None:
    server = ScriptedServer(*[good(**SESSION)] * 40)
    with plain(server) as client, ThreadPoolExecutor(8) as pool:
        found = list(pool.map(client.sessions.get, ["conv_1"] * 40))

    assert {session.id for session in found} == {"conv_1"}
    assert len(server.requests) == 40


def test_errors_come_out_as_they_are() -> None:
    with plain(ScriptedServer(refusal(404, "not_found"))) as client, pytest.raises(NotFoundError):
        client.sessions.get("conv_1")


def test_a_closed_client_says_so_and_leaves_no_thread() -> None:
    client = plain(ScriptedServer())
    assert "omnigent-client" in threads()
    client.close()
    client.close()

    assert "omnigent-client" not in threads()
    with pytest.raises(ClientClosedError, match="closed"):
        client.sessions.get("conv_1")


def test_closing_ends_what_waits() -> None:
    arrived = threading.Event()

    async def never(request: httpx.Request) -> httpx.Response:
        arrived.set()
        await asyncio.Event().wait()
        raise AssertionError("unreachable")

    client = plain(ScriptedServer(never))
    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.sessions.get, "conv_1")
        assert arrived.wait(5)
        client.close()

        with pytest.raises(ClientClosedError):
            waiting.result(5)


def test_a_call_from_the_clients_own_loop_is_refused_instead_of_hanging() -> None:
    portal = Portal()

    async def inner() -> None:
        portal.run(asyncio.sleep(0))

    try:
        with pytest.raises(ClientClosedError, match="own loop"):
            portal.run(inner())
    finally:
        portal.close(asyncio.sleep(0))


def test_a_callback_may_block_and_may_call_the_client_again() -> None:
    session = FakeSession()
    answered: list[str] = []

    with plain(session) as client:

        def decide(approval: Approval) -> bool:
            answered.append(client.sessions.get(approval.session_id).status)
            return True

        with ThreadPoolExecutor(1) as pool:
            turn = pool.submit(client.ask, SESSION_ID, "Hello", decide, within=10)
            play = client.sessions.portal
            play.run(session.next_post())
            play.run(told(session))
            assert play.run(session.next_post()) == ("/elicitations/elicit_1/resolve", {"action": "accept"})
            play.run(ended(session))

            assert turn.result(10) == "Done."
    assert answered == ["idle"]


async def told(session: FakeSession) -> None:
    """The message is in, and something must be approved."""
    session.take_in()
    session.begin("resp_1")
    session.ask()


async def ended(session: FakeSession) -> None:
    """The turn ends."""
    session.message("Done.")
    session.end("resp_1")


def test_closing_ends_a_stream_that_was_left_open() -> None:
    answer = events(HEARTBEAT, None)
    with plain(ScriptedServer(answer)) as client:
        stream = client.stream("conv_1")
        assert next(stream).type == "session.heartbeat"

    assert answer.is_closed
    assert list(stream) == []


def test_a_row_iterator_fetches_only_what_is_asked_for() -> None:
    pages = [good(data=[{**SESSION, "id": f"conv_{n}"}], last_id=f"conv_{n}", has_more=True) for n in (1, 2)]
    server = ScriptedServer(*pages)
    with plain(server) as client:
        rows = client.sessions.iter(limit=1)
        assert [next(rows).id, next(rows).id] == ["conv_1", "conv_2"]
        rows.close()  # type: ignore[attr-defined]  # a generator, shown as the iterator that callers need

    assert len(server.requests) == 2
