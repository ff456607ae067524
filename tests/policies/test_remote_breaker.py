"""The circuit breaker and the latency record of a url policy."""

import asyncio

import pytest

from omnigent.policies.remote import BreakerOpen, RemotePolicyError, RemoteRules
from omnigent.policies.remote.endpoints import CALLS_AT_ONCE
from omnigent.policies.remote.latency import Latency, LatencySummary
from tests.outbound.https_server import Reply, answer, hang_up, silence
from tests.policies.events import tool_call
from tests.policies.remote_service import RemoteService, json_answer, remote_service

RULES = RemoteRules(breaker_failures=3, breaker_pause_seconds=30, timeout_seconds=5)
QUICK = RemoteRules(breaker_failures=3, breaker_pause_seconds=30, timeout_seconds=0.3)
FINE = json_answer('{"result": "allow"}')
BUSY = answer("503 Busy")


async def fail(service: RemoteService, times: int) -> None:
    for _ in range(times):
        with pytest.raises(RemotePolicyError):
            await service.policy(tool_call("Bash"))


def state(service: RemoteService) -> tuple[str, int]:
    (status,) = service.policies.statuses()
    return status.breaker.value, status.failures_in_a_row


async def test_failures_in_a_row_open_the_breaker_and_nothing_more_is_sent() -> None:
    async with remote_service(BUSY, RULES) as service:
        await fail(service, 3)
        assert state(service) == ("open", 3)

        with pytest.raises(BreakerOpen, match=r"circuit breaker open after 3 failures .* status 503"):
            await service.policy(tool_call("Bash"))

    assert len(service.server.requests) == 3


async def test_a_success_between_failures_starts_the_count_again() -> None:
    async with remote_service(BUSY, RULES) as service:
        await fail(service, 2)
        service.server.reply = FINE
        await service.policy(tool_call("Bash"))
        service.server.reply = BUSY
        await fail(service, 2)

        assert state(service) == ("closed", 2)


async def test_after_the_pause_a_good_probe_closes_the_breaker() -> None:
    async with remote_service(BUSY, RULES) as service:
        await fail(service, 3)
        service.server.reply = FINE
        service.clock.seconds = 29.9
        with pytest.raises(BreakerOpen):
            await service.policy(tool_call("Bash"))
        service.clock.seconds = 30
        assert state(service) == ("half_open", 3)

        assert await service.policy(tool_call("Bash")) == {"result": "allow"}

        assert state(service) == ("closed", 0)


async def test_after_the_pause_a_bad_probe_opens_it_for_another_pause() -> None:
    async with remote_service(BUSY, RULES) as service:
        await fail(service, 3)
        service.clock.seconds = 30
        await fail(service, 1)
        service.clock.seconds = 59

        with pytest.raises(BreakerOpen):
            await service.policy(tool_call("Bash"))
        assert len(service.server.requests) == 4
        service.clock.seconds = 60
        await fail(service, 1)
        assert len(service.server.requests) == 5


async def test_only_one_probe_goes_at_a_time() -> None:
    async with remote_service(BUSY, RULES) as service:
        await fail(service, 3)
        service.clock.seconds = 30
        entered, released = asyncio.Event(), asyncio.Event()

        async def held(writer: asyncio.StreamWriter) -> None:
            entered.set()
            await released.wait()
            await FINE(writer)

        service.server.reply = held
        probe = asyncio.create_task(service.policy(tool_call("Bash")))
        await asyncio.wait_for(entered.wait(), 30)
        with pytest.raises(BreakerOpen):
            await service.policy(tool_call("Bash"))
        released.set()

        assert await probe == {"result": "allow"}
        assert state(service) == ("closed", 0)


