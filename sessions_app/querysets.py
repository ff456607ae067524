"""Query verbs of sessions: who may see what, and in which order pages run."""

from typing import Self

from django.apps import apps
from django.db import models
from django.db.models import Exists, Expression, F, OuterRef, Q, Value

from sessions_app.expressions import Contains, SpokenText

PUBLIC_USER = "__public__"
BUSY = ("running", "waiting")
OWNER_LEVEL = 4


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

    def mentioning(self, text: Expression) -> Self:
        """Sessions whose title or any item contains the text, whatever its case."""
        hit = Exists(items_mentioning(text).order_by())
        return self.filter(Q(Contains(F("title"), text)) | hit)

    def children_of(self, session: int | Expression) -> Self:
        """Direct sub-agent sessions that are not archived."""
        return self.listable().active().filter(parent=session)

    def in_page_order(self, column: str, *, ascending: bool) -> Self:
        """By a column, ties by the order of insertion, both in the same direction."""
        sign = "" if ascending else "-"
        return self.order_by(f"{sign}{column}", f"{sign}id")


def items_mentioning(text: Expression) -> models.QuerySet:  # type: ignore[type-arg]  # see above
    """The items of the outer query's session in whose words, arguments or output the text stands."""
    items = apps.get_model("sessions_app", "Item").objects
    found: models.QuerySet = items.filter(Contains(SpokenText("data"), text), session=OuterRef("pk"))  # type: ignore[type-arg]
    return found


def has_busy_child() -> Exists:
    """True for sessions of which a direct child runs."""
    sessions = apps.get_model("sessions_app", "Session").objects
    return Exists(sessions.filter(parent=OuterRef("pk"), status__in=BUSY).order_by())


def _granted(user: str | Expression, key: str, *, level: int = 1) -> Q:
    who = user if isinstance(user, Expression) else Value(user)
    grants = apps.get_model("sessions_app", "Grant").objects.filter(session=OuterRef(key), level__gte=level)
    people = (
        grants.filter(Q(user_id=who) | Q(user_id=PUBLIC_USER))
        if level < OWNER_LEVEL
        else grants.filter(user_id=who)
    )
    return Q(Exists(people.order_by()))
