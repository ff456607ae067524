"""Uploads that are refused, and that they leave nothing."""

import base64
from pathlib import Path

import httpx
import pytest
from pytest_django import Settings

from omnigent.accounts.gate import Gate
from sessions_app.process import Process
from tests.api_plumbing.asgi_client import http_scope
from tests.error_shape import assert_error, assert_invalid
from tests.sessions.uploading import files_url, left, new_session, on_disk, picture, png_of, upload

MIB = 1024 * 1024
NOTHING = (0, 0, 0)
PNG_START = b"\x89PNG\r\n\x1a\n"


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


def part(disposition: str, data: bytes = b"hello", *, more: str = "", end: str = "--b--\r\n") -> bytes:
    head = f"--b\r\nContent-Disposition: {disposition}\r\n{more}\r\n".encode("utf-8", "surrogateescape")
    return head + data + b"\r\n" + end.encode()


async def post_raw(http: httpx.AsyncClient, url: str, body: bytes) -> httpx.Response:
    return await http.post(url, content=body, headers={"content-type": "multipart/form-data; boundary=b"})


@pytest.mark.parametrize(
    ("content_type", "body"),
    [
        pytest.param("multipart/form-data; boundary=b", b"--b--\r\n", id="no part"),
        pytest.param("multipart/form-data; boundary=b", b"", id="no body"),
        pytest.param("multipart/form-data; boundary=b", part('form-data; name="other"'), id="another field"),
        pytest.param(
            "multipart/form-data; boundary=b",
            part('form-data; name="x"; filename="a.txt"'),
            id="another file",
        ),
        pytest.param("multipart/form-data; boundary=b", part("\udcff\udcfe"), id="a head that is no text"),
        pytest.param("application/json", b"{}", id="JSON"),
        pytest.param("", b"hello", id="no type"),
    ],
)
async def test_a_missing_part_is_named(
    http: httpx.AsyncClient, process: Process, media: Path, content_type: str, body: bytes
) -> None:
    url = files_url(await new_session(process))
    headers = {"content-type": content_type} if content_type else {}

    row = assert_invalid(await http.post(url, content=body, headers=headers), "body", "file", kind="missing")

    assert row == {"type": "missing", "loc": ["body", "file"], "msg": "Field required", "input": None}
    assert await left(process, media) == NOTHING


@pytest.mark.parametrize(
    "disposition",
    [
        pytest.param('form-data; name="file"', id="none"),
        pytest.param('form-data; name="file"; filename=""', id="empty"),
        pytest.param('form-data; name="file"; filename=".."', id="dots"),
        pytest.param('form-data; name="file"; filename="a/"', id="a directory"),
        pytest.param('form-data; name="file"; filename="  "', id="blank"),
        pytest.param("form-data; name=\"file\"; filename*=utf-8''%00%01", id="nothing printable"),
    ],
)
async def test_a_file_needs_a_name(
    http: httpx.AsyncClient, process: Process, media: Path, disposition: str
) -> None:
    url = files_url(await new_session(process))

    assert_error(await post_raw(http, url, part(disposition)), 400, "invalid_input")

    assert await left(process, media) == NOTHING


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(part('form-data; name="file"; filename="a.txt"', end=""), id="cut"),
        pytest.param(
            part('form-data; name="file"; filename="a.txt"', more="Content-Transfer-Encoding: base64\r\n"),
            id="bad base64",
        ),
        pytest.param(part(f'form-data; name="file"; filename="{"é" * 600}.txt"'), id="a head over its limit"),
        pytest.param(part('form-data; name="x"', end="") * 1100, id="too many parts"),
    ],
)
async def test_a_broken_body_is_refused(
    http: httpx.AsyncClient, process: Process, media: Path, body: bytes
) -> None:
    url = files_url(await new_session(process))

    assert_error(await post_raw(http, url, body), 400, "invalid_input")

    assert await left(process, media) == NOTHING


