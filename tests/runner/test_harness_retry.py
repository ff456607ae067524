"""The retry loop by itself: how long it waits, and what it passes on."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from omnigent.runner.harnesses.base import Finished, ModelError, ModelSettings, Retry, SampleEvent, TextDelta
from omnigent.runner.harnesses.failures import AttemptFailed, interrupted, refused, unreachable
from omnigent.runner.harnesses.retry import Attempt, RetryLoop


def attempts(*outcomes: SampleEvent | AttemptFailed) -> Attempt:
    """An attempt that gives one outcome each time it is made, and then finishes."""
    left = list(outcomes)

    async def attempt() -> AsyncGenerator[SampleEvent, None]:
        if left:
            outcome = left.pop(0)
            if isinstance(outcome, AttemptFailed):
                raise outcome
            yield outcome
        yield Finished("stop")

    return attempt


def loop(jitter: float, waits: list[float], *, max_retries: int = 7) -> RetryLoop:
    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    settings = ModelSettings(max_retries=max_retries)
    return RetryLoop(settings, sleep=sleep, jitter=lambda: jitter, now=lambda: 0.0)


@pytest.mark.parametrize(
    ("jitter", "expected"), [(0.0, [2.0, 4.0, 8.0]), (0.5, [1.5, 3.0, 6.0]), (1.0, [1.0, 2.0, 4.0])]
)
async def test_jitter_shortens_a_wait_by_up_to_half(jitter: float, expected: list[float]) -> None:
    waits: list[float] = []

    events = [event async for event in loop(jitter, waits).run(attempts(*[unreachable("")] * 3))]

    assert waits == expected
    assert [event.delay_seconds for event in events if isinstance(event, Retry)] == expected


async def test_jitter_never_undercuts_what_the_provider_asked_for() -> None:
    waits: list[float] = []
    failure = refused(429, None, {"retry-after": "10"})

    _ = [event async for event in loop(0.5, waits).run(attempts(failure))]

    assert waits == [10.5]


async def test_a_wait_is_announced_before_it_begins() -> None:
    order: list[str] = []

    async def sleep(seconds: float) -> None:
        order.append("slept")

    retry = RetryLoop(ModelSettings(), sleep=sleep)
    async for event in retry.run(attempts(unreachable("no route"))):
        order.append(type(event).__name__)

    assert order == ["Retry", "slept", "Finished"]


@pytest.mark.parametrize("failure", [unreachable, interrupted])
async def test_no_repetition_when_they_are_switched_off(failure: Callable[[str], AttemptFailed]) -> None:
    waits: list[float] = []

    with pytest.raises(ModelError):
        _ = [event async for event in loop(0.0, waits, max_retries=0).run(attempts(failure("")))]

    assert waits == []


async def test_cancelling_during_a_wait_ends_the_sample() -> None:
    waiting = asyncio.Event()

    async def sleep(seconds: float) -> None:
        waiting.set()
        await asyncio.Event().wait()

    async def consume() -> None:
        async for _ in RetryLoop(ModelSettings(), sleep=sleep).run(attempts(unreachable(""), TextDelta("x"))):
            pass

    consumer = asyncio.create_task(consume())
    await waiting.wait()
    consumer.cancel()

    with pytest.raises(asyncio.CancelledError):
        await consumer
