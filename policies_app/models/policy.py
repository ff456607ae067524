"""Policies: a handler, its parameters, and how it is applied."""

from django.db import models
from django.db.models import Q

from omnigent.ids import DEFAULT_POLICY, mint


class PolicyType(models.TextChoices):
    """What `handler` is: the dotted path of a function, or an HTTPS address."""

    PYTHON = "python"
    URL = "url"


class Mode(models.TextChoices):
    """Whether a verdict counts, or is only logged."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


def new_default_policy_id() -> str:
    """A fresh public id of a server-wide policy."""
    return mint(DEFAULT_POLICY)


class PolicyBase(models.Model):
    """What server-wide policies and those of a session have in common.

    `approvers` names who may answer what the policy asks, everybody who usually may when it is empty, and
    `quorum` how many of them must agree. `ask_timeout` is in seconds; null leaves it to the agent.
    `version` is the number of its newest PolicyVersion. Chains run in the order of (created_at, id).
    """

    public_id = models.CharField(max_length=64, unique=True, editable=False)
    name = models.CharField(max_length=256)
    type = models.CharField(max_length=16, choices=PolicyType.choices)
    handler = models.TextField()
    factory_params = models.JSONField(null=True, blank=True)
    enabled = models.BooleanField(default=True)
    mode = models.CharField(max_length=16, choices=Mode.choices, default=Mode.ENFORCE)
    approvers = models.JSONField(default=list, blank=True)
    quorum = models.PositiveIntegerField(default=1)
    ask_timeout = models.FloatField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1)
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField()
    updated_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        abstract = True
        constraints = [
            models.CheckConstraint(condition=Q(type__in=PolicyType.values), name="%(class)s_type_known"),
            models.CheckConstraint(condition=Q(mode__in=Mode.values), name="%(class)s_mode_known"),
            models.CheckConstraint(condition=Q(quorum__gte=1), name="%(class)s_quorum_from_one"),
            models.CheckConstraint(condition=Q(version__gte=1), name="%(class)s_version_from_one"),
            models.CheckConstraint(
                condition=Q(ask_timeout__isnull=True) | Q(ask_timeout__gt=0), name="%(class)s_waits_some_time"
            ),
            models.CheckConstraint(
                condition=Q(type=PolicyType.PYTHON) | Q(factory_params__isnull=True),
                name="%(class)s_url_without_params",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DefaultPolicy(PolicyBase):
    """A policy of the operator's, which applies to every session."""

    public_id = models.CharField(max_length=64, unique=True, default=new_default_policy_id, editable=False)

    class Meta(PolicyBase.Meta):
        verbose_name_plural = "default policies"
        indexes = [models.Index(fields=["created_at", "id"], name="default_policy_order")]
        constraints = [
            *PolicyBase.Meta.constraints,
            models.UniqueConstraint(fields=["name"], name="one_default_policy_per_name"),
        ]
