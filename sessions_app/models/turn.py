"""Turns: what a runner was asked to do with a message, at most one running per session."""

from django.db import models
from django.db.models import Q

from sessions_app.models.session import Session


class TurnStatus(models.TextChoices):
    """How a turn stands or ended."""

    RUNNING = "running"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"
    INCOMPLETE = "incomplete"


class Turn(models.Model):
    """One turn; it opens when its message is forwarded and is named by `response.in_progress`.

    `stopped_at` is when a budget or a kill switch had it interrupted, which each turn is once, for
    `stop_reason`.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="turns")
    response_id = models.CharField(max_length=128, blank=True, default="")
    status = models.CharField(max_length=16, choices=TurnStatus.choices, default=TurnStatus.RUNNING)
    error_code = models.CharField(max_length=64, blank=True, default="")
    opened_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True, blank=True)
    stopped_at = models.DateTimeField(null=True, blank=True)
    stop_reason = models.CharField(max_length=500, blank=True, default="")

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["session"], condition=Q(status="running"), name="one_running_turn"
            ),
            models.CheckConstraint(condition=Q(status__in=TurnStatus.values), name="turn_status_known"),
        ]

    def __str__(self) -> str:
        return f"{self.response_id or 'unnamed'}: {self.status}"
