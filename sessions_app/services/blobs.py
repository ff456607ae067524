"""Which stored bytes may stay: a blob's row is locked by whoever adds a use of it or takes its bytes away.

Bytes are written before their row and deleted under the row's lock. Who commits a use looks, with the lock
held, whether the bytes are still there; so neither an upload nor a copy can end up without them.
"""

import logging
from collections.abc import Iterable
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from sessions_app.files import blobs
from sessions_app.models import Blob, File

logger = logging.getLogger(__name__)

BATCH = 200


class BlobLost(Exception):
    """The bytes went away before their first use was committed; storing them again helps."""


def hold(*, digest: str, size: int) -> None:
    """Lock the row of stored bytes inside the caller's transaction, which adds a use. Raises BlobLost."""
    _lock([Blob(digest=digest, size=size, stored_at=timezone.now())])
    if not blobs.is_complete(digest, size):
        raise BlobLost(digest)


def share(digests: Iterable[str]) -> set[str]:
    """Lock the rows of blobs in use inside the caller's transaction, which adds uses; those still there."""
    rows = Blob.objects.select_for_update().filter(pk__in=set(digests)).order_by("pk")
    return set(rows.values_list("pk", flat=True))


def release(digests: Iterable[str]) -> None:
    """Delete the bytes of these that nobody uses, with their rows. Not inside a transaction."""
    wanted = sorted(set(digests))
    for start in range(0, len(wanted), BATCH):
        _release(wanted[start : start + BATCH])


def _release(digests: list[str]) -> None:
    now = timezone.now()
    with transaction.atomic():
        # Also for bytes that never had a row: an upload of the same content waits here.
        _lock([Blob(digest=digest, size=0, stored_at=now) for digest in digests])
        used = set(File.objects.filter(blob__in=digests).values_list("blob_id", flat=True).distinct())
        unused = [digest for digest in digests if digest not in used]
        Blob.objects.filter(pk__in=unused).delete()
        for digest in unused:
            blobs.discard(digest)


def _lock(rows: list[Blob]) -> None:
    """Lock rows in the order of their digests, making those that are missing; sizes are never changed."""
    Blob.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["digest"], update_fields=["stored_at"]
    )


def sweep(now: datetime) -> None:
    """Delete what crashes have left: bytes and rows without a use, and uploads that were never stored."""
    before = now - timedelta(seconds=settings.OMNIGENT_BLOB_GRACE_SECONDS)
    release(Blob.objects.filter(files__isnull=True, stored_at__lt=before).values_list("pk", flat=True))
    blobs.clear_incoming(before)
    for digests in blobs.older_than(before):
        known = set(Blob.objects.filter(pk__in=digests).values_list("pk", flat=True))
        orphans = [digest for digest in digests if digest not in known]
        if orphans:
            release(orphans)
            logger.info("orphaned_blobs_deleted", extra={"count": len(orphans)})
