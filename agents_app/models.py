"""Agents: what a session is bound to. A row names an immutable, content-addressed bundle."""

from django.db import models
from django.db.models import Q

from omnigent.ids import AGENT, mint


def new_agent_id() -> str:
    """A fresh public agent id."""
    return mint(AGENT)


class Agent(models.Model):
    """A registered agent; built-in ones belong to the operator, the others to one session."""

    public_id = models.CharField(max_length=64, unique=True, default=new_agent_id, editable=False)
    name = models.CharField(max_length=256)
    description = models.TextField(blank=True, default="")
    harness = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - null is the contract's "cannot be loaded"
    model = models.CharField(max_length=256, blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    digest = models.CharField(max_length=64)
    details = models.JSONField(default=dict)
    is_builtin = models.BooleanField(default=False)
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["is_builtin", "created_at", "id"], name="agent_page")]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(is_builtin=True), name="one_builtin_agent_per_name"
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="agent_version_from_one"),
        ]

    def __str__(self) -> str:
        return self.name
