"""Kill switches: nothing of an agent, a person or a host goes on."""

from django.db import models
from django.db.models import Q

from omnigent.ids import KILL_SWITCH, mint


class KillSwitchKind(models.TextChoices):
    """What is stopped; `target` is its id."""

    AGENT = "agent"
    USER = "user"
    HOST = "host"


def new_kill_switch_id() -> str:
    """A fresh public id."""
    return mint(KILL_SWITCH)


class KillSwitch(models.Model):
    """While the row is there, every action of its target is denied."""

    public_id = models.CharField(max_length=64, unique=True, default=new_kill_switch_id, editable=False)
    kind = models.CharField(max_length=16, choices=KillSwitchKind.choices)
    target = models.CharField(max_length=150)
    reason = models.TextField(blank=True, default="")
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "kill switches"
        constraints = [
            models.UniqueConstraint(fields=["kind", "target"], name="one_kill_switch_per_target"),
            models.CheckConstraint(
                condition=Q(kind__in=KillSwitchKind.values), name="kill_switch_kind_known"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
