"""Compacting a session: its runner's model writes the summary, unless the harness compacts itself."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import orjson
from django.conf import settings

from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows import launch
from sessions_app.services import compaction
from sessions_app.services.receipts import Receipts

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

ASK_SECONDS = 10.0
HANDLED = 200


async def finish(
    process: "Process", session_pk: int, receipts: Receipts, answer: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Compact as a request asks. It goes on when the client hangs up: its end is in the session's log."""
    work = asyncio.ensure_future(_compact(process, session_pk, receipts, answer))
    process.spawn(_quietly(work))
    await asyncio.shield(work)
    return answer


async def _quietly(work: "asyncio.Future[None]") -> None:
    await asyncio.wait([work])
    if not work.cancelled() and work.exception() is not None:
        logger.info("compaction_failed", extra={"reason": str(work.exception())})


async def _compact(
    process: "Process", session_pk: int, receipts: Receipts, answer: Mapping[str, Any]
) -> None:
    try:
        async with asyncio.timeout(settings.OMNIGENT_COMPACTION_SECONDS):
            await _summarise(process, session_pk)
    except (OmnigentError, TimeoutError) as error:
        await process.pool.run(compaction.fail, session_pk)
        await process.pool.run(receipts.release)
        if isinstance(error, OmnigentError):
            raise
        raise _failed("The summary took too long") from None
    await process.pool.run(receipts.record, 202, answer)


async def _summarise(process: "Process", session_pk: int) -> None:
    standing = await launch.ensure_runner(process, session_pk)
    own = await process.rpc.runner(
        standing.runner_id,
        "POST",
        f"/v1/sessions/{standing.session_id}/events",
        body=b'{"type":"compact"}',
        seconds=ASK_SECONDS,
    )
    plan = None if own.status == HANDLED else await process.pool.run(compaction.plan, session_pk)
    if plan is None:
        await process.pool.run(compaction.settle, session_pk)
        return
    asked = {"messages": plan.messages, "model": plan.model, "session_id": standing.session_id}
    written = await process.rpc.runner(
        standing.runner_id,
        "POST",
        "/v1/summarize",
        body=orjson.dumps(asked),
        seconds=settings.OMNIGENT_COMPACTION_SECONDS,
    )
    summary = _read(written.status, written.body)
    tokens, model = summary.get("token_count"), summary.get("model")
    await process.pool.run(
        compaction.finish,
        session_pk,
        plan,
        text=str(summary["text"]),
        tokens=tokens if isinstance(tokens, int) else None,
        model=str(model or plan.model),
    )


def _read(status: int, body: bytes) -> Mapping[str, Any]:
    """The summary in a runner's answer. Raises when there is none."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        answer = None
    if not isinstance(answer, dict):
        raise _failed(f"The runner answered {status} without a summary")
    if status >= 400 or not isinstance(answer.get("text"), str) or not answer["text"].strip():
        raise _failed(str(answer.get("detail") or answer.get("error") or f"The runner answered {status}"))
    return answer


def _failed(reason: str) -> OmnigentError:
    return OmnigentError(ErrorCode.INTERNAL_ERROR, f"The conversation could not be compacted: {reason}")
