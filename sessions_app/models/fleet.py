"""The fleet: hosts, the runners they launch, and the leases of their tunnels."""

from django.db import models
from django.db.models import Q


class Host(models.Model):
    """A machine whose daemon has registered; online while its tunnel's lease lives."""

    public_id = models.CharField(max_length=64, unique=True)
    name = models.CharField(max_length=256)
    owner = models.CharField(max_length=150)
    version = models.CharField(max_length=64, blank=True, default="")
    configured_harnesses = models.JSONField(null=True, blank=True)
    gateway_inference = models.JSONField(null=True, blank=True)
    interactive_shells = models.JSONField(null=True, blank=True)
    capabilities = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    said_hello_at = models.DateTimeField(null=True, blank=True)

    def __str__(self) -> str:
        return self.name


class Runner(models.Model):
    """A runner process, launched by a host or dialled in by itself; `exit_report` tells how it ended.

    `process_id` is the process that has said hello last; empty when it did not say. From `revoked_at` on its
    binding token and its bearers are good for nothing: its host has seen its process end.
    """

    public_id = models.CharField(max_length=64, unique=True)
    owner = models.CharField(max_length=150)
    host_id = models.CharField(max_length=64, blank=True, default="")
    session_id = models.BigIntegerField(null=True, blank=True)
    version = models.CharField(max_length=64, blank=True, default="")
    harnesses = models.JSONField(null=True, blank=True)
    capabilities = models.JSONField(default=list, blank=True)
    created_at = models.DateTimeField()
    said_hello_at = models.DateTimeField(null=True, blank=True)
    process_id = models.CharField(max_length=64, blank=True, default="")
    exited_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    exit_report = models.TextField(blank=True, default="")

    class Meta:
        indexes = [models.Index(fields=["owner"], name="runners_of_owner")]

    def __str__(self) -> str:
        return self.public_id


class TunnelKind(models.TextChoices):
    """Whose tunnel a lease is for."""

    RUNNER = "runner"
    HOST = "host"


class Lease(models.Model):
    """Which server process holds a tunnel, until when; a newer `generation` fences the older ones.

    `closed_at` is set when the tunnel ended and nobody has dialled in again.
    """

    kind = models.CharField(max_length=8, choices=TunnelKind.choices)
    name = models.CharField(max_length=64)
    generation = models.BigIntegerField(default=0)
    holder = models.CharField(max_length=64)
    address = models.CharField(max_length=256)
    renewed_at = models.DateTimeField()
    expires_at = models.DateTimeField(db_index=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kind", "name"], name="one_lease_per_tunnel"),
            models.CheckConstraint(condition=Q(kind__in=TunnelKind.values), name="lease_kind_known"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.name} at {self.holder}"
