"""Files through real processes: uploaded, downloaded, shown to models, also by a runner that starts anew."""

import asyncio
import base64
import dataclasses
import os
import signal
import threading
from collections.abc import Iterator
from io import BytesIO
from typing import Any

import httpx
import pytest
from PIL import Image

from tests.e2e.api import texts
from tests.e2e.program import wait_for
from tests.e2e.stack import Flavour, Stack, running_stack
from tests.model_server.server import ModelServer
from tests.services.processes import private_directory

AGENTS = ("openai-responses", "openai-chat", "anthropic")


def picture(width: int = 40) -> bytes:
    buffer = BytesIO()
    Image.effect_noise((width, 30), 90).save(buffer, "PNG")
    return buffer.getvalue()


def upload(stack: Stack, session_id: str, name: str, data: bytes) -> httpx.Response:
    return stack.api.http.post(files_of(session_id), files={"file": (name, data)})


def files_of(session_id: str) -> str:
    return f"/v1/sessions/{session_id}/resources/files"


def test_a_file_comes_back_from_every_replica(stack: Stack) -> None:
    session = stack.api.create(host_id=None)
    stream = stack.stream(session["id"])
    data = picture()

    made = upload(stack, session["id"], "noise.png", data).json()
    stream.wait_event("session.resource.created")

    for api in [stack.api_of(index) for index in range(len(stack.ports))]:
        answer = api.http.get(f"{files_of(session['id'])}/{made['id']}/content")
        assert (answer.status_code, answer.content) == (httpx.codes.OK, data)
        head = api.http.head(f"{files_of(session['id'])}/{made['id']}/content")
        assert (head.status_code, head.content) == (httpx.codes.OK, b"")
        etag = {"If-None-Match": answer.headers["etag"]}
        again = api.http.get(f"{files_of(session['id'])}/{made['id']}/content", headers=etag)
        assert (again.status_code, again.content) == (httpx.codes.NOT_MODIFIED, b"")
    [shown] = [frame.body["resource"] for frame in stream.frames if frame.event == "session.resource.created"]
    assert shown == made


def test_a_large_upload_is_refused_or_taken_by_its_type(stack: Stack) -> None:
    session = stack.api.create(host_id=None)

    refused = upload(stack, session["id"], "a.png", b"\x89PNG\r\n\x1a\n" + bytes(51 * 1024 * 1024))
    taken = upload(stack, session["id"], "a.txt", b"words " * 1_000_000)

    assert refused.status_code == httpx.codes.REQUEST_ENTITY_TOO_LARGE
    assert refused.json()["detail"] == "Attachment exceeds the 50 MB limit for this file type."
    assert (taken.status_code, taken.json()["bytes"]) == (httpx.codes.CREATED, 6_000_000)
    content = stack.api.http.get(f"{files_of(session['id'])}/{taken.json()['id']}/content")
    assert content.content == b"words " * 1_000_000


class BackgroundModel:
    """A model server on a loop of its own, whose requests the test can read."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="model", daemon=True)
        self.server = ModelServer()

    def __enter__(self) -> "BackgroundModel":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self.server.__aenter__(), self._loop).result(10)
        return self

    def __exit__(self, *error: object) -> None:
        asyncio.run_coroutine_threadsafe(self.server.__aexit__(*error), self._loop).result(10)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(10)
        self._loop.close()

    def last_request(self) -> str:
        """The body of the latest request, as text."""
        return str(self.server.requests[-1].body)


@pytest.fixture(scope="module")
def model() -> Iterator[BackgroundModel]:
    with BackgroundModel() as running:
        yield running


@pytest.fixture(scope="module")
def model_stack(flavour: Flavour, model: BackgroundModel) -> Iterator[Stack]:
    """An installation whose owner has keys of the vendors."""
    keys = {
        "OPENAI_API_KEY": "sk-test",
        "OPENAI_BASE_URL": f"{model.server.url}/v1",
        "ANTHROPIC_API_KEY": "sk-ant-test",
        "ANTHROPIC_BASE_URL": model.server.url,
    }
    with private_directory("e2e") as directory:
        keyed = dataclasses.replace(flavour, environ={**flavour.environ, **keys})
        with running_stack(keyed, directory) as stack:
            yield stack


@pytest.mark.parametrize("agent", AGENTS)
def test_a_model_sees_the_files_now_and_after_its_runner_was_killed(
    model_stack: Stack, model: BackgroundModel, agent: str
) -> None:
    session_id = model_stack.api.create(agent_id=model_stack.api.agent_id(agent))["id"]
    stream = model_stack.stream(session_id)
    data = picture()
    encoded = base64.b64encode(data).decode()
    image = upload(model_stack, session_id, "noise.png", data).json()["id"]
    notes = upload(model_stack, session_id, "notes.md", b"the secret word is heron").json()["id"]
    content: list[dict[str, Any]] = [
        {"type": "input_text", "text": "Look at these"},
        {"type": "input_image", "file_id": image},
        {"type": "input_file", "file_id": notes},
    ]
    message = {"type": "message", "data": {"role": "user", "content": content}}

    assert model_stack.api.post(session_id, message).status_code == httpx.codes.ACCEPTED
    stream.wait_settled()

    first = model.last_request()
    assert encoded in first
    assert "the secret word is heron" in first
    before = set(model_stack.runner_pids())
    for runner in before:
        os.kill(runner, signal.SIGKILL)
    wait_for(
        lambda: not before & set(model_stack.runner_pids()), seconds=20, what="the runner's end", every=0.1
    )

    model_stack.api.message(session_id, "and now?")
    stream.wait_event("response.completed", count=2)

    second = model.last_request()
    assert "and now?" in second
    assert encoded in second
    assert "the secret word is heron" in second
    assert len(texts(model_stack.api.items(session_id), "assistant")) == 2
