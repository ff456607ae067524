"""Checks that an image is one, and shrinks it to what models look at."""

import hashlib
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NoReturn

from PIL import Image, ImageOps

from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.files import kinds
from sessions_app.files.intake import Upload, incoming_file, settle

MAX_EDGE = 2048
MAX_PIXELS = 64_000_000
"""What one decoded image may take: 256 MB of memory with four bytes a pixel."""

CHUNK = 1024 * 1024
SAVING: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {"JPEG": {"quality": 85, "optimize": True}, "WEBP": {"quality": 85}, "PNG": {}, "GIF": {}}
)


def fitted(upload: Upload, directory: Path) -> Upload:
    """The upload itself, or a smaller image in a file of its own. Raises 415 for a broken image, 413 for a
    huge one. Of an animation that has to be shrunk the first picture stays.
    """
    if not upload.kind.pillow:
        return upload
    with incoming_file(directory) as target:
        try:
            is_smaller = _shrink(upload, target)
        except (Image.DecompressionBombError, Image.DecompressionBombWarning):
            too_many_pixels()
        except OmnigentError:
            raise
        except Exception:  # noqa: BLE001  # whatever a decoder stumbles over, it is the file's fault
            kinds.mislabelled(kinds.extension_of(upload.filename) or upload.kind.pillow.lower())
        if not is_smaller:
            target.unlink()
            return upload
        return _measured(upload, target)


def too_many_pixels() -> NoReturn:
    """Refuse an image whose decoded form would take too much memory."""
    limit = MAX_PIXELS // 1_000_000
    kinds.refuse(413, ErrorCode.PAYLOAD_TOO_LARGE, f"The image has more than {limit} megapixels.")


def _shrink(upload: Upload, target: Path) -> bool:
    with Image.open(upload.path, formats=[upload.kind.pillow]) as image:
        if image.width * image.height > MAX_PIXELS:
            too_many_pixels()
        if max(image.size) <= MAX_EDGE:
            # Broken pixels are for whoever shows it; the structure must be there.
            image.verify()
            return False
        profile = image.info.get("icc_profile")
        # A palette cannot be averaged.
        picture = image.convert("RGBA") if image.mode == "P" else image
        picture.thumbnail((MAX_EDGE, MAX_EDGE))
        smaller = ImageOps.exif_transpose(picture)
        smaller.save(target, format=upload.kind.pillow, icc_profile=profile, **SAVING[upload.kind.pillow])
    return True


def _measured(upload: Upload, path: Path) -> Upload:
    digest, size = hashlib.sha256(), 0
    with path.open("rb") as file:
        while data := file.read(CHUNK):
            digest.update(data)
            size += len(data)
        settle(file)
    return Upload(path=path, filename=upload.filename, kind=upload.kind, digest=digest.hexdigest(), size=size)
