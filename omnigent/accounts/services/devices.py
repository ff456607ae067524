"""Device logins (the shapes of RFC 8628): a program asks, a person decides, the program collects a token."""

import math
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from omnigent.accounts.models import DeviceLogin
from omnigent.accounts.principal import Principal, Scope
from omnigent.accounts.secret_tokens import digest_of, new_secret
from omnigent.accounts.services import throttle, tokens, users
from omnigent.errors import ErrorCode, OmnigentError

DEVICE_PREFIX = "omni_dev_"
LETTERS = "BCDFGHJKLMNPQRSTVWXZ"
"""No vowels, so that no code is a word, and nothing that is taken for something else."""

CODE_LENGTH = 8
SALT = "omnigent.accounts.device"
TRIES = 5
SLOWER_BY = 5
JITTER = timedelta(seconds=0.5)
PURPOSE = "device"
SCOPE = Scope.WRITE
Status = DeviceLogin.Status
Refusal = Literal["authorization_pending", "slow_down", "expired_token", "access_denied"]


@dataclass(frozen=True, slots=True)
class Codes:
    """A new device login and its two codes, which nobody can ask for again."""

    login: DeviceLogin
    device_code: str
    user_code: str


@dataclass(frozen=True, slots=True)
class Collected:
    """The token of an approved login, and in how many seconds it expires."""

    secret: str
    expires_in: int


def start(*, client_name: str, address: str) -> Codes:
    """Codes for a program that is not known. Raises RATE_LIMITED for too many from one address."""
    throttle.count(throttle.starts(purpose=f"{PURPOSE}-start", address=address))
    now = timezone.now()
    over = Q(token__isnull=True) | Q(token__revoked_at__isnull=False)
    DeviceLogin.objects.filter(over, expires_at__lte=now).delete()
    for _ in range(TRIES):
        device_code, user_code = new_secret(DEVICE_PREFIX), _new_user_code()
        try:
            with transaction.atomic():
                login = DeviceLogin.objects.create(
                    device_digest=digest_of(device_code),
                    user_digest=_user_digest(user_code),
                    client_name=client_name,
                    address=address,
                    created_at=now,
                    expires_at=now + timedelta(seconds=settings.OMNIGENT_DEVICE_CODE_SECONDS),
                    interval=settings.OMNIGENT_DEVICE_POLL_SECONDS,
                )
        except IntegrityError:
            continue
        return Codes(login, device_code, user_code)
    raise OmnigentError(ErrorCode.INTERNAL_ERROR, "No free code was found; try again")


def shown(user_code: str) -> str:
    """As people read it: two groups of four letters."""
    half = CODE_LENGTH // 2
    return f"{user_code[:half]}-{user_code[half:]}"


def find(*, principal: Principal, typed: str, address: str) -> DeviceLogin:
    """The login that a person was sent for. Raises NOT_FOUND, and RATE_LIMITED after too many wrong codes."""
    _check_decider(principal)
    counters = throttle.guesses(purpose=PURPOSE, username=principal.user_id, address=address)
    throttle.count(counters)
    login = _waiting().filter(user_digest=_user_digest(_normalised(typed))).first()
    if login is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, "This code is unknown, used or expired")
    throttle.give_back(counters)
    return login


def decide(*, principal: Principal, typed: str, address: str, is_approved: bool) -> DeviceLogin:
    """Let the program in, or not; once. Raises what `find` raises, and CONFLICT for too many tokens."""
    login = find(principal=principal, typed=typed, address=address)
    if is_approved and tokens.live_tokens(principal).count() >= tokens.MAX_TOKENS:
        raise OmnigentError(
            ErrorCode.CONFLICT, f"There are {tokens.MAX_TOKENS} access tokens; revoke some first"
        )
    changed = (
        _waiting()
        .filter(pk=login.pk)
        .update(
            status=Status.APPROVED if is_approved else Status.DENIED,
            user=users.row_of(principal),
            decided_at=timezone.now(),
        )
    )
    if not changed:
        raise OmnigentError(ErrorCode.NOT_FOUND, "This code is unknown, used or expired")
    return login


