"""A write that waits on a tunnel, under an idempotency key: done once, and answered the same to a retry."""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from omnigent.accounts.identity import Principal
from sessions_app.services.receipts import Answer, Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process


async def once(
    process: "Process", principal: Principal, receipts: Receipts, work: Callable[[], Awaitable[Answer]]
) -> Answer:
    """Do `work`, or give the 200 that it had under this key before. Other answers are not kept."""
    known = await process.pool.run(_begin, principal, receipts)
    if known is not None:
        return Answer(HTTPStatus.OK, orjson.dumps(known))
    is_done = False
    try:
        answer = await work()
        if answer.status == HTTPStatus.OK:
            await process.pool.run(receipts.record, answer.status, orjson.loads(answer.body))
            is_done = True
        return answer
    finally:
        if not is_done:
            await process.pool.run(receipts.release)


def _begin(principal: Principal, receipts: Receipts) -> Mapping[str, Any] | None:
    with receipts.replayed(principal) as replay:
        return replay
