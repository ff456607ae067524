"""The number by which servers notice that what all chains depend on has changed."""

from django.db import IntegrityError, transaction
from django.db.models import F

from policies_app.models import ServerRevision


def current_revision() -> int:
    """The number now; 0 before the first change."""
    return ServerRevision.objects.values_list("number", flat=True).first() or 0


def bump_revision() -> None:
    """Raise the number, inside the transaction of the change. Changes of others wait for its end."""
    if ServerRevision.objects.filter(pk=1).update(number=F("number") + 1):
        return
    try:
        with transaction.atomic():
            ServerRevision.objects.create(pk=1, number=1)
    except IntegrityError:
        # Somebody else made the very first change at the same time.
        ServerRevision.objects.filter(pk=1).update(number=F("number") + 1)
