"""The store's incarnation, and forgetting what is past its retention."""

import logging
import uuid
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now
from django.utils import timezone

from policies_app.services import decisions
from sessions_app.events import log
from sessions_app.models import Lease, LogEntry, Outbox, Receipt, Session, Store
from sessions_app.services import blobs, fleet, receipts

logger = logging.getLogger(__name__)

BOOT_ID = Path("/proc/sys/kernel/random/boot_id")


def incarnation() -> str:
    """What changes when the database's tail may have been lost: the machine's boot, the server's start."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_postmaster_start_time()::text, "
                "(SELECT min(backend_start)::text FROM pg_stat_activity WHERE backend_type = 'checkpointer')"
            )
            return " ".join(str(value) for value in cursor.fetchone())
    return BOOT_ID.read_text().strip() if BOOT_ID.exists() else str(uuid.getnode())


def open_store() -> int:
    """Note this start; the epoch grows when the last one was unclean and the database's tail may be gone."""
    now = incarnation()
    with transaction.atomic():
        store, _ = Store.objects.select_for_update().get_or_create(pk=1, defaults={"incarnation": now})
        if store.incarnation != now and not store.is_clean:
            store.epoch = F("epoch") + 1
        store.incarnation = now
        store.is_clean = False
        store.save()
        if connection.vendor == "sqlite":
            _release_everything()
    return int(Store.objects.values_list("epoch", flat=True).get(pk=1))


def _release_everything() -> None:
    """SQLite has one server process: what another one held ended with it."""
    Lease.objects.filter(closed_at__isnull=True).update(closed_at=Now())
    Outbox.objects.filter(claimed_until__isnull=False).update(claimed_until=None)
    receipts.release_all()


def close_store(holder: str) -> None:
    """This process ends in order; the store is clean when it was the last one with tunnels or without any."""
    others = Lease.objects.exclude(holder=holder).filter(
        closed_at__isnull=True, expires_at__gt=timezone.now()
    )
    if not others.exists():
        Store.objects.filter(pk=1).update(is_clean=True)


def prune(now: datetime) -> int:
    """Forget log rows, receipts, decisions and runners past their retention. Running turns keep their log."""
    before = now - timedelta(seconds=settings.OMNIGENT_LOG_RETENTION_SECONDS)
    stale = LogEntry.objects.filter(created_at__lt=before).values("session_id")
    old = Session.objects.filter(created_at__lt=before, pk__in=stale)
    removed = log.prune(before, list(old.values_list("pk", flat=True)))
    kept = timedelta(seconds=settings.OMNIGENT_RECEIPT_RETENTION_SECONDS)
    Receipt.objects.filter(created_at__lt=now - kept).delete()
    decisions.prune(now - timedelta(seconds=settings.OMNIGENT_DECISION_RETENTION_SECONDS))
    blobs.sweep(now)
    fleet.forget_old_runners(timedelta(seconds=settings.OMNIGENT_LOG_RETENTION_SECONDS))
    if removed:
        logger.info("log_pruned", extra={"rows": removed})
    return removed
