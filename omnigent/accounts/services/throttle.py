"""How often somebody may try in vain: counted in the database, for all replicas and across restarts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F
from django.utils import timezone

from omnigent.accounts.models import LoginThrottle
from omnigent.accounts.secret_tokens import digest_of
from omnigent.errors import ErrorCode, OmnigentError


@dataclass(frozen=True, slots=True)
class Counter:
    """What attempts are counted under, and how many there may be within the window."""

    key: str
    limit: int


def counters(*, username: str, address: str) -> tuple[Counter, Counter]:
    """Those of a login. The account is counted whether it exists or not, under a digest of its name."""
    return (
        Counter(f"address:{address}", settings.OMNIGENT_LOGIN_ADDRESS_ATTEMPTS),
        Counter(f"account:{digest_of(username.lower())}", settings.OMNIGENT_LOGIN_ATTEMPTS),
    )


def starts(*, purpose: str, address: str) -> tuple[Counter]:
    """What an address may begin without being known: it is counted whatever comes of it."""
    return (Counter(f"{purpose}:{address}", settings.OMNIGENT_LOGIN_ADDRESS_ATTEMPTS),)


def guesses(*, purpose: str, username: str, address: str) -> tuple[Counter, Counter]:
    """Of somebody who is logged in and could guess at other people's secrets."""
    return (
        Counter(f"{purpose}:{address}", settings.OMNIGENT_LOGIN_ADDRESS_ATTEMPTS),
        Counter(f"{purpose}:{digest_of(username)}", settings.OMNIGENT_LOGIN_ATTEMPTS),
    )


def count(counters: Iterable[Counter]) -> None:
    """Count an attempt before it is made, so that many at once are not weighed together. Raises 429."""
    for counter in counters:
        if not _count(counter):
            raise too_many()


def forgive(counters: Iterable[Counter]) -> None:
    """The attempt was no failure: its account starts anew, its address gets it back."""
    address, account = counters
    with transaction.atomic():
        LoginThrottle.objects.filter(key=account.key).delete()
        LoginThrottle.objects.filter(key=address.key, attempts__gt=0).update(attempts=F("attempts") - 1)


def give_back(counters: Iterable[Counter]) -> None:
    """The attempt was no failure, and says nothing about those before it."""
    keys = [counter.key for counter in counters]
    LoginThrottle.objects.filter(key__in=keys, attempts__gt=0).update(attempts=F("attempts") - 1)


def too_many() -> OmnigentError:
    """The answer while a counter is full; it says nothing about accounts."""
    return OmnigentError(
        ErrorCode.RATE_LIMITED,
        "Too many attempts; wait a while",
        headers={"Retry-After": str(int(settings.OMNIGENT_LOGIN_WINDOW_SECONDS))},
    )


def _count(counter: Counter) -> bool:
    now = timezone.now()
    over = now - timedelta(seconds=settings.OMNIGENT_LOGIN_WINDOW_SECONDS)
    rows = LoginThrottle.objects.filter(key=counter.key)
    open_rows = rows.filter(since__gt=over, attempts__lt=counter.limit)
    with transaction.atomic():
        if open_rows.update(attempts=F("attempts") + 1):
            return True
        if rows.filter(since__lte=over).update(attempts=1, since=now):
            return True
        LoginThrottle.objects.filter(since__lte=over).delete()
        _, is_new = LoginThrottle.objects.get_or_create(
            key=counter.key, defaults={"attempts": 1, "since": now}
        )
        # Another first attempt may have made the row meanwhile: then this one is counted beside it.
        return is_new or bool(open_rows.update(attempts=F("attempts") + 1))
