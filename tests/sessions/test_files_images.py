"""Large images are shrunk before they are stored; others stay as they are."""

from io import BytesIO
from pathlib import Path

import httpx
import pytest
from PIL import Image
from pytest_django import Settings

from sessions_app.process import Process
from tests.sessions.uploading import files_url, left, new_session, picture, uploaded

ORIENTATION = 0x0112
TURNED_RIGHT = 6


@pytest.fixture(autouse=True)
def media(settings: Settings, tmp_path: Path) -> Path:
    """A storage of this test's own."""
    settings.MEDIA_ROOT = tmp_path / "blobs"
    return tmp_path / "blobs"


async def stored(http: httpx.AsyncClient, process: Process, name: str, data: bytes) -> bytes:
    """What is served of an uploaded image."""
    session = await new_session(process)
    made = await uploaded(http, session, name, data)
    content = (await http.get(f"{files_url(session)}/{made['id']}/content")).content
    assert made["bytes"] == len(content)
    return content


@pytest.mark.parametrize(
    ("name", "form"), [("a.png", "PNG"), ("a.jpg", "JPEG"), ("a.webp", "WEBP"), ("a.gif", "GIF")]
)
async def test_an_image_over_2048_pixels_is_shrunk(
    http: httpx.AsyncClient, process: Process, media: Path, name: str, form: str
) -> None:
    content = await stored(http, process, name, picture(form, (4096, 1024)))

    with Image.open(BytesIO(content)) as image:
        assert (image.format, image.size) == (form, (2048, 512))
        red, green, blue = image.convert("RGB").getpixel((1000, 250))  # type: ignore[misc]  # RGB pixels are triples
    assert (abs(red - 200) < 12, abs(green - 30) < 12, abs(blue - 30) < 12) == (True, True, True)
    assert await left(process, media) == (1, 1, 1)


@pytest.mark.parametrize("size", [(2048, 2048), (1, 2048), (1, 1)])
async def test_an_image_that_fits_is_stored_byte_for_byte(
    http: httpx.AsyncClient, process: Process, size: tuple[int, int]
) -> None:
    data = picture("PNG", size)

    assert await stored(http, process, "a.png", data) == data


@pytest.mark.parametrize("mode", ["1", "L", "LA", "P", "RGBA", "I;16"])
async def test_every_kind_of_pixels_can_be_shrunk(
    http: httpx.AsyncClient, process: Process, mode: str
) -> None:
    buffer = BytesIO()
    Image.new(mode, (2100, 30)).save(buffer, "PNG")

    content = await stored(http, process, "a.png", buffer.getvalue())

    with Image.open(BytesIO(content)) as image:
        assert max(image.size) == 2048


async def test_a_cmyk_jpeg_can_be_shrunk(http: httpx.AsyncClient, process: Process) -> None:
    buffer = BytesIO()
    Image.new("CMYK", (2100, 30)).save(buffer, "JPEG")

    content = await stored(http, process, "a.jpg", buffer.getvalue())

    with Image.open(BytesIO(content)) as image:
        assert max(image.size) == 2048


async def test_a_photo_taken_sideways_is_stored_upright(http: httpx.AsyncClient, process: Process) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = TURNED_RIGHT

    content = await stored(http, process, "a.jpg", picture("JPEG", (4000, 2000), exif=exif))

    with Image.open(BytesIO(content)) as image:
        assert image.size == (1024, 2048)
        assert ORIENTATION not in image.getexif()


async def test_of_a_large_animation_the_first_picture_stays(
    http: httpx.AsyncClient, process: Process
) -> None:
    red, blue = (Image.new("RGB", (3000, 20), color) for color in ("red", "blue"))
    buffer = BytesIO()
    red.save(buffer, "GIF", save_all=True, append_images=[blue], duration=100)

    content = await stored(http, process, "a.gif", buffer.getvalue())

    with Image.open(BytesIO(content)) as image:
        assert (image.size[0], getattr(image, "n_frames", 1)) == (2048, 1)
        assert image.convert("RGB").getpixel((5, 5)) == (255, 0, 0)


async def test_a_small_animation_keeps_all_pictures(http: httpx.AsyncClient, process: Process) -> None:
    red, blue = (Image.new("RGB", (30, 20), color) for color in ("red", "blue"))
    buffer = BytesIO()
    red.save(buffer, "GIF", save_all=True, append_images=[blue], duration=100)

    assert await stored(http, process, "a.gif", buffer.getvalue()) == buffer.getvalue()
