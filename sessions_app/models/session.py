"""A session: one conversation, with the counters that order its log and its items."""

from django.db import models
from django.db.models import F, Q
from django.utils import timezone

from agents_app.models import Agent
from omnigent.ids import SESSION, mint
from sessions_app.models.project import Project
from sessions_app.models.search import FoldedField
from sessions_app.querysets import SessionQuerySet


def new_session_id() -> str:
    """A fresh public session id."""
    return mint(SESSION)


class Status(models.TextChoices):
    """Where a session is; changed only by `services.turns`."""

    IDLE = "idle"
    RUNNING = "running"
    WAITING = "waiting"
    FAILED = "failed"


class Kind(models.TextChoices):
    """Whether a person or an agent started the session."""

    DEFAULT = "default"
    SUB_AGENT = "sub_agent"


class Session(models.Model):
    """A live conversation. `seq` is the head of its log, `position` the number of its items.

    `open_seq` is the log number of the first delta of text that is not an item yet. `relay_generation` fences
    the one reader of its runner's stream; `ingest_stream` and `ingest_number` name the last event of that
    stream that is committed. `usage_by_model` is what this session used itself, `usage_below` the same of its
    sub-agents as last added up; `is_usage_due` asks `services.spending` to do that again, and to enter what
    the cost has grown beyond `accounted_cost_usd`. `auto_title` is the last title that no person chose.
    `dispatch_position` is the place of the message by which the parent has set a sub-agent to work; null once
    the parent has been told how that ended.
    """

    public_id = models.CharField(max_length=64, unique=True, default=new_session_id, editable=False)
    agent = models.ForeignKey(Agent, on_delete=models.PROTECT, null=True, related_name="+")
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.DEFAULT)
    parent = models.ForeignKey(
        "self", on_delete=models.CASCADE, null=True, blank=True, related_name="children"
    )
    root = models.ForeignKey("self", on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    sub_agent_name = models.CharField(max_length=256, blank=True, default="")
    title = models.CharField(max_length=300, blank=True, default="")
    folded_title = FoldedField(source="title")
    auto_title = models.CharField(max_length=300, blank=True, default="")
    archived = models.BooleanField(default=False)
    project = models.ForeignKey(
        Project, on_delete=models.SET_NULL, null=True, blank=True, related_name="sessions"
    )
    created_by = models.CharField(max_length=150, blank=True, default="")
    created_at = models.DateTimeField(default=timezone.now)
    updated_at = models.DateTimeField(default=timezone.now)

    runner_id = models.CharField(max_length=64, blank=True, default="", db_index=True)
    host_id = models.CharField(max_length=64, blank=True, default="")
    workspace = models.CharField(max_length=4096, blank=True, default="")
    git_branch = models.CharField(max_length=256, blank=True, default="")
    reasoning_effort = models.CharField(max_length=16, blank=True, default="")
    model_override = models.CharField(max_length=256, blank=True, default="")
    harness_override = models.CharField(max_length=64, blank=True, default="")
    external_session_id = models.CharField(max_length=256, blank=True, default="")
    terminal_launch_args = models.JSONField(null=True, blank=True)
    share_workspace_files = models.BooleanField(default=False)

    status = models.CharField(max_length=16, choices=Status.choices, default=Status.IDLE)
    active_response_id = models.CharField(max_length=128, blank=True, default="")
    last_task_error = models.JSONField(null=True, blank=True)
    interrupt_fence = models.BooleanField(default=False)
    reported_model = models.CharField(max_length=256, blank=True, default="")
    context_tokens = models.BigIntegerField(null=True, blank=True)
    context_window = models.BigIntegerField(null=True, blank=True)
    usage_by_model = models.JSONField(null=True, blank=True)
    usage_below = models.JSONField(null=True, blank=True)
    is_usage_due = models.BooleanField(default=False)
    accounted_cost_usd = models.FloatField(null=True, blank=True)
    policy_cost_usd = models.FloatField(null=True, blank=True)
    policy_cost_below_usd = models.FloatField(null=True, blank=True)
    budget_due_at = models.DateTimeField(null=True, blank=True)

    dispatch_position = models.BigIntegerField(null=True, blank=True)
    todos = models.JSONField(null=True, blank=True)
    background = models.JSONField(null=True, blank=True)
    compacting_until = models.DateTimeField(null=True, blank=True)

    seq = models.BigIntegerField(default=0)
    log_floor = models.BigIntegerField(default=0)
    open_seq = models.BigIntegerField(null=True, blank=True)
    position = models.BigIntegerField(default=0)
    relay_generation = models.BigIntegerField(default=0)
    ingest_stream = models.CharField(max_length=64, blank=True, default="")
    ingest_number = models.BigIntegerField(default=0)

    # What `services.tick` reads beside a row that it locks.
    running_turn_id: int | None
    running_response_id: str | None
    has_input: bool
    has_new_input: bool
    has_pending_input: bool
    awaits_children: bool
    questions: dict[int, str]
    held_questions: dict[int, str]

    objects = SessionQuerySet.as_manager()

    class Meta:
        indexes = [
            models.Index(fields=["id"], name="session_usage_due", condition=Q(is_usage_due=True)),
            models.Index(
                fields=["budget_due_at"],
                name="session_budget_due",
                condition=Q(budget_due_at__isnull=False),
            ),
            models.Index(
                fields=["compacting_until"],
                name="session_compacting",
                condition=Q(compacting_until__isnull=False),
            ),
            models.Index(
                fields=["parent"],
                name="session_dispatched",
                condition=Q(dispatch_position__isnull=False),
            ),
            models.Index(fields=["kind", "archived", "created_at", "id"], name="session_by_created"),
            models.Index(fields=["kind", "archived", "updated_at", "id"], name="session_by_updated"),
            models.Index(fields=["agent", "created_at", "id"], name="session_by_agent"),
            models.Index(
                fields=["status"], name="session_busy", condition=Q(status__in=["running", "waiting"])
            ),
        ]
        constraints = [
            models.UniqueConstraint(
                fields=["parent", "title"],
                condition=Q(parent__isnull=False) & ~Q(title=""),
                name="one_child_per_title",
            ),
            models.CheckConstraint(condition=Q(status__in=Status.values), name="session_status_known"),
            models.CheckConstraint(condition=Q(log_floor__lte=F("seq")), name="session_log_floor_below_head"),
        ]

    def __str__(self) -> str:
        return self.title or self.public_id

    @property
    def resume_after(self) -> int:
        """The log number up to which a snapshot shows everything."""
        return self.seq if self.open_seq is None else self.open_seq - 1


class SessionLabel(models.Model):
    """One guardrails label of a session."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="labels")
    key = models.CharField(max_length=256)
    value = models.TextField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["session", "key"], name="one_label_per_key")]

    def __str__(self) -> str:
        return f"{self.key}={self.value}"


class Grant(models.Model):
    """What a person may do with a session: 1 read, 2 edit, 3 manage, 4 owner.

    `may_approve` says that the owner lets this person answer what policies ask.
    """

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="grants", db_index=False)
    user_id = models.CharField(max_length=150)
    level = models.PositiveSmallIntegerField()
    may_approve = models.BooleanField(default=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "user_id"], name="one_grant_per_person"),
            models.CheckConstraint(condition=Q(level__gte=1, level__lte=4), name="grant_level_known"),
        ]
        indexes = [models.Index(fields=["user_id", "session"], name="grants_of_person")]

    def __str__(self) -> str:
        return f"{self.user_id}: {self.level}"
