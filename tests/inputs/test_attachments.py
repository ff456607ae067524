"""Messages that name uploaded files: checked when they are posted, filled when they are forwarded."""

import base64
from pathlib import Path
from typing import Any

import pytest
from pytest_django import Settings

from omnigent.protocol import attachments
from tests.error_shape import assert_error
from tests.inputs.fake_runner import FakeRunner
from tests.inputs.rig import Rig
from tests.sessions.uploading import files_url, picture, uploaded

Json = dict[str, Any]


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


def message(*content: Json, **data: Any) -> Json:
    return {"type": "message", "data": {"role": "user", "content": list(content), **data}}


def image(file_id: str) -> Json:
    return {"type": "input_image", "file_id": file_id}


def document(file_id: str, **more: Any) -> Json:
    return {"type": "input_file", "file_id": file_id, **more}


def uri(media_type: str, data: bytes) -> str:
    return f"data:{media_type};base64,{base64.b64encode(data).decode()}"


async def forwarded(rig: Rig, runner: FakeRunner, session_id: str, *content: Json) -> list[Json]:
    """What the runner is given of a message with this content."""
    answer = await rig.post(session_id, message(*content))
    assert answer.status_code == 202, answer.text
    await rig.delivered(session_id)
    taken: list[Json] = runner.taken[-1]["content"]
    return taken


async def test_the_runner_gets_the_bytes_and_the_transcript_the_ids(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    red = await uploaded(rig.http, session_id, "red.png", picture())
    notes = await uploaded(rig.http, session_id, "notes.md", b"# Hi")
    page = await uploaded(rig.http, session_id, "page.html", b"<p>")
    words = {"type": "input_text", "text": "look"}
    content = [words, image(red["id"]), document(notes["id"]), document(page["id"], filename="p")]

    taken = await forwarded(rig, runner, session_id, *content)

    assert taken == [
        words,
        {**content[1], "image_url": uri("image/png", picture())},
        {**content[2], "file_data": uri("text/markdown", b"# Hi"), "filename": "notes.md"},
        {**content[3], "file_data": uri("text/plain", b"<p>")},
    ]
    [item] = await rig.items(session_id)
    assert item["content"] == content


async def test_an_id_may_be_bare(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    made = await uploaded(rig.http, session_id, "a.txt", b"a")
    bare = made["id"].removeprefix("file_")

    [block] = await forwarded(rig, runner, session_id, document(bare))

    assert block["file_data"] == uri("text/plain", b"a")


async def test_a_block_with_its_own_bytes_keeps_them(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    block = {"type": "input_image", "image_url": "https://example.org/a.png", "file_id": "from elsewhere"}

    assert await forwarded(rig, runner, session_id, block) == [block]


async def test_a_file_that_was_deleted_before_delivery_stays_an_id(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    made = await uploaded(rig.http, session_id, "a.png", picture())
    runner.gate.clear()
    await rig.say(session_id, "first")
    await rig.post(session_id, message(image(made["id"])))
    await rig.http.delete(f"{files_url(session_id)}/{made['id']}")

    runner.gate.set()
    await rig.delivered(session_id)

    assert runner.taken[-1]["content"] == [image(made["id"])]


async def test_lost_bytes_do_not_stop_the_message(rig: Rig, runner: FakeRunner, media: Path) -> None:
    session_id = await rig.bound(runner)
    made = await uploaded(rig.http, session_id, "a.png", picture())
    for path in [path for path in media.rglob("*") if path.is_file()]:
        path.unlink()

    assert await forwarded(rig, runner, session_id, image(made["id"])) == [image(made["id"])]


async def test_a_file_of_another_session_is_refused(rig: Rig, runner: FakeRunner) -> None:
    session_id, other = await rig.bound(runner), await rig.session()
    foreign = await uploaded(rig.http, other, "a.png", picture())
    before = await rig.counts()

    for file_id in (foreign["id"], "file_" + "0" * 32, "../../etc/passwd", "", "a\x01"):
        answer = await rig.post(session_id, message({"type": "input_text", "text": "x"}, image(file_id)))
        body = assert_error(answer, 400, "invalid_input")
        assert "content[1].file_id" in body["error"]["message"]

    assert await rig.counts() == before
    assert await rig.items(session_id) == []


async def test_a_document_is_no_image(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    made = await uploaded(rig.http, session_id, "a.txt", b"a")

    assert_error(await rig.post(session_id, message(image(made["id"]))), 400, "invalid_input")
    assert await rig.items(session_id) == []


async def test_the_files_of_one_message_have_a_limit_together(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    big = await uploaded(rig.http, session_id, "a.txt", b"x" * (attachments.MAX_BYTES // 5))
    content = [document(big["id"])] * 6

    body = assert_error(await rig.post(session_id, message(*content)), 400, "invalid_input")

    assert "48 MB" in body["error"]["message"]
    assert len(await forwarded(rig, runner, session_id, *content[:4])) == 4


async def test_a_repeated_message_is_the_same_although_its_file_is_gone(rig: Rig, runner: FakeRunner) -> None:
    session_id = await rig.bound(runner)
    made = await uploaded(rig.http, session_id, "a.txt", b"a")
    body = message(document(made["id"]), stable_id="0" * 32)
    first = (await rig.post(session_id, body)).json()
    await rig.http.delete(f"{files_url(session_id)}/{made['id']}")

    again = await rig.post(session_id, body)

    assert (again.status_code, again.json()) == (202, first)
