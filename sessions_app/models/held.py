"""Actions that a policy holds until a person has answered."""

from django.db import models
from django.db.models import Q

from omnigent.ids import mint
from sessions_app.models.elicitation import Elicitation
from sessions_app.models.session import Session


def new_held_id() -> str:
    """A fresh id of a held action."""
    return mint("held")


class HeldKind(models.TextChoices):
    """What waits: a tool call at the gate, a question of a runner, a person's message or command, a call that
    a native harness has reported.
    """

    TOOL = "tool"
    EVALUATION = "evaluation"
    MESSAGE = "message"
    CALL = "call"


class HeldAction(models.Model):
    """One action and where its chain stands: it goes on at `position`, with what was `pending` until now.

    `digest` is of the exact action; another one needs another approval. `elicitation` is the question that
    is open, or was the last; `input` is what has to be posted once it is allowed. `outcome` is the verdict of
    the whole chain, null until then; `consumed_at` says that the action it allows has been taken. Whoever
    works on it holds it until `claimed_until`.
    """

    public_id = models.CharField(max_length=64, unique=True, default=new_held_id, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="held", db_index=False)
    elicitation = models.OneToOneField(
        Elicitation, on_delete=models.SET_NULL, null=True, related_name="held_action"
    )
    kind = models.CharField(max_length=16, choices=HeldKind.choices)
    digest = models.CharField(max_length=64)
    event = models.JSONField()
    position = models.PositiveIntegerField()
    pending = models.JSONField(default=dict)
    policy_id = models.CharField(max_length=64, blank=True, default="")
    policy_name = models.CharField(max_length=256, blank=True, default="")
    approvers = models.JSONField(default=list)
    quorum = models.PositiveIntegerField(default=1)
    votes = models.JSONField(default=list)
    actor = models.CharField(max_length=150, blank=True, default="")
    input = models.JSONField(null=True, blank=True)
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    outcome = models.JSONField(null=True, blank=True)
    settled_at = models.DateTimeField(null=True, blank=True)
    consumed_at = models.DateTimeField(null=True, blank=True)
    claimed_until = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(kind__in=HeldKind.values), name="held_kind_known"),
            models.CheckConstraint(condition=Q(quorum__gte=1), name="held_quorum_from_one"),
        ]
        indexes = [
            models.Index(fields=["session", "digest"], name="held_action_of"),
            models.Index(fields=["expires_at"], name="held_open", condition=Q(outcome__isnull=True)),
        ]

    def __str__(self) -> str:
        return f"{self.public_id}: {self.policy_name}"
