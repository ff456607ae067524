"""Invitations and the first administrator: one-time tokens that make an account."""

from dataclasses import dataclass
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone

from omnigent.accounts.models import Invitation, SetupToken, User
from omnigent.accounts.principal import Principal
from omnigent.accounts.secret_tokens import digest_of, new_secret
from omnigent.accounts.services import users
from omnigent.errors import ErrorCode, OmnigentError

INVITATION_PREFIX = "omni_inv_"
SETUP_PREFIX = "omni_setup_"
SETUP_LIFETIME = timedelta(hours=24)
UNUSABLE = "The invitation is unknown, used or expired"


@dataclass(frozen=True, slots=True)
class Invited:
    """A new invitation and its secret, which nobody can ask for again."""

    invitation: Invitation
    secret: str


def invite(*, principal: Principal, is_admin: bool, is_auditor: bool, lifetime: timedelta | None) -> Invited:
    """An invitation by an administrator; the caller has checked that it is one."""
    if is_admin and is_auditor:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "An auditor cannot be an administrator too")
    now = timezone.now()
    secret = new_secret(INVITATION_PREFIX)
    default = timedelta(hours=settings.OMNIGENT_ACCOUNTS_INVITE_TTL_HOURS)
    made = Invitation.objects.create(
        digest=digest_of(secret),
        is_admin=is_admin,
        is_auditor=is_auditor,
        created_by=users.row_of(principal),
        created_at=now,
        expires_at=now + (default if lifetime is None else lifetime),
    )
    return Invited(made, secret)


def open_ones() -> "QuerySet[Invitation]":
    """Those that can still be accepted, the newest first."""
    return Invitation.objects.filter(accepted_at__isnull=True, expires_at__gt=timezone.now())


def find_open(token: str) -> Invitation:
    """The invitation behind a link. Raises NOT_FOUND for one that is unknown, used or expired."""
    found = open_ones().filter(digest=digest_of(token)).first()
    if found is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, UNUSABLE)
    return found


def accept(*, token: str, username: str, password: str) -> User:
    """Use an invitation up. Raises NOT_FOUND for one that is unknown, used or expired, and what `create_user`
    raises; then it can still be used.
    """
    with transaction.atomic():
        found = open_ones().select_for_update().filter(digest=digest_of(token)).first()
        if found is None or not open_ones().filter(pk=found.pk).update(accepted_at=timezone.now()):
            raise OmnigentError(ErrorCode.NOT_FOUND, UNUSABLE)
        user = users.create_user(
            username=username, password=password, is_admin=found.is_admin, is_auditor=found.is_auditor
        )
        Invitation.objects.filter(pk=found.pk).update(accepted_by=user)
        return user


def withdraw(invitation_id: str) -> None:
    """Make an invitation void. Raises NOT_FOUND for one that is not open."""
    deleted, _ = Invitation.objects.filter(public_id=invitation_id, accepted_at__isnull=True).delete()
    if not deleted:
        raise OmnigentError(ErrorCode.NOT_FOUND, "Invitation not found")


def open_setup() -> str | None:
    """A token that makes the first administrator, for the server's output; None when nobody is missing."""
    if not users.needs_setup():
        return None
    now = timezone.now()
    secret = new_secret(SETUP_PREFIX)
    SetupToken.objects.filter(expires_at__lte=now).delete()
    SetupToken.objects.create(digest=digest_of(secret), created_at=now, expires_at=now + SETUP_LIFETIME)
    return secret


def set_up(*, token: str, username: str, password: str) -> User:
    """Make the first administrator. Raises CONFLICT when there is one, FORBIDDEN for a wrong token."""
    with transaction.atomic():
        # All tokens are locked: of two replicas' requests the second waits, and finds none left.
        held = {row.digest: row for row in SetupToken.objects.select_for_update().order_by("pk")}
        if not users.needs_setup():
            raise OmnigentError(ErrorCode.CONFLICT, "The server has been set up already")
        found = held.get(digest_of(token))
        if found is None or found.expires_at <= timezone.now():
            raise OmnigentError(ErrorCode.FORBIDDEN, "The setup token is wrong or expired")
        user = users.create_user(username=username, password=password, is_admin=True)
        SetupToken.objects.all().delete()
        return user


def first_steps() -> str | None:
    """At a server's start: make the administrator whom the settings name, or open the setup."""
    username = settings.OMNIGENT_ACCOUNTS_INIT_ADMIN_USERNAME
    password = settings.OMNIGENT_ACCOUNTS_INIT_ADMIN_PASSWORD
    if username and password and users.needs_setup():
        users.create_user(username=username, password=password, is_admin=True)
    return open_setup()
