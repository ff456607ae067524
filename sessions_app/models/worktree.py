"""A work tree that a host was asked to make, for as long as it may be on that host's disk."""

from django.db import models
from django.utils import timezone


class Worktree(models.Model):
    """Written before the host is asked and deleted when the tree is known to be gone.

    It names the session that it was made for by id without a foreign key, because it outlives it.
    `request_id` is the host request that made it, `path` is empty until the host has answered.
    """

    request_id = models.CharField(max_length=64, unique=True)
    session_id = models.CharField(max_length=64, db_index=True)
    host_id = models.CharField(max_length=64, db_index=True)
    repository = models.CharField(max_length=4096)
    branch = models.CharField(max_length=256)
    path = models.CharField(max_length=4096, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)

    def __str__(self) -> str:
        return self.path or f"{self.branch} of {self.repository}"