async def test_a_cancelled_probe_leaves_room_for_the_next() -> None:
    async with remote_service(BUSY, RULES) as service:
        await fail(service, 3)
        service.clock.seconds = 30
        entered = asyncio.Event()

        async def held(writer: asyncio.StreamWriter) -> None:
            entered.set()
            await silence(writer)

        service.server.reply = held
        probe = asyncio.create_task(service.policy(tool_call("Bash")))
        await asyncio.wait_for(entered.wait(), 30)
        probe.cancel()
        await asyncio.gather(probe, return_exceptions=True)
        service.server.reply = FINE

        assert await service.policy(tool_call("Bash")) == {"result": "allow"}


@pytest.mark.parametrize("reply", [silence, hang_up, BUSY], ids=["slow", "broken", "status 503"])
async def test_a_service_that_is_slow_broken_or_failing_opens_the_breaker(reply: Reply) -> None:
    async with remote_service(reply, QUICK) as service:
        await fail(service, 3)

        assert state(service)[0] == "open"


@pytest.mark.parametrize(
    "reply",
    [
        answer("400 Bad Request"),
        json_answer("?"),
        json_answer('{"result": "maybe"}'),
        answer(body=b" " * 70000),
    ],
    ids=["status 400", "no JSON", "unknown verdict", "too large"],
)
async def test_a_wrong_answer_denies_its_own_call_and_leaves_the_breaker_closed(reply: Reply) -> None:
    async with remote_service(reply, RULES) as service:
        await fail(service, 5)

        assert state(service) == ("closed", 0)
        assert len(service.server.requests) == 5


async def test_policies_of_one_url_share_a_breaker_and_other_urls_have_their_own() -> None:
    async with remote_service(BUSY, RULES) as service:
        await fail(service, 3)
        same = service.policies.policy(policy_id="pol_2", name="same", url=service.url)
        other = service.policies.policy(policy_id="pol_3", name="other", url=f"{service.url}/other")
        service.server.reply = FINE

        with pytest.raises(BreakerOpen):
            await same(tool_call("Bash"))
        assert await other(tool_call("Bash")) == {"result": "allow"}
        assert [status.breaker.value for status in service.policies.statuses()] == ["open", "closed"]


async def test_calls_at_once_to_one_url_are_bounded_and_the_rest_wait_their_turn() -> None:
    async with remote_service(FINE, RULES) as service:
        full, released = asyncio.Event(), asyncio.Event()
        inside = most = 0

        async def held(writer: asyncio.StreamWriter) -> None:
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            if inside == CALLS_AT_ONCE:
                full.set()
            await released.wait()
            inside -= 1
            await FINE(writer)

        service.server.reply = held
        calls = [asyncio.create_task(service.policy(tool_call("Bash"))) for _ in range(CALLS_AT_ONCE + 8)]
        await asyncio.wait_for(full.wait(), 30)
        released.set()
        answers = await asyncio.gather(*calls)

    assert answers == [{"result": "allow"}] * (CALLS_AT_ONCE + 8)
    assert most == CALLS_AT_ONCE


async def test_the_latency_of_every_call_is_on_record_and_refused_calls_are_not() -> None:
    async with remote_service(FINE, RULES) as service:

        async def after_40_ms(writer: asyncio.StreamWriter) -> None:
            service.clock.seconds += 0.040
            await FINE(writer)

        service.server.reply = after_40_ms
        await service.policy(tool_call("Bash"))
        service.server.reply = BUSY
        await fail(service, 4)
        (status,) = service.policies.statuses()

    assert (status.url, status.calls, status.last_failure) == (service.url, 4, "answered with status 503")
    assert status.seconds_to_probe == 30
    assert status.latency.count == 4
    assert status.latency.last == 0
    assert status.latency.mean == pytest.approx(10)
    assert status.latency.p95 == pytest.approx(40)


def test_the_ring_forgets_the_oldest_and_p95_is_a_real_duration() -> None:
    latency = Latency()
    assert latency.summary() == LatencySummary()

    for milliseconds in range(1, 1001):
        latency.record(float(milliseconds))

    assert latency.summary() == LatencySummary(count=256, last=1000, mean=872.5, p95=988)
