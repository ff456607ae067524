"""Looking into a workspace: its runner is asked, and while that is away the host that has the files."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import orjson

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import host_frames
from sessions_app.flows import resources
from sessions_app.flows.launch import request_id
from sessions_app.flows.resources import REFUSALS, Request, nonsense
from sessions_app.models import TunnelKind
from sessions_app.services import environments, presence
from sessions_app.services.environments import PRIMARY, Place, Target
from sessions_app.services.receipts import Answer

if TYPE_CHECKING:
    from sessions_app.process import Process

HOST_SECONDS = 20.0
NOT_IMPLEMENTED = 501
MAX_MESSAGE = resources.MAX_MESSAGE


@dataclass(frozen=True, kw_only=True, slots=True)
class Look:
    """One question about a workspace: the runner's route, its query, and the host's word for it."""

    route: str
    operation: str
    target: Target
    query: Mapping[str, str] = field(default_factory=dict)
    params: Mapping[str, Any] = field(default_factory=dict)  # JSON values, as the host's frame has them

    @property
    def request(self) -> Request:
        """What the runner is asked."""
        query = f"?{urlencode(self.query)}" if self.query else ""
        return Request(method="GET", suffix=self.target.below(self.route) + query)


async def look(process: "Process", place: Place, asked: Look) -> Answer:
    """The runner's answer, or that of its host while the runner is away. Raises 503 when both are."""
    environments.require_runner(place)
    try:
        return await resources.ask(process, place, asked.request)
    except OmnigentError as away:
        if away.status != resources.AWAY:
            raise
        answer = await _look_on_host(process, place, asked)
        if answer is None:
            raise
        return answer


async def environment(process: "Process", place: Place, target: Target) -> Answer:
    """One environment. While its runner is away the workspace is shown if the host lets it be read."""
    environments.require_runner(place)
    try:
        suffix = f"/environments/{target.environment_id}"
        return await resources.ask(process, place, Request(method="GET", suffix=suffix))
    except OmnigentError as away:
        if away.status != resources.AWAY or target.environment_id != PRIMARY:
            raise
        if not await is_on_host(process, place):
            raise
        return Answer(200, orjson.dumps(on_host(place)))


async def all_environments(process: "Process", place: Place) -> Answer:
    """All of them, likewise."""
    environments.require_runner(place)
    try:
        return await resources.ask(process, place, Request(method="GET", suffix="/environments"))
    except OmnigentError as away:
        if away.status != resources.AWAY or not await is_on_host(process, place):
            raise
        page = {"object": "list", "data": [on_host(place)], "has_more": False}
        return Answer(200, orjson.dumps({**page, "first_id": PRIMARY, "last_id": PRIMARY}))


async def is_on_host(process: "Process", place: Place) -> bool:
    """Whether the workspace can be read without the runner."""
    if not place.host_id or not place.workspace:
        return False
    return await process.pool.run(presence.is_online, TunnelKind.HOST, place.host_id)


def on_host(place: Place) -> dict[str, Any]:
    """The workspace as an environment that can only be read."""
    roots = [{"path": place.workspace, "access": "read", "origin": "workspace"}]
    return {
        "id": PRIMARY,
        "object": "session.resource",
        "type": "environment",
        "session_id": place.session_id,
        "name": PRIMARY,
        "metadata": {
            "environment_type": "caller_process",
            "role": "primary",
            "root": place.workspace,
            "home": None,
            "reachable": {"unconfined": False, "roots": roots},
        },
    }


async def _look_on_host(process: "Process", place: Place, asked: Look) -> Answer | None:
    """The host's answer; None when it cannot give one. It reads below the workspace, never elsewhere."""
    target = asked.target
    if not place.host_id or not place.workspace:
        return None
    if target.environment_id != PRIMARY or environments.is_outside(target):
        return None
    frame = host_frames.FsRequest(
        request_id=request_id(),
        op=asked.operation,
        workspace=place.workspace,
        session_id=place.session_id,
        params=asked.params,
    )
    try:
        result = await process.rpc.host(place.host_id, frame, seconds=HOST_SECONDS)
    except OmnigentError:
        return None
    return _answer_of(result) if isinstance(result, host_frames.FsResult) else None


def _answer_of(result: host_frames.FsResult) -> Answer | None:
    if result.status == "ok":
        if not isinstance(result.payload, Mapping):
            raise nonsense("The host's answer is not a JSON object")
        return Answer(200, orjson.dumps(result.payload))
    status = result.error_status
    if status in (None, NOT_IMPLEMENTED):
        # A host that does not know how to read.
        return None
    if status not in REFUSALS:
        raise nonsense(f"The host answered {status}")
    code = result.error_code or REFUSALS[status].value
    message = result.error or ErrorCode(REFUSALS[status]).value
    return Answer(status, orjson.dumps({"error": {"code": code, "message": message[:MAX_MESSAGE]}}))
