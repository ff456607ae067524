"""The history of policies, and the number that says whether a server's copy of them is still good.

Rows name sessions and people by id only, so that they outlive them.
"""

from django.db import models
from django.db.models import Q


class PolicyScope(models.TextChoices):
    """Where a policy belongs: to every session, or to one."""

    DEFAULT = "default"
    SESSION = "session"


class Change(models.TextChoices):
    """What made a version."""

    CREATED = "created"
    UPDATED = "updated"
    DELETED = "deleted"
    ROLLED_BACK = "rolled_back"
    ENABLED = "enabled"
    DISABLED = "disabled"


class PolicyVersion(models.Model):
    """A policy as it was after a change; of a deleted one, as it was before.

    `session_id` is empty for server-wide policies. `snapshot` has the policy's columns, times in epoch
    seconds.
    """

    policy_id = models.CharField(max_length=64)
    scope = models.CharField(max_length=16, choices=PolicyScope.choices)
    session_id = models.CharField(max_length=64, blank=True, default="")
    number = models.PositiveIntegerField()
    change = models.CharField(max_length=16, choices=Change.choices)
    snapshot = models.JSONField()
    changed_by = models.CharField(max_length=150, blank=True, default="")
    changed_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["changed_at", "id"], name="policy_version_page")]
        constraints = [
            models.UniqueConstraint(fields=["policy_id", "number"], name="one_policy_version_per_number"),
            models.CheckConstraint(condition=Q(number__gte=1), name="policy_version_from_one"),
            models.CheckConstraint(
                condition=Q(scope__in=PolicyScope.values), name="policy_version_scope_known"
            ),
            models.CheckConstraint(condition=Q(change__in=Change.values), name="policy_version_change_known"),
        ]

    def __str__(self) -> str:
        return f"{self.policy_id} version {self.number}"


class ServerRevision(models.Model):
    """One row, whose number grows with every change of what the chains of all sessions depend on."""

    number = models.PositiveBigIntegerField(default=0)

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_server_revision")]

    def __str__(self) -> str:
        return str(self.number)
