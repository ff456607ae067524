"""Waiting for an answer that comes by another road, matched by id."""

import asyncio
from collections import OrderedDict
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_EARLY_LIMIT: Final = 256


class Parking(Generic[T]):
    """Who waits for which answer. The first answer to an id counts; one that comes early is kept."""

    def __init__(self) -> None:
        self._parked: dict[str, asyncio.Future[T]] = {}
        self._early: OrderedDict[str, T] = OrderedDict()
        self._abandoned: list[str] = []

    def abandoned(self) -> list[str]:
        """The ids whose waiters were cancelled since this was last asked."""
        ids, self._abandoned = self._abandoned, []
        return ids

    async def wait(self, key: str, seconds: float) -> T:
        """The answer; raises TimeoutError when none comes in time."""
        if key in self._early:
            return self._early.pop(key)
        future = self._parked.setdefault(key, asyncio.get_running_loop().create_future())
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.shield(future)
        except asyncio.CancelledError:
            self._abandoned.append(key)
            raise
        finally:
            self._parked.pop(key, None)

    def resolve(self, key: str, answer: T) -> bool:
        """Whether somebody waited."""
        future = self._parked.get(key)
        if future is None:
            self._early.setdefault(key, answer)
            while len(self._early) > _EARLY_LIMIT:
                self._early.popitem(last=False)
            return False
        if not future.done():
            future.set_result(answer)
        return True
