"""Requests about a session's terminals: asked of its runner, whose answers are checked before they go on."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.rpc import RunnerAnswer
from sessions_app.services.receipts import Answer, Receipts
from sessions_app.services.terminals import Place

if TYPE_CHECKING:
    from sessions_app.process import Process

SECONDS = 30.0
MAX_MESSAGE = 2000
REFUSALS = frozenset({400, 403, 404, 409, 410, 503})
"""Statuses with which a runner refuses; others make no sense."""


async def ask(process: "Process", place: Place, method: str, suffix: str = "", body: bytes = b"") -> Answer:
    """One request to the runner, and its answer as it goes to the caller. Raises 503 and 502."""
    try:
        answer = await process.rpc.runner(
            place.runner_id, method, place.path + suffix, body=body, seconds=SECONDS
        )
    except OmnigentError as error:
        if error.status == HTTPStatus.GATEWAY_TIMEOUT:
            raise nonsense(error.message) from None
        raise
    shown = _object_in(answer)
    if answer.status == HTTPStatus.OK:
        return Answer(answer.status, orjson.dumps(shown))
    if answer.status not in REFUSALS:
        raise nonsense(f"The runner answered {answer.status}")
    return Answer(answer.status, orjson.dumps({"error": _error_in(shown)}))


async def change(
    process: "Process",
    principal: Principal,
    place: Place,
    receipts: Receipts,
    method: str,
    suffix: str = "",
    body: bytes = b"",
) -> Answer:
    """The same for a write: once it is done, the same key gets the same answer."""
    known = await process.pool.run(_begin, principal, receipts)
    if known is not None:
        return Answer(HTTPStatus.OK, orjson.dumps(known))
    is_done = False
    try:
        answer = await ask(process, place, method, suffix, body)
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


def _error_in(answer: Mapping[str, Any]) -> dict[str, str]:
    """Both forms of a runner's errors in ours."""
    error = answer.get("error")
    given = error if isinstance(error, Mapping) else {"code": error, "message": answer.get("detail")}
    code, message = given.get("code"), given.get("message")
    if not isinstance(code, str) or not isinstance(message, str):
        raise nonsense("The runner refused without a reason")
    return {"code": code[:MAX_MESSAGE], "message": message[:MAX_MESSAGE]}
