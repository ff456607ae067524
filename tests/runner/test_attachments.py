"""What the model sees of uploaded files that a loaded history names."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
import pytest

from omnigent.protocol import attachments as blocks
from omnigent.runner.api import Patience, ServerApi, ServerUnreachable
from omnigent.runner.attachments import with_files

Json = dict[str, Any]
FILES = "/v1/sessions/conv_1/resources/files"


@dataclass
class Files:
    """The files of one session on the other side of HTTP: name, type and bytes by id."""

    stored: Mapping[str, tuple[str, str, bytes]]
    sizes: dict[str, int] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)
    status: int = 200

    def answer(self, request: httpx.Request) -> httpx.Response:
        if request.url.path.endswith("/token"):
            return httpx.Response(404)
        self.asked.append(request.url.path)
        file_id, _, part = request.url.path.removeprefix(f"{FILES}/").partition("/")
        if self.status != 200:
            return httpx.Response(self.status)
        if file_id not in self.stored:
            return httpx.Response(404, json={"error": {"code": "not_found", "message": "File not found"}})
        name, media_type, data = self.stored[file_id]
        if part == "content":
            return httpx.Response(200, content=data, headers={"content-type": media_type})
        return httpx.Response(200, json={"filename": name, "bytes": self.sizes.get(file_id, len(data))})


RED = "file_" + "a" * 32
NOTES = "file_" + "b" * 32
GONE = "file_" + "c" * 32


@pytest.fixture
def files() -> Files:
    stored = {
        RED: ("red.png", "image/png", b"red"),
        NOTES: ("notes.md", "text/markdown; charset=utf-8", b"# Hi"),
    }
    return Files(stored=stored)


@pytest.fixture
async def api(files: Files) -> AsyncIterator[ServerApi]:
    server = ServerApi(
        server_url="http://server",
        runner_id="runner_1",
        token="",
        transport=httpx.MockTransport(files.answer),
        patience=Patience(seconds=0.0),
    )
    yield server
    await server.close()


def said(*content: Json) -> Json:
    return {"type": "message", "role": "user", "content": list(content)}


def image(file_id: str) -> Json:
    return {"type": "input_image", "file_id": file_id}


async def test_named_files_are_filled_in_and_fetched_once(api: ServerApi, files: Files) -> None:
    note = {"type": "input_file", "file_id": NOTES}
    call = {"type": "function_call", "call_id": "1", "name": "x", "arguments": "{}"}

    items = await with_files(api, "conv_1", [said(image(RED)), call, said(note, image(RED))])

    red = {**image(RED), "image_url": "data:image/png;base64,cmVk"}
    notes = {**note, "file_data": "data:text/markdown;base64,IyBIaQ==", "filename": "notes.md"}
    assert items == [said(red), call, said(notes, red)]
    assert sorted(files.asked) == [
        f"{FILES}/{RED}",
        f"{FILES}/{RED}/content",
        f"{FILES}/{NOTES}",
        f"{FILES}/{NOTES}/content",
    ]


async def test_a_file_that_is_gone_stays_an_id_and_is_asked_for_once(api: ServerApi, files: Files) -> None:
    items = [said(image(GONE)), said(image(GONE), image(RED))]

    filled = await with_files(api, "conv_1", items)

    assert filled[0] == items[0]
    assert filled[1]["content"][0] == image(GONE)
    assert "image_url" in filled[1]["content"][1]
    assert files.asked.count(f"{FILES}/{GONE}") == 1


async def test_an_id_that_is_none_is_not_asked_for(api: ServerApi, files: Files) -> None:
    items = [said(image("../../policies"), image("")), {"type": "message", "role": "user", "content": "hi"}]

    assert await with_files(api, "conv_1", items) == items
    assert files.asked == []


async def test_the_newest_files_come_first_when_not_all_fit(api: ServerApi, files: Files) -> None:
    files.sizes[RED] = blocks.MAX_BYTES
    note = {"type": "input_file", "file_id": NOTES}

    older, newer = await with_files(api, "conv_1", [said(image(RED)), said(note)])

    assert older == said(image(RED))
    assert "file_data" in newer["content"][0]
    assert f"{FILES}/{RED}/content" not in files.asked


async def test_a_server_that_is_away_fails_the_load(api: ServerApi, files: Files) -> None:
    files.status = 503

    with pytest.raises(ServerUnreachable):
        await with_files(api, "conv_1", [said(image(RED))])
