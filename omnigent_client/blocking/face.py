"""From a class of coroutine methods to one of plain methods with the same names, arguments and results.

class SyncAgents(Face[Agents]):
    get = blocking(Agents.get)
    iter = walking(Agents.iter)

Type checkers see each method's own parameters, because they are taken from the method that is named.
"""

import functools
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from typing import Any, Concatenate, Generic, ParamSpec, TypeVar

from omnigent_client.blocking.portal import Portal

A_co = TypeVar("A_co", covariant=True)
P = ParamSpec("P")
R = TypeVar("R")


class Face(Generic[A_co]):
    """Plain methods over `target`, whose coroutines run in the portal's loop."""

    def __init__(self, target: A_co, portal: Portal) -> None:
        self.target = target
        self.portal = portal


def blocking(
    method: Callable[Concatenate[A_co, P], Coroutine[Any, Any, R]],
) -> Callable[Concatenate[Face[A_co], P], R]:
    """The method, waited for."""

    @functools.wraps(method)
    def call(face: Face[A_co], /, *args: P.args, **kwargs: P.kwargs) -> R:
        return face.portal.run(method(face.target, *args, **kwargs))

    return call


def walking(
    method: Callable[Concatenate[A_co, P], AsyncIterator[R]],
) -> Callable[Concatenate[Face[A_co], P], Iterator[R]]:
    """The method's rows, waited for one by one."""

    @functools.wraps(method)
    def call(face: Face[A_co], /, *args: P.args, **kwargs: P.kwargs) -> Iterator[R]:
        rows = method(face.target, *args, **kwargs)
        while True:
            try:
                row = face.portal.run(_next(rows))
            except StopAsyncIteration:
                return
            yield row

    return call


async def _next(rows: AsyncIterator[R]) -> R:
    return await anext(rows)
