"""Requests about what a session's runner has: asked of it, its answers checked before they go on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.rpc import RunnerAnswer
from sessions_app.services.receipts import Answer, Receipts, hold_term

if TYPE_CHECKING:
    from sessions_app.process import Process

SECONDS = 30.0
MAX_MESSAGE = 2000
GIVEN, AWAY = 200, 503
"""What a runner answers that does it, and what is answered while there is none."""
REFUSALS: Mapping[int, ErrorCode] = MappingProxyType(
    {
        400: ErrorCode.INVALID_INPUT,
        403: ErrorCode.FORBIDDEN,
        404: ErrorCode.NOT_FOUND,
        409: ErrorCode.CONFLICT,
        410: ErrorCode.SESSION_AGENT_MISSING,
        413: ErrorCode.PAYLOAD_TOO_LARGE,
        416: ErrorCode.INVALID_INPUT,
        422: ErrorCode.INVALID_INPUT,
        503: ErrorCode.RUNNER_UNAVAILABLE,
    }
)
"""Statuses with which a runner refuses, and what they mean where it does not say; others make no sense."""


class AtRunner(Protocol):
    """Where a runner has something: its id, and the path there."""

    @property
    def runner_id(self) -> str: ...

    @property
    def path(self) -> str: ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is asked of a runner; `suffix` is the rest of the path with its query."""

    method: str
    suffix: str = ""
    body: bytes = b""
    seconds: float = SECONDS


async def ask(process: "Process", place: AtRunner, asked: Request) -> Answer:
    """One request to the runner, and its answer as it goes to the caller. Raises 503 and 502."""
    try:
        answer = await process.rpc.runner(
            place.runner_id, asked.method, place.path + asked.suffix, body=asked.body, seconds=asked.seconds
        )
    except OmnigentError as error:
        if error.status == HTTPStatus.GATEWAY_TIMEOUT:
            raise nonsense(error.message) from None
        raise
    return answered(answer)


def answered(answer: RunnerAnswer) -> Answer:
    """A runner's answer, or its refusal in the form of ours. Raises 502 for what is neither."""
    shown = _object_in(answer)
    if answer.status == HTTPStatus.OK:
        return Answer(answer.status, answer.body)
    if answer.status not in REFUSALS:
        raise nonsense(f"The runner answered {answer.status}")
    error = _error_in(answer.status, shown)
    says_detail = answer.status == HTTPStatus.CONFLICT or ("error" in shown and "detail" in shown)
    is_envelope = isinstance(shown.get("error"), Mapping)
    detail = {"detail": error["message"]} if is_envelope and says_detail else {}
    return Answer(answer.status, orjson.dumps({"error": error, **detail}))


async def change(
    process: "Process",
    principal: Principal,
    place: AtRunner,
    receipts: Receipts,
    asked: Request,
    done: Callable[[], None] | None = None,
) -> Answer:
    """The same for a write: once it is done, the same key gets the same answer.

    `done` is called in the pool after a write that worked, before the answer is kept.
    """
    known = await process.pool.run(_begin, principal, receipts)
    if known is not None:
        return Answer(HTTPStatus.OK, orjson.dumps(known))
    is_done = False
    try:
        async with _held(process, receipts):
            answer = await ask(process, place, asked)
        if answer.status == HTTPStatus.OK:
            await process.pool.run(_finish, receipts, answer, done)
            is_done = True
        return answer
    finally:
        if not is_done:
            await process.pool.run(receipts.release)


@asynccontextmanager
async def _held(process: "Process", receipts: Receipts) -> AsyncIterator[None]:
    """Keep the key for as long as the runner works, which may be longer than a key is kept for a request."""
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


def nonsense(message: str) -> OmnigentError:
    """The runner's answer cannot be passed on, or did not come."""
    return OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, message, status=502, detail=message)


def _object_in(answer: RunnerAnswer) -> Mapping[str, Any]:
    try:
        found = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        found = None
    if not isinstance(found, dict):
        raise nonsense(f"The runner's answer ({answer.status}) is not a JSON object")
    return found


def _error_in(status: int, answer: Mapping[str, Any]) -> dict[str, str]:
    """A runner's errors, in each of their forms, in ours: an envelope, a code and a text, or a text alone."""
    error = answer.get("error")
    given = error if isinstance(error, Mapping) else {"code": error, "message": answer.get("detail")}
    code, message = given.get("code"), given.get("message")
    if code is None and "error" not in answer:
        code = REFUSALS[status].value
    if not isinstance(code, str) or not isinstance(message, str):
        raise nonsense("The runner refused without a reason")
    return {"code": code[:MAX_MESSAGE], "message": message[:MAX_MESSAGE]}
