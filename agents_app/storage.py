"""Bundle bytes, stored once per content under the digest of that content."""

from django.core.files.base import ContentFile
from django.core.files.storage import Storage, default_storage


class MissingBundleError(Exception):
    """The bundle of an agent is not in the store."""


def bundle_name(digest: str) -> str:
    """Where the bundle with this content digest lies."""
    return f"bundles/{digest[:2]}/{digest}.tar.gz"


def save_bundle(
    digest: str, data: bytes, storage: Storage = default_storage, *, is_suspect: bool = False
) -> None:
    """Store a packed bundle. A complete one that is there already is left alone; a torn one is replaced, and
    so is one that is `is_suspect` because it could not be read.
    """
    name = bundle_name(digest)
    if storage.exists(name):
        if storage.size(name) == len(data) and not is_suspect:
            return
        storage.delete(name)
    stored_as = storage.save(name, ContentFile(data))
    if stored_as != name:
        # Somebody else stored the same content in between.
        storage.delete(stored_as)


def read_bundle(digest: str, storage: Storage = default_storage) -> bytes:
    """The packed bundle. Raises MissingBundleError."""
    try:
        with storage.open(bundle_name(digest)) as file:
            data: bytes = file.read()
    except FileNotFoundError:
        raise MissingBundleError(digest) from None
    return data


def stored_bytes(digest: str, storage: Storage = default_storage) -> int | None:
    """The size of a stored bundle, asked without reading it; None when there is none."""
    try:
        size: int = storage.size(bundle_name(digest))
    except OSError:
        return None
    return size