@pytest.mark.parametrize("boundary", ["", "; boundary=" + "x" * 300, "; boundary=\xff"])
async def test_a_body_without_a_usable_boundary_is_refused(
    http: httpx.AsyncClient, process: Process, boundary: str
) -> None:
    url = files_url(await new_session(process))
    headers = [(b"content-type", f"multipart/form-data{boundary}".encode("latin-1"))]

    assert_error(await http.post(url, content=b"x", headers=headers), 400, "invalid_input")


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("tool.exe", b"MZ\x90\0\x03\0\0\0\x04", id="program"),
        pytest.param("tool", b"\x7fELF\x02\x01\x01\0", id="program without extension"),
        pytest.param("a.zip", b"PK\x03\x04\x14\0\0\0\x08\0", id="archive"),
        pytest.param("a.txt", b"a\0b", id="NUL in text"),
        pytest.param("a.txt", "größe".encode("latin-1"), id="Latin-1"),
        pytest.param("a.txt", b"x" * 5000 + b"\xff", id="binary after the beginning"),
        pytest.param("a.txt", b"x" * 5000 + "é".encode()[:1], id="a character cut in two"),
        pytest.param("a.txt", picture(), id="image called text"),
        pytest.param("a.jpg", picture(), id="PNG called JPEG"),
        pytest.param("a.png", b"<html><script>alert(1)</script></html>", id="HTML called PNG"),
        pytest.param("a.png", b"", id="empty image"),
        pytest.param("a.pdf", b"not a document", id="text called PDF"),
        pytest.param("a.svg", b"plain words", id="text called SVG"),
        pytest.param("a.svg", b"<svg>\xff</svg>", id="binary called SVG"),
        pytest.param("a.heic", picture("AVIF"), id="AVIF called HEIC"),
        pytest.param("a.png", PNG_START + b"junk" * 100, id="PNG of which only the start is true"),
        pytest.param("a.png", picture()[:-20], id="cut PNG"),
        pytest.param("a.png", picture(size=(3000, 10))[:-60], id="cut PNG that had to be shrunk"),
        pytest.param("a.jpg", picture("JPEG", (3000, 10))[:400], id="cut JPEG that had to be shrunk"),
    ],
)
async def test_a_type_that_is_not_taken_or_not_true(
    http: httpx.AsyncClient, process: Process, media: Path, name: str, data: bytes
) -> None:
    session = await new_session(process)

    body = assert_error(await upload(http, session, name, data), 415, "invalid_input")

    assert body["detail"] == body["error"]["message"]
    assert await left(process, media) == NOTHING


@pytest.mark.parametrize(
    ("name", "start", "limit"),
    [
        pytest.param("a.png", PNG_START, 50, id="png"),
        pytest.param("a.txt", b"", 10, id="text"),
        pytest.param("a.pdf", b"%PDF-1.7", 20, id="pdf"),
        pytest.param("a.tiff", b"II*\0", 5, id="other image"),
        pytest.param("a.svg", b"<svg>", 5, id="svg"),
    ],
)
async def test_every_type_has_its_limit(
    http: httpx.AsyncClient, process: Process, media: Path, name: str, start: bytes, limit: int
) -> None:
    session = await new_session(process)
    data = start + b" " * (limit * MIB + 1 - len(start))

    body = assert_error(await upload(http, session, name, data), 413, "payload_too_large")

    assert body["detail"] == f"Attachment exceeds the {limit} MB limit for this file type."
    assert await left(process, media) == NOTHING


async def test_a_file_of_exactly_its_limit_is_taken(http: httpx.AsyncClient, process: Process) -> None:
    session = await new_session(process)

    answer = await upload(http, session, "a.txt", b"x" * (10 * MIB))

    assert (answer.status_code, answer.json()["bytes"]) == (201, 10 * MIB)


async def test_a_body_over_every_limit_is_not_read(
    http: httpx.AsyncClient, process: Process, media: Path, settings: Settings
) -> None:
    settings.OMNIGENT_UPLOAD_LIMIT = 2 * MIB
    session = await new_session(process)

    body = assert_error(await upload(http, session, "a.txt", b"x" * (2 * MIB + 1)), 413, "payload_too_large")

    assert body["detail"] == "Attachment exceeds the 2 MB limit for any file type."
    assert await left(process, media) == NOTHING


@pytest.mark.parametrize(("width", "height"), [(60_000, 60_000), (12_000, 9_000), (9_000, 9_000)])
async def test_an_image_that_would_explode_is_refused(
    http: httpx.AsyncClient, process: Process, media: Path, width: int, height: int
) -> None:
    session = await new_session(process)

    body = assert_error(
        await upload(http, session, "bomb.png", png_of(width, height)), 413, "payload_too_large"
    )

    assert "megapixels" in body["detail"]
    assert await left(process, media) == NOTHING


