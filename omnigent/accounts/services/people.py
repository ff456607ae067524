"""What administrators change about other people: who may come in, who administers, who audits."""

from collections.abc import Mapping
from dataclasses import dataclass

from django.db import transaction
from django.db.models import QuerySet

from omnigent.accounts.models import User
from omnigent.accounts.principal import LOCAL_USER, Principal
from omnigent.errors import ErrorCode, OmnigentError


@dataclass(frozen=True, kw_only=True, slots=True)
class Change:
    """What is to be different; None stays as it is."""

    is_active: bool | None = None
    is_staff: bool | None = None
    is_auditor: bool | None = None

    def fields(self) -> Mapping[str, bool]:
        """The columns that are named, with what follows from them."""
        named = {"is_active": self.is_active, "is_staff": self.is_staff, "is_auditor": self.is_auditor}
        changed = {name: value for name, value in named.items() if value is not None}
        if self.is_staff is not None:
            changed["is_superuser"] = self.is_staff
        return changed


def people() -> "QuerySet[User]":
    """Everybody who has an account; the row of single-user mode is nobody's."""
    return User.objects.exclude(username=LOCAL_USER)


def change(*, principal: Principal, username: str, change: Change) -> User:
    """Change somebody's standing. Raises NOT_FOUND, FORBIDDEN for callers who administer no more, and
    INVALID_INPUT for oneself and for an administrator who would audit.
    """
    with transaction.atomic():
        # All administrators are locked: two of them cannot lock each other out at once.
        staff = {row.pk: row for row in User.objects.select_for_update().filter(is_staff=True).order_by("pk")}
        acting = next((row for row in staff.values() if row.username == principal.user_id), None)
        if acting is None or not acting.is_active:
            raise OmnigentError(ErrorCode.FORBIDDEN, "Only administrators manage people")
        user = people().select_for_update().filter(username=username).first()
        if user is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, "User not found")
        fields = change.fields()
        if user.pk == acting.pk and fields:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "Somebody else has to change your own rights")
        for name, value in fields.items():
            setattr(user, name, value)
        if user.is_staff and user.is_auditor:
            raise OmnigentError(ErrorCode.INVALID_INPUT, "An auditor cannot be an administrator too")
        if fields:
            # Saved and not updated: whoever holds a connection open hears of it.
            user.save(update_fields=list(fields))
        return user
