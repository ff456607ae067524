"""Exactly-once input: receipts of requests, and the outbox of what runners still have to be told."""

from django.db import models
from django.db.models import Q

from sessions_app.models.session import Session


class Receipt(models.Model):
    """The answer to one write, kept under its caller's idempotency key; `status` is null until there is one.

    `resource` names what the write made, so that a retry after a crash can tell it.
    """

    caller = models.CharField(max_length=200)
    key = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=64)
    status = models.PositiveSmallIntegerField(null=True, blank=True)
    answer = models.TextField(blank=True, default="")
    resource = models.CharField(max_length=64, blank=True, default="")
    created_at = models.DateTimeField(db_index=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["caller", "key"], name="one_receipt_per_key")]

    def __str__(self) -> str:
        return f"{self.key}: {self.status or 'under way'}"


class OutboxKind(models.TextChoices):
    """What a runner is told."""

    MESSAGE = "message"
    INTERRUPT = "interrupt"
    APPROVAL = "approval"
    TOOL_RESULT = "tool_result"
    CONTROL = "control"
    RESET = "reset"


class Outbox(models.Model):
    """One delivery to the runner of a session, in order of its id; deleted once the runner has accepted it.

    A server that works on it holds it until `claimed_until`. `sent_to` and `sent_at` are kept of messages
    only, and only where the runner would take them twice.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="outbox", db_index=False)
    kind = models.CharField(max_length=16, choices=OutboxKind.choices)
    item_id = models.CharField(max_length=64, blank=True, default="")
    body = models.TextField()
    created_at = models.DateTimeField()
    deadline = models.DateTimeField()
    claimed_by = models.CharField(max_length=64, blank=True, default="")
    claimed_until = models.DateTimeField(null=True, blank=True)
    sent_to = models.CharField(max_length=64, blank=True, default="", db_default="")
    sent_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["session", "id"], name="outbox_order")]
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=OutboxKind.values), name="outbox_kind_known")
        ]

    def __str__(self) -> str:
        return f"{self.kind} for {self.session_id}"
