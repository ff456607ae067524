"""A chain run for real: handlers that wait are awaited, operators' code runs beside the event loop."""

import asyncio
import time
from collections.abc import Sequence
from concurrent.futures import Executor
from functools import partial
from typing import Any

from omnigent.policies.engine import Chain, call
from omnigent.policies.types import Action, PolicyEvent, PolicyRef, PolicyState, Verdict

_ALLOW = Verdict(action=Action.ALLOW)


class SlowPolicyError(Exception):
    """A policy has not answered in time."""


async def judge(
    event: PolicyEvent,
    refs: Sequence[PolicyRef],
    state: PolicyState,
    *,
    threads: Executor,
    start: int = 0,
    llm_client: object = None,
) -> Verdict:
    """The verdict of a chain, as `engine.evaluate` gives it, without ever holding up the event loop.

    Whatever a handler raises is a verdict, and so is that it takes too long; a cancellation of the caller
    is not.
    """
    if start >= len(refs):
        return _ALLOW
    chain = Chain(event, refs, state, start=start)
    while (ref := chain.pending()) is not None:
        began = time.perf_counter_ns()
        try:
            returned = await _called(ref, chain.event_for_handler() | {"llm_client": llm_client}, threads)
        except (Exception, SystemExit, KeyboardInterrupt) as error:  # noqa: BLE001 - foreign code; its failure is a verdict
            chain.fail(error, micros=_micros(began))
        else:
            chain.answer(returned, micros=_micros(began))
    return chain.verdict()


async def _called(ref: PolicyRef, event: dict[str, Any], threads: Executor) -> object:
    if not (ref.is_async or ref.foreign):
        return call(ref, event)
    try:
        async with asyncio.timeout(ref.seconds):
            if ref.is_async:
                return await call(ref, event)  # type: ignore[misc]  # an asynchronous handler gives an awaitable
            return await asyncio.get_running_loop().run_in_executor(threads, partial(call, ref, event))
    except TimeoutError:
        raise SlowPolicyError(f"no answer in {ref.seconds:g} s") from None


def _micros(began: int) -> int:
    return (time.perf_counter_ns() - began) // 1000
