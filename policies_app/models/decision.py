"""The decision log: one row per evaluation, each sealed by the hash of the one before."""

import json
from typing import Any

from django.db import models
from django.db.models import Q


class VerdictName(models.TextChoices):
    """What was decided."""

    ALLOW = "allow"
    DENY = "deny"
    ASK = "ask"


class Level(models.TextChoices):
    """Where the policy came from that decided; `guard` is built into the server, `none` nobody."""

    SESSION = "session"
    AGENT = "agent"
    SERVER = "server"
    GUARD = "guard"
    NONE = "none"


class JsonText(models.TextField):  # type: ignore[type-arg]  # not generic at run time
    """JSON kept as the very text that was hashed; a database's own JSON type would rewrite it."""

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> Any:  # any JSON value
        return None if value is None else json.loads(value)

    def get_prep_value(self, value: Any) -> str | None:  # any JSON value
        if value is None:
            return None
        return json.dumps(value, separators=(",", ":"), sort_keys=True)


class Decision(models.Model):
    """One evaluation. Rows are only ever appended, in the order of `seq`, which has no gap.

    Text columns are empty where there is nothing to say. `shadow` has what shadow policies would have said
    and `steps` each policy's own answer, both lists of objects with `id`, `name`, `version`, `verdict` and
    `micros`. `input` is a redacted copy of the event, null when none is kept; `input_digest` is the SHA-256
    of the whole one. `hash` covers every other column and the hash before.
    """

    seq = models.BigIntegerField(primary_key=True)
    decision_id = models.CharField(max_length=64, unique=True)
    created_at = models.DateTimeField()
    session_id = models.CharField(max_length=64, blank=True, default="")
    root_session_id = models.CharField(max_length=64, blank=True, default="")
    agent_id = models.CharField(max_length=64, blank=True, default="")
    actor = models.CharField(max_length=150, blank=True, default="")
    phase = models.CharField(max_length=16)
    target = models.CharField(max_length=256, blank=True, default="")
    verdict = models.CharField(max_length=8, choices=VerdictName.choices)
    reason = models.TextField(blank=True, default="")
    policy_id = models.CharField(max_length=64, blank=True, default="")
    policy_name = models.CharField(max_length=256, blank=True, default="")
    policy_version = models.PositiveIntegerField(null=True, blank=True)
    level = models.CharField(max_length=8, choices=Level.choices, default=Level.NONE)
    shadow = JsonText(default=list)
    steps = JsonText(default=list)
    input_digest = models.CharField(max_length=64)
    input = JsonText(null=True, blank=True)
    elicitation_id = models.CharField(max_length=64, blank=True, default="")
    latency_us = models.PositiveBigIntegerField(default=0)
    prev_hash = models.CharField(max_length=64)
    hash = models.CharField(max_length=64)

    class Meta:
        indexes = [
            models.Index(fields=["created_at"], name="decision_time"),
            models.Index(fields=["session_id", "seq"], name="decision_session"),
            models.Index(fields=["root_session_id", "seq"], name="decision_root"),
            models.Index(fields=["actor", "seq"], name="decision_actor"),
            models.Index(fields=["verdict", "seq"], name="decision_verdict"),
            models.Index(fields=["phase", "seq"], name="decision_phase"),
            models.Index(fields=["policy_id", "seq"], name="decision_policy"),
        ]
        constraints = [
            models.CheckConstraint(condition=Q(verdict__in=VerdictName.values), name="decision_known"),
            models.CheckConstraint(condition=Q(level__in=Level.values), name="decision_level_known"),
        ]

    def __str__(self) -> str:
        return f"{self.seq}: {self.verdict}"


class DecisionHead(models.Model):
    """One row: where the log ends and, after `floor_seq`, begins. Only SECRET_KEY can make the `seal`."""

    seq = models.BigIntegerField(default=0)
    hash = models.CharField(max_length=64)
    floor_seq = models.BigIntegerField(default=0)
    floor_hash = models.CharField(max_length=64)
    seal = models.CharField(max_length=64, blank=True, default="")

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(pk=1), name="one_decision_head")]

    def __str__(self) -> str:
        return f"up to {self.seq}"
