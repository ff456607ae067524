"""Threads for work on files, which is too slow for the threads of the database."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


class Workshop:
    """A few threads that parse, hash, shrink and move files. `places` bounds the memory that images take."""

    def __init__(self, *, places: int = 2) -> None:
        self._threads = ThreadPoolExecutor(places, thread_name_prefix="files")

    async def run(self, function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        """Call `function` on one of the threads."""
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, lambda: function(*args, **kwargs))
