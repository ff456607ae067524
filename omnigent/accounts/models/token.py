"""Personal access tokens."""

from django.db import models

from omnigent.accounts.models.user import User
from omnigent.ids import mint


def new_token_id() -> str:
    """A fresh public id of a token; it is no secret."""
    return mint("tok")


class AccessToken(models.Model):
    """What a program shows in place of a person. Only the SHA-256 of the secret is kept: the secret is random
    and long, so nothing slower is needed.
    """

    public_id = models.CharField(max_length=64, unique=True, default=new_token_id, editable=False)
    user = models.ForeignKey(User, on_delete=models.CASCADE, related_name="access_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True, editable=False)
    scopes = models.JSONField(default=list)
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-created_at", "-id"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"
