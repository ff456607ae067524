"""Launch a session's runner on its host, and wait until it has dialled in."""

import asyncio
import logging
from typing import TYPE_CHECKING

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from omnigent.protocol import host_frames
from sessions_app.services import launching

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)

HOST_SECONDS = 10.0
STATUS_SECONDS = 3.0
REVIVAL_SECONDS = 10.0


def request_id() -> str:
    """A fresh id for a host frame."""
    return mint("req")


async def launch(
    process: "Process", session_pk: int, *, instead_of: str | None = None
) -> launching.Launch | None:
    """Start a runner, unless the session has got another than `instead_of` meanwhile: then None.

    Raises OmnigentError with the host's reason, which is recorded on the session too.
    """
    plan = await process.pool.run(launching.prepare, session_pk, instead_of=instead_of)
    if plan is not None:
        await start(process, plan)
    return plan


async def start(process: "Process", plan: launching.Launch) -> None:
    """Have the host start the runner of a plan, and end the one that it replaces. Raises as `launch` does."""
    if plan.replaced_runner_id:
        process.spawn(stop_runner(process, plan.replaced_host_id, plan.replaced_runner_id))
    frame = host_frames.LaunchRunner(
        request_id=request_id(),
        binding_token=plan.binding_token,
        workspace=plan.workspace,
        session_id=plan.session_id,
        harness=plan.harness,
    )
    try:
        result = await process.rpc.host(plan.host_id, frame, seconds=HOST_SECONDS)
    except OmnigentError as error:
        await _record(process, plan, error.code.value, error.message)
        raise
    if isinstance(result, host_frames.LaunchRunnerResult) and result.status == "launched":
        return
    reason = getattr(result, "error", None) or "The host could not launch a runner"
    code = getattr(result, "error_code", None) or "runner_failed_to_start"
    await _record(process, plan, code, reason)
    known = {ErrorCode.HARNESS_NOT_CONFIGURED, ErrorCode.WORKSPACE_MISSING}
    raise OmnigentError(ErrorCode(code) if code in known else ErrorCode.RUNNER_UNAVAILABLE, reason)


async def _record(process: "Process", plan: launching.Launch, code: str, message: str) -> None:
    await process.pool.run(
        launching.record_failure,
        session_pk=plan.session_pk,
        runner_id=plan.runner_id,
        code=code,
        message=message,
    )


async def stop_runner(process: "Process", host_id: str, runner_id: str) -> bool:
    """Ask the host to end a runner; false when it could not be confirmed."""
    frame = host_frames.StopRunner(request_id=request_id(), runner_id=runner_id)
    try:
        result = await process.rpc.host(host_id, frame, seconds=HOST_SECONDS)
    except OmnigentError as error:
        logger.info("runner_not_stopped", extra={"runner": runner_id, "reason": error.message})
        return False
    return getattr(result, "status", "") == "stopped"


async def is_alive(process: "Process", host_id: str, runner_id: str) -> bool:
    """Whether the host still sees the runner's process."""
    frame = host_frames.RunnerStatus(request_id=request_id(), runner_id=runner_id)
    try:
        result = await process.rpc.host(host_id, frame, seconds=STATUS_SECONDS)
    except OmnigentError:
        return False
    return getattr(result, "status", "") == "alive"


async def await_runner(process: "Process", session_pk: int, seconds: float) -> launching.Standing:
    """Wait until the session's runner is online or certainly not coming, at most `seconds`."""
    deadline = asyncio.get_running_loop().time() + seconds
    while True:
        changed = process.changes.next()
        standing = await process.pool.run(launching.standing, session_pk)
        left = deadline - asyncio.get_running_loop().time()
        if standing.is_online or left <= 0:
            return standing
        if not standing.is_starting and not standing.has_connected:
            return standing
        await asyncio.wait([changed], timeout=min(left, 1.0))


async def ensure_runner(process: "Process", session_pk: int) -> launching.Standing:
    """Have a runner online for the session, launching one if need be. Raises with the reason."""
    standing = await process.pool.run(launching.standing, session_pk)
    if standing.is_online:
        return standing
    if standing.is_starting:
        standing = await await_runner(process, session_pk, process.launch_seconds)
    elif (
        standing.has_connected
        and standing.is_host_online
        and await is_alive(process, standing.host_id, standing.runner_id)
    ):
        standing = await await_runner(process, session_pk, REVIVAL_SECONDS)
    if standing.is_online:
        return standing
    if not standing.is_host_online:
        raise OmnigentError(ErrorCode.HOST_OFFLINE, "The session's host is offline")
    plan = await launch(process, session_pk, instead_of=standing.runner_id)
    standing = await await_runner(process, session_pk, process.launch_seconds)
    if standing.is_online:
        return standing
    if plan is None:
        raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, "The runner did not connect in time")
    report = await process.pool.run(launching.exit_report, plan.runner_id)
    reason = report or "The runner did not connect in time"
    await _record(process, plan, "runner_failed_to_start", reason)
    raise OmnigentError(ErrorCode.RUNNER_UNAVAILABLE, reason)
