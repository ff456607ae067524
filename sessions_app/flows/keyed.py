"""A write that waits on a tunnel, under an idempotency key: done once, and answered the same to a retry."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from omnigent.accounts.identity import Principal
from sessions_app.services.receipts import Answer, Receipts, hold_term

if TYPE_CHECKING:
    from sessions_app.process import Process


async def once(
    process: "Process",
    principal: Principal,
    receipts: Receipts,
    work: Callable[[], Awaitable[Answer]],
    done: Callable[[], None] | None = None,
) -> Answer:
    """Do `work`, or give the 200 that it had under this key before. Other answers are not kept.

    `done` is called in the pool after work that was answered 200, before the answer is kept.
    """
    known = await process.pool.run(_begin, principal, receipts)
    if known is not None:
        return Answer(HTTPStatus.OK, orjson.dumps(known))
    is_done = False
    try:
        async with _held(process, receipts):
            answer = await work()
        if answer.status == HTTPStatus.OK:
            await process.pool.run(_finish, receipts, answer, done)
            is_done = True
        return answer
    finally:
        if not is_done:
            await process.pool.run(receipts.release)


@asynccontextmanager
async def _held(process: "Process", receipts: Receipts) -> AsyncIterator[None]:
    """Keep the key for as long as the work takes, which may be longer than a key is kept for a request."""
    renewing = asyncio.create_task(_renew(process, receipts))
    try:
        yield
    finally:
        renewing.cancel()
        await asyncio.gather(renewing, return_exceptions=True)


async def _renew(process: "Process", receipts: Receipts) -> None:
    while True:
        await asyncio.sleep(hold_term().total_seconds() / 3)
        await process.pool.run(receipts.renew)


def _begin(principal: Principal, receipts: Receipts) -> Mapping[str, Any] | None:
    with receipts.replayed(principal) as replay:
        return replay


def _finish(receipts: Receipts, answer: Answer, done: Callable[[], None] | None) -> None:
    if done is not None:
        done()
    receipts.record(answer.status, orjson.loads(answer.body))