LONG = "n" * 300


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("../../etc/passwd", "passwd", id="parent path"),
        pytest.param("/etc/passwd", "passwd", id="absolute path"),
        pytest.param("C:\\\\Users\\\\me\\\\a.txt", "a.txt", id="Windows path"),
        pytest.param("a\tb\x7f.txt", "ab.txt", id="control characters"),
        pytest.param("%2e%2e%2fa.txt", "%2e%2e%2fa.txt", id="percent signs mean nothing"),
        pytest.param("&#47;x&lt;.txt", "&#47;x&lt;.txt", id="nor do entities"),
        pytest.param(f"{LONG}.md", f"{'n' * 252}.md", id="long"),
        pytest.param(LONG, "n" * 255, id="long without extension"),
        pytest.param("日本語 ファイル.txt", "日本語 ファイル.txt", id="Japanese"),
        pytest.param("txt.\u202egpj", "txt.gpj", id="turned around"),
        pytest.param(".gitignore", ".gitignore", id="hidden"),
    ],
)
async def test_of_a_name_the_harmless_part_is_kept(
    http: httpx.AsyncClient, process: Process, media: Path, given: str, kept: str
) -> None:
    url = files_url(await new_session(process))

    answer = await post_raw(http, url, part(f'form-data; name="file"; filename="{given}"'))

    assert (answer.status_code, answer.json()["filename"]) == (201, kept)
    assert (await http.get(f"{url}/{answer.json()['id']}/content")).content == b"hello"
    assert [path.parent.parent.name for path in on_disk(media)] == ["files"]


@pytest.mark.parametrize(
    ("name", "header"),
    [
        pytest.param(
            "utf-8''a%0D%0ASet-Cookie%3A%20x.txt",
            'attachment; filename="aSet-Cookie: x.txt"',
            id="line break",
        ),
        pytest.param(
            "utf-8''a%22%3B%20b%3D.txt", 'attachment; filename="a\\"; b=.txt"', id="quote and semicolon"
        ),
        pytest.param("utf-8''a%00b.txt", 'attachment; filename="ab.txt"', id="NUL"),
        pytest.param(
            "utf-8''%E2%82%AC%20rates.txt",
            "attachment; filename*=utf-8''%E2%82%AC%20rates.txt",
            id="not ASCII",
        ),
    ],
)
async def test_a_name_cannot_leave_its_header(
    http: httpx.AsyncClient, process: Process, name: str, header: str
) -> None:
    url = files_url(await new_session(process))
    made = (await post_raw(http, url, part(f'form-data; name="file"; filename*={name}'))).json()

    answer = await http.get(f"{url}/{made['id']}/content")

    assert answer.headers.get_list("content-disposition") == [header]
    assert "set-cookie" not in answer.headers


async def test_an_unknown_character_set_of_a_name_is_refused(
    http: httpx.AsyncClient, process: Process
) -> None:
    url = files_url(await new_session(process))

    answer = await post_raw(http, url, part("form-data; name=\"file\"; filename*=klingon''a.txt"))

    assert answer.status_code in (400, 422)


async def test_base64_parts_are_decoded(http: httpx.AsyncClient, process: Process) -> None:
    url = files_url(await new_session(process))
    data = base64.b64encode(b"hello there!")
    body = part(
        'form-data; name="file"; filename="a.txt"', data, more="Content-Transfer-Encoding: base64\r\n"
    )

    made = (await post_raw(http, url, body)).json()

    assert (await http.get(f"{url}/{made['id']}/content")).content == b"hello there!"


async def test_the_first_file_of_several_counts(
    http: httpx.AsyncClient, process: Process, media: Path
) -> None:
    url = files_url(await new_session(process))
    body = part('form-data; name="file"; filename="a.txt"', b"one", end="") + part(
        'form-data; name="file"; filename="b.txt"', b"two"
    )

    assert (await post_raw(http, url, body)).json()["filename"] == "a.txt"
    assert await left(process, media) == (1, 1, 1)


async def test_a_client_that_leaves_half_way_leaves_nothing(
    server: Gate, process: Process, media: Path
) -> None:
    session = await new_session(process)
    headers = {"content-type": "multipart/form-data; boundary=b"}
    begun = part('form-data; name="file"; filename="a"', end="")
    incoming: list[dict[str, object]] = [
        {"type": "http.disconnect"},
        {"type": "http.request", "body": begun, "more_body": True},
    ]
    sent: list[object] = []

    async def receive() -> dict[str, object]:
        return incoming.pop()

    async def send(message: object) -> None:
        sent.append(message)

    await server(http_scope("POST", files_url(session), headers), receive, send)

    assert sent == []
    assert await left(process, media) == NOTHING


@pytest.mark.parametrize("session_id", ["conv_" + "0" * 32, "not an id", "../x"])
async def test_an_unknown_session_takes_nothing(
    http: httpx.AsyncClient, media: Path, session_id: str
) -> None:
    answer = await http.post(
        f"/v1/sessions/{session_id}/resources/files", files={"file": ("a.txt", b"a", "text/plain")}
    )

    assert_error(answer, 404, "not_found")
    assert on_disk(media) == []
