"""What policies need of a session: its own policies, and what all of them remember."""

from django.db import models

from omnigent.ids import POLICY, mint
from policies_app.models import PolicyBase
from sessions_app.models.session import Session


def new_session_policy_id() -> str:
    """A fresh public id of a session's policy."""
    return mint(POLICY)


class SessionPolicy(PolicyBase):
    """A policy of one session, and of the sub-agents below it."""

    public_id = models.CharField(max_length=64, unique=True, default=new_session_policy_id, editable=False)
    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="policies", db_index=False)

    class Meta(PolicyBase.Meta):
        verbose_name_plural = "session policies"
        constraints = [
            *PolicyBase.Meta.constraints,
            models.UniqueConstraint(fields=["session", "name"], name="one_session_policy_per_name"),
        ]
        indexes = [models.Index(fields=["session", "created_at", "id"], name="session_policy_order")]


class PolicyMemory(models.Model):
    """What the policies of a session remember; there is a row as soon as there is something to say.

    `state` is the policies' own, `revision` goes up with every change of it and with it every evaluation
    that read an older one is void. `chain_revision` goes up with every change of the session's policies.
    `silenced` says of one response, by its id, why its text may not be stored.
    """

    session = models.OneToOneField(
        Session, on_delete=models.CASCADE, primary_key=True, related_name="policy_memory"
    )
    state = models.JSONField(default=dict)
    revision = models.BigIntegerField(default=0)
    chain_revision = models.BigIntegerField(default=0)
    silenced = models.JSONField(default=dict)

    def __str__(self) -> str:
        return f"{self.session_id}: {self.revision}"
