"""One-time tokens that make an account: invitations, and the one for the first administrator."""

from django.db import models
from django.db.models import Q

from omnigent.accounts.models.user import User
from omnigent.ids import mint


def new_invitation_id() -> str:
    """A fresh public id of an invitation; it is no secret."""
    return mint("inv")


class Invitation(models.Model):
    """A link that lets one person choose a name and a password, once and until it expires."""

    public_id = models.CharField(max_length=64, unique=True, default=new_invitation_id, editable=False)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    is_admin = models.BooleanField(default=False)
    is_auditor = models.BooleanField(default=False)
    created_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    accepted_at = models.DateTimeField(null=True, blank=True)
    accepted_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        ordering = ["-created_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=~Q(is_auditor=True, is_admin=True), name="auditors_are_not_invited_as_admins"
            )
        ]

    def __str__(self) -> str:
        return self.public_id


class SetupToken(models.Model):
    """Lets whoever reads the server's output make the first administrator; void once anybody exists."""

    digest = models.CharField(max_length=64, unique=True, editable=False)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"setup until {self.expires_at:%Y-%m-%d %H:%M}"