def collect(device_code: str) -> Collected | Refusal:
    """What the program gets that polls; the token is given once."""
    now = timezone.now()
    with transaction.atomic():
        found = DeviceLogin.objects.select_for_update(of=("self",)).select_related("user")
        login = found.filter(device_digest=digest_of(device_code)).first()
        if login is None or login.expires_at <= now or login.status == Status.COLLECTED:
            return "expired_token"
        if login.status == Status.DENIED:
            return "access_denied"
        if _is_too_soon(login, now):
            DeviceLogin.objects.filter(pk=login.pk).update(polled_at=now, interval=F("interval") + SLOWER_BY)
            return "slow_down"
        DeviceLogin.objects.filter(pk=login.pk).update(polled_at=now)
        if login.status == Status.PENDING or login.user is None:
            return "authorization_pending"
        return _collect(login, now)


def withdraw(*, principal: Principal, device_login_id: str) -> None:
    """Make an approval void that was not collected. Raises NOT_FOUND, for somebody else's too."""
    _check_decider(principal)
    approved = DeviceLogin.objects.filter(user__username=principal.user_id, status=Status.APPROVED)
    if not approved.filter(public_id=device_login_id).update(status=Status.DENIED):
        raise OmnigentError(ErrorCode.NOT_FOUND, "Device login not found")


def open_logins(principal: Principal) -> "QuerySet[DeviceLogin]":
    """The caller's: those whose token can still be used, and those that are approved and not collected."""
    now = timezone.now()
    unexpired = Q(token__expires_at__isnull=True) | Q(token__expires_at__gt=now)
    usable = Q(status=Status.COLLECTED, token__revoked_at__isnull=True) & unexpired
    waiting = Q(status=Status.APPROVED, expires_at__gt=now)
    mine = DeviceLogin.objects.filter(user__username=principal.user_id).select_related("token")
    return mine.filter(usable | waiting)


def _collect(login: DeviceLogin, now: datetime) -> Collected | Refusal:
    person = login.user
    assert person is not None
    approved = DeviceLogin.objects.filter(pk=login.pk, status=Status.APPROVED)
    if not person.is_active:
        approved.update(status=Status.DENIED)
        return "access_denied"
    if not approved.update(status=Status.COLLECTED):
        return "expired_token"
    lifetime = timedelta(days=settings.OMNIGENT_DEVICE_TOKEN_DAYS)
    minted = tokens.issue(user=person, name=login.client_name, scopes=[SCOPE], lifetime=lifetime)
    DeviceLogin.objects.filter(pk=login.pk).update(token=minted.token)
    return Collected(minted.secret, math.floor(lifetime.total_seconds()))


def _is_too_soon(login: DeviceLogin, now: datetime) -> bool:
    """A program that keeps to its interval may be a little early, for its clock and the network's sake."""
    if login.polled_at is None or not login.interval:
        return False
    return now - login.polled_at < timedelta(seconds=login.interval) - JITTER


def _waiting() -> "QuerySet[DeviceLogin]":
    return DeviceLogin.objects.filter(status=Status.PENDING, expires_at__gt=timezone.now())


def _check_decider(principal: Principal) -> None:
    """A token may not make tokens, nor may a program approve of itself."""
    if principal.via == "machine":
        raise OmnigentError(ErrorCode.INVALID_INPUT, "No login is needed in single-user mode")
    if not tokens.may_manage(principal) or principal.via == "token":
        raise OmnigentError(ErrorCode.FORBIDDEN, "Log in in a browser to let a program in")


def _new_user_code() -> str:
    return "".join(secrets.choice(LETTERS) for _ in range(CODE_LENGTH))


def _normalised(typed: str) -> str:
    """What people make of a code: small letters, spaces, another dash or none."""
    return "".join(letter for letter in typed.upper() if letter in LETTERS)


def _user_digest(user_code: str) -> str:
    """Keyed, because the short code could be found from a bare digest."""
    return salted_hmac(SALT, user_code, algorithm="sha256").hexdigest()
