"""Logins that a program has asked for and a person decides about in a browser."""

from django.db import models
from django.db.models import Q

from omnigent.accounts.models.token import AccessToken
from omnigent.accounts.models.user import User
from omnigent.ids import mint


def new_device_login_id() -> str:
    """A fresh public id of a device login; it is no secret."""
    return mint("dev")


class DeviceLogin(models.Model):
    """Two codes that expire soon: the program polls with the long one, the person types the short one.

    Only digests are kept. `address` is where the program called from. The token is minted when an approved
    login is collected, so that its secret is never stored.
    """

    class Status(models.TextChoices):
        """Pending is the only state that a person changes, and approved the only one that a program does."""

        PENDING = "pending"
        APPROVED = "approved"
        DENIED = "denied"
        COLLECTED = "collected"

    public_id = models.CharField(max_length=64, unique=True, default=new_device_login_id, editable=False)
    device_digest = models.CharField(max_length=64, unique=True, editable=False)
    user_digest = models.CharField(max_length=64, unique=True, editable=False)
    client_name = models.CharField(max_length=100)
    address = models.CharField(max_length=64)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.PENDING)
    user = models.ForeignKey(
        User, on_delete=models.CASCADE, null=True, blank=True, related_name="device_logins"
    )
    token = models.ForeignKey(AccessToken, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    polled_at = models.DateTimeField(null=True, blank=True)
    interval = models.PositiveIntegerField()

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(status="pending") | Q(user__isnull=False),
                name="decided_device_logins_have_a_user",
            ),
            models.CheckConstraint(
                condition=Q(status__in=("pending", "approved", "denied", "collected")),
                name="device_login_status_is_known",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.client_name} ({self.status})"
