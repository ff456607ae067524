"""Agents: what a session is bound to. A row names an immutable, content-addressed bundle."""

from typing import Self

from django.db import models
from django.db.models import Q

from omnigent.ids import AGENT, mint


def new_agent_id() -> str:
    """A fresh public agent id."""
    return mint(AGENT)


class AgentQuerySet(models.QuerySet["Agent"]):
    """Which agents a caller may see, list or bind; deleted ones are never among them."""

    def present(self) -> Self:
        """Those that nobody has deleted."""
        return self.filter(deleted_at__isnull=True)

    def builtin(self) -> Self:
        """The operator's."""
        return self.filter(is_builtin=True)

    def reusable_of(self, user_id: str) -> Self:
        """Those that a person may start sessions with, besides the operator's."""
        return self.filter(is_reusable=True, created_by=user_id, deleted_at__isnull=True)

    def readable_by(self, user_id: str) -> Self:
        """The operator's, and the person's own ones of either kind."""
        return self.present().filter(Q(is_builtin=True) | Q(created_by=user_id))


class Agent(models.Model):
    """A registered agent: the operator's, a session's own, or a reusable one of the person who uploaded it.

    `bundle_bytes` is the size of the stored bundle, 0 where it was not noted. `load_error` says why a stored
    bundle could not be read when somebody last tried. A row with `deleted_at` is kept for the sessions that
    are still bound to it: they show its name, and nobody can run it.
    """

    public_id = models.CharField(max_length=64, unique=True, default=new_agent_id, editable=False)
    name = models.CharField(max_length=256)
    description = models.TextField(blank=True, default="")
    harness = models.CharField(max_length=64, null=True, blank=True)  # noqa: DJ001 - null is the contract's "cannot be loaded"
    model = models.CharField(max_length=256, blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    digest = models.CharField(max_length=64)
    details = models.JSONField(default=dict)
    bundle_bytes = models.PositiveBigIntegerField(default=0)
    load_error = models.TextField(blank=True, default="")
    is_builtin = models.BooleanField(default=False)
    is_reusable = models.BooleanField(default=False)
    deleted_at = models.DateTimeField(null=True, blank=True)
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(null=True, blank=True)

    objects = AgentQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["is_builtin", "created_at", "id"], name="agent_page"),
            models.Index(
                fields=["created_by", "created_at", "id"],
                name="agent_page_of_person",
                condition=Q(is_reusable=True),
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["name"], condition=Q(is_builtin=True), name="one_builtin_agent_per_name"
            ),
            models.UniqueConstraint(
                fields=["created_by", "name"],
                condition=Q(is_reusable=True, deleted_at__isnull=True),
                name="one_reusable_agent_per_name",
            ),
            models.CheckConstraint(condition=Q(version__gte=1), name="agent_version_from_one"),
            models.CheckConstraint(
                condition=~Q(is_builtin=True, is_reusable=True), name="agent_has_one_kind"
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def kind(self) -> str:
        """Whose it is: `server`, `user` or `session`."""
        return "server" if self.is_builtin else "user" if self.is_reusable else "session"
