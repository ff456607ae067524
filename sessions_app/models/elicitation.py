"""Elicitations: questions that park an action until a person answers."""

from django.db import models
from django.db.models import Q

from omnigent.ids import ELICITATION, mint
from sessions_app.models.session import Session


def new_elicitation_id() -> str:
    """A fresh public elicitation id."""
    return mint(ELICITATION)


class ElicitationStatus(models.TextChoices):
    """pending until one verdict, an expiry or the end of the turn; delivered once the runner knows."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    DECLINED = "declined"
    CANCELLED = "cancelled"
    EXPIRED = "expired"
    DELIVERED = "delivered"


class Elicitation(models.Model):
    """One question; `request` is its event as clients see it, `digest` binds it to the exact action.

    `held_kind` is the kind of the action that a policy holds for it; empty when the runner asks.
    """

    public_id = models.CharField(max_length=64, default=new_elicitation_id)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="elicitations")
    response_id = models.CharField(max_length=128, blank=True, default="")
    request = models.JSONField()
    digest = models.CharField(max_length=64, blank=True, default="")
    held_kind = models.CharField(max_length=16, blank=True, default="")
    status = models.CharField(
        max_length=16, choices=ElicitationStatus.choices, default=ElicitationStatus.PENDING
    )
    action = models.CharField(max_length=16, blank=True, default="")
    content = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolved_by = models.CharField(max_length=150, blank=True, default="")
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "public_id"], name="one_elicitation_per_id"),
            models.CheckConstraint(
                condition=Q(status__in=ElicitationStatus.values), name="elicitation_status_known"
            ),
        ]
        indexes = [
            models.Index(fields=["session"], name="elicitation_pending", condition=Q(status="pending")),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.status}"
