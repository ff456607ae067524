"""Beginning an awaitable outside of a task: most sends end at once, and then nothing has to be scheduled."""

from collections.abc import Awaitable, Generator
from typing import Any

ENDED = object()


class Remainder:
    """What is left of an awaitable that had to wait. Await it once, in a task; cancelled, it is given up."""

    def __init__(self, steps: Generator[Any, Any, None], awaited: object) -> None:
        self._steps = steps
        self._awaited = awaited

    def __await__(self) -> Generator[Any, Any, None]:
        try:
            yield self._awaited
        except BaseException:
            self._steps.close()
            raise
        yield from self._steps


def begin(work: Awaitable[None]) -> Remainder | None:
    """Run `work` to its first wait, or to its end, which is None. Raises what it raises until then.

    It runs without a task of its own, so it must not look for one, as `asyncio.timeout` does.
    """
    steps = work.__await__()
    awaited = next(steps, ENDED)
    return None if awaited is ENDED else Remainder(steps, awaited)
