"""Asking for a runner on a host."""

from typing import Any

from omnigent.protocol import host_frames
from tests.inputs.rig import Rig
from tests.sessions.fake_host import HOST

URL = f"/v1/hosts/{HOST}/runners"
REFUSED = host_frames.LaunchRunnerResult(request_id="", status="")


async def launch(rig: Rig, session_id: str, *, key: str = "", **fields: Any) -> Any:
    """Ask for a runner on the host."""
    body = {"session_id": session_id, "workspace": "/repo", **fields}
    return await rig.http.post(URL, json=body, headers={"Idempotency-Key": key} if key else {})
