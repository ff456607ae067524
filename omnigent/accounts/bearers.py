"""Bearer credentials: personal access tokens, and what runners are given for their calls."""

import time
from dataclasses import dataclass
from datetime import timedelta

from django.core import signing
from django.db.models import Q
from django.utils import timezone

from omnigent.accounts.models import AccessToken
from omnigent.accounts.principal import RESERVED_NAMES, Principal, Scope
from omnigent.accounts.secret_tokens import digest_of
from omnigent.accounts.standing import COLUMNS, expanded, standing, standing_of

TOKEN_PREFIX = "omni_pat_"
RUNNER_PREFIX = "omni_run_"
RUNNER_SECONDS = 1800
RUNNER_SALT = "omnigent.accounts.runner"
RUNNER_SCOPES = frozenset({Scope.READ, Scope.WRITE})
USE_RECORDED_EVERY = timedelta(minutes=1)
USER_COLUMNS = tuple(f"user__{column}" for column in COLUMNS)


@dataclass(frozen=True, slots=True)
class RunnerBearer:
    """A bearer and the epoch second at which it expires."""

    token: str
    expires_at: int


def is_ours(bearer: str) -> bool:
    """Whether this server may have made it; others are between the caller and a proxy."""
    return bearer.startswith((TOKEN_PREFIX, RUNNER_PREFIX))


def holder_of(bearer: str) -> Principal | None:
    """Whom a bearer stands for now; None for one that is unknown, expired or revoked. One statement."""
    if bearer.startswith(RUNNER_PREFIX):
        return _runner(bearer.removeprefix(RUNNER_PREFIX))
    return _token(bearer) if bearer.startswith(TOKEN_PREFIX) else None


def runner_bearer(*, runner_id: str, owner: str) -> RunnerBearer:
    """A bearer for a runner: its owner's name, signed, for half an hour."""
    signed = signing.dumps({"runner": runner_id, "owner": owner}, salt=RUNNER_SALT)
    return RunnerBearer(RUNNER_PREFIX + signed, int(time.time()) + RUNNER_SECONDS)


def _token(bearer: str) -> Principal | None:
    now = timezone.now()
    unexpired = Q(expires_at__isnull=True) | Q(expires_at__gt=now)
    live = AccessToken.objects.filter(unexpired, digest=digest_of(bearer), revoked_at__isnull=True)
    row = live.order_by().values_list("pk", "scopes", "last_used_at", "user__username", *USER_COLUMNS).first()
    if row is None:
        return None
    pk, scopes, used_at, username, is_active, is_staff, is_auditor = row
    found = standing(username, (is_active, is_staff, is_auditor))
    if found is None or username in RESERVED_NAMES:
        return None
    allowed = found.scopes(expanded(scopes))
    return Principal(
        user_id=username,
        is_admin=found.is_admin and Scope.ADMIN in allowed,
        kind="host" if allowed == {Scope.HOST} else "user",
        is_auditor=found.is_auditor,
        scopes=allowed,
        via="token",
        token_pk=pk,
        is_use_due=used_at is None or used_at < now - USE_RECORDED_EVERY,
    )


def _runner(signed: str) -> Principal | None:
    try:
        held = signing.loads(signed, salt=RUNNER_SALT, max_age=RUNNER_SECONDS)
    except signing.BadSignature:
        return None
    found = standing_of(held["owner"])
    if found is None or found.is_auditor or held["owner"] in RESERVED_NAMES:
        return None
    return Principal(
        user_id=held["owner"],
        is_admin=False,
        kind="runner",
        runner_id=held["runner"],
        scopes=RUNNER_SCOPES,
        via="runner",
    )
