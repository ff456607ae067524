"""A real server process with something of everything in it, made over HTTP."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx

from tests.e2e.program import Program, python, wait_for
from tests.e2e.stack import base_environ, is_healthy
from tests.services.processes import free_port

READY_SECONDS = 40


@dataclass(frozen=True, kw_only=True, slots=True)
class World:
    """A server's address, and an id of its own for every name that paths have."""

    url: str
    ids: Mapping[str, str]
    log: Path


@contextmanager
def running_server(directory: Path) -> Iterator[World]:
    """Start a server on a store of its own, and end it."""
    port = free_port()
    environ = {"HOST": "127.0.0.1", "PORT": str(port), "DATA_DIR": str(directory / "data")}
    program = Program(
        "server",
        python("-m", "omnigent.server", "--migrate"),
        environ=base_environ(directory, {**environ, "OMNIGENT_ASGI_SERVER": "uvicorn"}),
        directory=directory,
    )
    url = f"http://127.0.0.1:{port}"
    program.start()
    try:
        wait_for(lambda: is_healthy(url), seconds=READY_SECONDS, what="the server ready")
        yield World(url=url, ids=populate(url), log=program.log_path)
    finally:
        program.stop()


def populate(url: str) -> dict[str, str]:
    """Make one of everything that a path can name."""
    with httpx.Client(base_url=url) as http:

        def made(path: str, **request: object) -> str:
            answer = http.post(path, **request)  # type: ignore[arg-type]  # httpx's own keywords
            answer.raise_for_status()
            return str(answer.json()["id"])

        agent_id = http.get("/v1/agents").json()["data"][0]["id"]
        session_id = made("/v1/sessions", json={"agent_id": agent_id, "title": "Fuzzed"})
        base = f"/v1/sessions/{session_id}"
        note = {"path": "a.py", "start_index": 0, "end_index": 1, "body": "Why?"}
        file_id = made(f"{base}/resources/files", files={"file": ("a.txt", b"some text", "text/plain")})
        http.post(f"{base}/events", json=assistant_message()).raise_for_status()
        return {
            "agent_id": agent_id,
            "session_id": session_id,
            "comment_id": made(f"{base}/comments", json=note),
            "file_id": file_id,
            "resource_id": file_id,
            "project_id": made("/v1/projects", json={"name": "Fuzzed"}),
            "user_id": "local",
        }


def assistant_message() -> Mapping[str, object]:
    """A message that is stored without a runner."""
    content = [{"type": "output_text", "text": "Hello"}]
    return {"type": "message", "data": {"role": "assistant", "content": content, "agent": "helper"}}


def as_json(value: object) -> bytes:
    """A body as programs write it; lone surrogates stay escapes."""
    return json.dumps(value).encode()
