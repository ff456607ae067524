"""Requests about what a session's runner has: asked of it, its answers checked before they go on."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from http import HTTPStatus
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Protocol

import orjson

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.flows import keyed
from sessions_app.rpc import RunnerAnswer
from sessions_app.services.receipts import Answer, Receipts

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
    """The same for a write: once it is done, the same key gets the same answer."""
    return await keyed.once(process, principal, receipts, partial(ask, process, place, asked), done)


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
