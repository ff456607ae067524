"""Waiting for what must come true, with a deadline instead of a guess."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

WITHIN = 15.0
STEP = 0.01


async def until(condition: Callable[[], T], what: str = "", within: float = WITHIN) -> T:
    """The first true value of `condition`, which is asked on the loop."""

    async def ask() -> T:
        return condition()

    return await eventually(ask, what, within)


async def eventually(condition: Callable[[], Awaitable[T]], what: str = "", within: float = WITHIN) -> T:
    """The first true value of an asynchronous `condition`."""
    deadline = asyncio.get_running_loop().time() + within
    while True:
        value = await condition()
        if value:
            return value
        if asyncio.get_running_loop().time() > deadline:
            raise AssertionError(f"not within {within:g} s: {what or condition}")
        await asyncio.sleep(STEP)
