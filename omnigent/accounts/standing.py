"""What a user's row makes of somebody: administrator, auditor, or locked out."""

from collections.abc import Iterable
from dataclasses import dataclass

from django.conf import settings

from omnigent.accounts.models import User
from omnigent.accounts.principal import EVERYTHING, READ_ONLY, Scope

COLUMNS = ("is_active", "is_staff", "is_auditor")
INCLUDED = {
    Scope.READ: READ_ONLY,
    Scope.HOST: frozenset({Scope.HOST}),
    Scope.WRITE: frozenset({Scope.READ, Scope.WRITE, Scope.HOST}),
    Scope.ADMIN: EVERYTHING,
}


@dataclass(frozen=True, kw_only=True, slots=True)
class Standing:
    """What somebody may be; scopes narrow it."""

    is_admin: bool
    is_auditor: bool

    def scopes(self, granted: frozenset[Scope]) -> frozenset[Scope]:
        """What is left of these scopes."""
        if self.is_auditor:
            return granted & READ_ONLY
        return granted if self.is_admin else granted - {Scope.ADMIN}


def standing(username: str, row: tuple[bool, bool, bool] | None) -> Standing | None:
    """From the columns of a user's row; None for a person who is locked out.

    Somebody whom the proxy names needs no row. Where there are accounts, the row is the account.
    """
    by_proxy = settings.OMNIGENT_AUTH_MODE == "header"
    if row is None and not by_proxy:
        return None
    is_active, is_staff, is_auditor = row or (True, False, False)
    if not is_active:
        return None
    is_listed = by_proxy and username.lower() in settings.OMNIGENT_ADMINS
    return Standing(is_admin=(is_staff or is_listed) and not is_auditor, is_auditor=is_auditor)


def standing_of(username: str) -> Standing | None:
    """The same by name; one statement."""
    return standing(username, User.objects.filter(username=username).values_list(*COLUMNS).first())


def expanded(names: Iterable[str]) -> frozenset[Scope]:
    """A token's scopes with those that they include; names that mean nothing here grant nothing."""
    known = [INCLUDED[Scope(name)] for name in names if name in INCLUDED]
    return frozenset[Scope]().union(*known)
