"""Personal access tokens: minting, listing, revoking, and the record of their use."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from omnigent.accounts.bearers import TOKEN_PREFIX, USE_RECORDED_EVERY
from omnigent.accounts.models import AccessToken, User
from omnigent.accounts.principal import Principal, Scope
from omnigent.accounts.secret_tokens import digest_of, new_secret
from omnigent.accounts.services import revocation, users
from omnigent.accounts.standing import expanded
from omnigent.errors import ErrorCode, OmnigentError

MAX_TOKENS = 100


@dataclass(frozen=True, slots=True)
class Minted:
    """A new token and its secret, which nobody can ask for again."""

    token: AccessToken
    secret: str


def may_manage(principal: Principal) -> bool:
    """Tokens are managed by people who have logged in, and by tokens of administrators made for it."""
    return principal.kind == "user" and (principal.via != "token" or Scope.ADMIN in principal.scopes)


def live_tokens(principal: Principal) -> "QuerySet[AccessToken]":
    """The caller's tokens that can still be used, the newest first."""
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=timezone.now())
    return AccessToken.objects.filter(unexpired, user__username=principal.user_id, revoked_at__isnull=True)


def mint_token(
    *, principal: Principal, name: str, scopes: Collection[Scope], lifetime: timedelta | None
) -> Minted:
    """A token for the caller. Raises FORBIDDEN for scopes beyond the caller's own, CONFLICT for too many."""
    _check_manager(principal)
    wanted = expanded(scopes)
    if not wanted <= principal.scopes:
        beyond = ", ".join(sorted(wanted - principal.scopes))
        raise OmnigentError(ErrorCode.FORBIDDEN, f"You cannot give what you do not have: {beyond}")
    with transaction.atomic():
        # The row is locked, so that a burst of requests cannot pass the limit together.
        user = User.objects.select_for_update().get(pk=users.row_of(principal).pk)
        if live_tokens(principal).count() >= MAX_TOKENS:
            raise OmnigentError(ErrorCode.CONFLICT, f"There are {MAX_TOKENS} tokens; revoke some first")
        return issue(user=user, name=name, scopes=scopes, lifetime=lifetime)


def issue(*, user: User, name: str, scopes: Collection[Scope], lifetime: timedelta | None) -> Minted:
    """A token for a person who was asked already; the caller has checked the scopes."""
    now = timezone.now()
    secret = new_secret(TOKEN_PREFIX)
    expires_at: datetime | None = None if lifetime is None else now + lifetime
    token = AccessToken.objects.create(
        user=user,
        name=name,
        digest=digest_of(secret),
        scopes=sorted(set(scopes)),
        created_at=now,
        expires_at=expires_at,
    )
    return Minted(token, secret)


def revoke(*, principal: Principal, token_id: str) -> AccessToken:
    """End one of the caller's tokens. Raises NOT_FOUND, for somebody else's too."""
    _check_manager(principal)
    found = live_tokens(principal).filter(public_id=token_id).select_related("user").first()
    if found is None or not revocation.revoke_token(found):
        raise OmnigentError(ErrorCode.NOT_FOUND, "Token not found")
    return found


def record_use(token_pk: int) -> None:
    """Note that a token was used, once a minute whoever asks."""
    now = timezone.now()
    stale = Q(last_used_at__isnull=True) | Q(last_used_at__lt=now - USE_RECORDED_EVERY)
    AccessToken.objects.filter(stale, pk=token_pk).update(last_used_at=now)


def _check_manager(principal: Principal) -> None:
    if principal.via == "machine":
        raise OmnigentError(ErrorCode.INVALID_INPUT, "Access tokens are not used in single-user mode")
    if not may_manage(principal):
        raise OmnigentError(ErrorCode.FORBIDDEN, "Log in to manage access tokens")
