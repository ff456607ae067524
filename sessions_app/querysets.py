"""Query verbs of sessions: who may see what, and in which order pages run."""

from typing import Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, Expression, OuterRef, Q, Value

PUBLIC_USER = "__public__"
BUSY = ("running", "waiting")
OWNER_LEVEL = 4
PROJECT_LABEL = "omni_project"


class SessionQuerySet(models.QuerySet):  # type: ignore[type-arg]  # the model imports this module
    """Sessions, by what a list or a page asks for.

    Where a value may differ between runs of one compiled statement, an expression is accepted in its place.
    """

    def listable(self) -> Self:
        """Sessions that a list may show: those with an agent."""
        return self.filter(agent__isnull=False)

    def active(self) -> Self:
        """Sessions that are not archived."""
        return self.filter(archived=False)

    def of_kind(self, kind: str) -> Self:
        """Sessions of one kind, or of `any`."""
        return self if kind == "any" else self.filter(kind=kind)

    def visible_to(self, user: str | Expression) -> Self:
        """Sessions that a person may read by a grant, a public grant, or a grant on the root."""
        return self.filter(_granted(user, "pk") | _granted(user, "root_id"))

    def owned_by(self, user: str | Expression) -> Self:
        """Sessions whose owner a person is."""
        return self.filter(_granted(user, "pk", level=OWNER_LEVEL))

    def not_owned_by(self, user: str | Expression) -> Self:
        """Sessions that belong to somebody else."""
        return self.exclude(_granted(user, "pk", level=OWNER_LEVEL))

    def run_by(self, runner: str | Expression) -> Self:
        """Sessions that a runner is bound to, as long as it has not been revoked."""
        revoked = apps.get_model("sessions_app", "Runner").objects.filter(
            public_id=OuterRef("runner_id"), revoked_at__isnull=False
        )
        return self.filter(runner_id=runner).exclude(Exists(revoked))

    def in_project_of(self, user: str | Expression, name: Expression) -> Self:
        """Sessions of a person that they have filed under a name, in a project or by the label of old."""
        by_label = _labelled(PROJECT_LABEL).filter(value=name)
        filed = Q(project__owner=user, project__name=name) | Q(Exists(by_label), project__isnull=True)
        return self.owned_by(user).filter(filed)

    def unfiled_by(self, user: str | Expression) -> Self:
        """Sessions that a person has not filed; what others do with theirs does not count."""
        projects = apps.get_model("sessions_app", "Project").objects
        filed = Exists(projects.filter(pk=OuterRef("project"), owner=user))
        return self.exclude(filed).exclude(
            Q(Exists(_labelled(PROJECT_LABEL))) & _granted(user, "pk", level=OWNER_LEVEL)
        )

    def labelled(self, key: Expression, *, present: bool) -> Self:
        """Sessions that have a label, or have it not."""
        found = Exists(_labelled(key))
        return self.filter(found) if present else self.exclude(found)

    def children_of(self, session: int | Expression) -> Self:
        """Direct sub-agent sessions that are not archived."""
        return self.listable().active().filter(parent=session)

    def in_page_order(self, column: str, *, ascending: bool) -> Self:
        """By a column, ties by the order of insertion, both in the same direction."""
        sign = "" if ascending else "-"
        return self.order_by(f"{sign}{column}", f"{sign}id")


def has_busy_child() -> Exists:
    """True for sessions of which a direct child runs."""
    sessions = apps.get_model("sessions_app", "Session").objects
    return Exists(sessions.filter(parent=OuterRef("pk"), status__in=BUSY).order_by())


def has_message_under_way() -> Exists:
    """True for sessions with a message that their runner has not taken yet."""
    outbox = apps.get_model("sessions_app", "Outbox").objects
    return Exists(outbox.filter(session=OuterRef("pk"), kind="message").order_by())


def _labelled(key: str | Expression) -> models.QuerySet:  # type: ignore[type-arg]  # see above
    labels = apps.get_model("sessions_app", "SessionLabel").objects
    found: models.QuerySet = labels.filter(session=OuterRef("pk"), key=key).order_by()  # type: ignore[type-arg]  # see above
    return found


def _granted(user: str | Expression, key: str, *, level: int = 1) -> Q:
    who = user if isinstance(user, Expression) else Value(user)
    grants = apps.get_model("sessions_app", "Grant").objects.filter(session=OuterRef(key), level__gte=level)
    people = (
        grants.filter(Q(user_id=who) | Q(user_id=PUBLIC_USER))
        if level < OWNER_LEVEL
        else grants.filter(user_id=who)
    )
    return Q(Exists(people.order_by()))
