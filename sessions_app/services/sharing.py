"""The server-wide rules of sharing: the environment sets them until an administrator changes them."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.events import publish
from sessions_app.models import Grant, Sharing, SharingMode
from sessions_app.querysets import PUBLIC_USER
from sessions_app.services.access import Level

PUBLIC_LEVELS: Mapping[str, Level] = {"read": Level.READ, "edit": Level.EDIT}
WORDS: Mapping[int, str] = {level: word for word, level in PUBLIC_LEVELS.items()}


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What may be granted now. `public_max_level` is a level; public grants never stand above it."""

    mode: str
    public_enabled: bool
    public_max_level: int

    @property
    def allows_public(self) -> bool:
        """Whether a session may be opened to everybody who can sign in."""
        named_only = self.mode in (SharingMode.OFF, SharingMode.RESTRICTED_READ_ONLY)
        return self.public_enabled and not named_only

    @property
    def public_ceiling(self) -> int:
        """The highest level of a public grant."""
        return self.public_max_level if self.mode == SharingMode.ON else Level.READ


def rules() -> Rules:
    """The rules in force."""
    row = Sharing.objects.filter(pk=1).values_list("mode", "public_enabled", "public_max_level").first()
    if row is None:
        return Rules(
            mode=settings.OMNIGENT_SHARING_MODE,
            public_enabled=settings.OMNIGENT_PUBLIC_SHARING,
            public_max_level=PUBLIC_LEVELS[settings.OMNIGENT_PUBLIC_SHARING_MAX_LEVEL],
        )
    return Rules(mode=row[0], public_enabled=row[1], public_max_level=row[2])


def change_rules(
    *,
    principal: Principal,
    mode: str | None = None,
    public_enabled: bool | None = None,
    public_max_level: str | None = None,
) -> Rules:
    """Change what is given; only for administrators.

    Grants stay when sharing is narrowed, except that public ones are lowered to a lower ceiling at once.
    """
    if not principal.is_admin or principal.kind != "user":
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only an administrator can change what may be shared")
    with transaction.atomic():
        changed = rules()
        if mode is not None:
            changed = replace(changed, mode=mode)
        if public_enabled is not None:
            changed = replace(changed, public_enabled=public_enabled)
        if public_max_level is not None:
            changed = replace(changed, public_max_level=int(PUBLIC_LEVELS[public_max_level]))
        Sharing.objects.update_or_create(
            pk=1,
            defaults={
                "mode": changed.mode,
                "public_enabled": changed.public_enabled,
                "public_max_level": changed.public_max_level,
                "updated_at": timezone.now(),
                "updated_by": principal.user_id,
            },
        )
        _lower_public_grants(changed.public_max_level)
    return changed


def _lower_public_grants(ceiling: int) -> None:
    above = Grant.objects.filter(user_id=PUBLIC_USER, level__gt=ceiling)
    sessions = list(above.values_list("session_id", flat=True))
    if sessions:
        Grant.objects.filter(user_id=PUBLIC_USER, level__gt=ceiling).update(level=ceiling)
        transaction.on_commit(partial(publish.ring, "access", *map(str, sessions)))


def refuse_grant(*, user_id: str, level: int) -> None:
    """Raise when the rules do not allow this grant to be given."""
    current = rules()
    if current.mode == SharingMode.OFF:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Sharing is switched off on this server")
    if user_id == PUBLIC_USER:
        if not current.allows_public:
            raise OmnigentError(ErrorCode.FORBIDDEN, "Public sharing is switched off on this server")
        if level > current.public_ceiling:
            raise OmnigentError(
                ErrorCode.INVALID_INPUT,
                f"Public access may not be higher than {WORDS[current.public_ceiling]} on this server",
            )
    elif current.mode != SharingMode.ON and level > Level.READ:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only read access may be given on this server")
