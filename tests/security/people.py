"""Who dials in: people with tokens, and what the first frames of their runners and hosts say."""

from collections.abc import Mapping
from typing import Any

import orjson

from omnigent.accounts.gate import Gate
from omnigent.ids import runner_id_for
from omnigent.protocol.frames import ORIGIN
from tests.api_plumbing.asgi_client import Socket

TOKEN_HEADER = "X-Omnigent-Runner-Tunnel-Token"
BINDING = "the binding token that a launch has minted"
RUNNER = runner_id_for(BINDING)
HOST = "0123456789abcdef0123456789abcdef"
OTHER_HOST = "fedcba9876543210fedcba9876543210"
HELLO: Mapping[str, Any] = {
    "kind": "hello",
    "runner_version": "0.19.0",
    "frame_protocol_version": 1,
    "harnesses": ["codex"],
}
HOST_HELLO: Mapping[str, Any] = {
    "kind": "host.hello",
    "version": "0.19.0",
    "frame_protocol_version": 1,
    "name": "vm",
    "runners": [],
}


def dial(app: Gate, path: str, headers: Mapping[str, str]) -> Socket:
    """A handshake as runners and hosts make it."""
    return Socket(app, path, headers={"Origin": ORIGIN, **headers})


def runner_tunnel(app: Gate, name: str = RUNNER, token: str = BINDING) -> Socket:
    """A runner that shows its binding token and nothing else."""
    return dial(app, f"/v1/runners/{name}/tunnel", {TOKEN_HEADER: token})


def host_tunnel(app: Gate, headers: Mapping[str, str], name: str = HOST) -> Socket:
    """A host with its owner's token."""
    return dial(app, f"/v1/hosts/{name}/tunnel", headers)


def text_of(frame: Mapping[str, Any], **more: Any) -> str:
    """A frame with more in it than there should be."""
    return orjson.dumps({**frame, **more}).decode()
