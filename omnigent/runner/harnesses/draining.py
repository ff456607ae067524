"""Leaves a finished stream in a state that lets its connection be used again."""

import asyncio
from collections.abc import AsyncIterable
from typing import Final

DRAIN_SECONDS: Final = 0.2


async def drain(stream: AsyncIterable[object]) -> None:
    """Read what little follows the terminal event; a connection that is left in the middle must be closed."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in stream:
                pass
    except Exception:  # noqa: BLE001  the answer is complete; nothing that follows can spoil it
        return
