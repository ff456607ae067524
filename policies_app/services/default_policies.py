"""Server-wide policies: every change is a version, and raises the revision that all servers watch."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from omnigent.accounts.principal import LOCAL_USER, Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import DEFAULT_POLICY, canonical
from policies_app.models import Change, DefaultPolicy, Mode, PolicyScope, PolicyVersion
from policies_app.services.handlers import check_approvers, check_handler
from policies_app.services.revisions import bump_revision
from policies_app.services.versions import RESTORED, change_between, record_version, snapshot_of

CHECKED = frozenset({"handler", "factory_params", "approvers", "quorum"})
"""What makes a difference to whether a policy can be applied."""


@dataclass(frozen=True, kw_only=True, slots=True)
class NewPolicy:
    """A policy to be created."""

    name: str
    type: str
    handler: str
    factory_params: Mapping[str, Any] | None = None
    enabled: bool = True
    mode: str = Mode.ENFORCE
    approvers: Sequence[str] = ()
    quorum: int = 1
    ask_timeout: float | None = None


def find_policy(policy_id: str) -> DefaultPolicy:
    """The policy. Raises NOT_FOUND, for malformed ids too."""
    public_id = canonical(DEFAULT_POLICY, policy_id)
    found = DefaultPolicy.objects.filter(public_id=public_id).first() if public_id else None
    if found is None:
        raise not_found(policy_id)
    return found


def not_found(policy_id: str) -> OmnigentError:
    """There is no such server-wide policy."""
    return OmnigentError(ErrorCode.NOT_FOUND, f"Policy not found: '{policy_id[:200]}'")


def create_policy(*, principal: Principal, new: NewPolicy) -> DefaultPolicy:
    """Create it. Raises INVALID_INPUT for what cannot be applied, ALREADY_EXISTS for a taken name."""
    now = timezone.now()
    policy = DefaultPolicy(
        name=new.name,
        type=new.type,
        handler=new.handler,
        factory_params=None if new.factory_params is None else dict(new.factory_params),
        enabled=new.enabled,
        mode=new.mode,
        approvers=list(new.approvers),
        quorum=new.quorum,
        ask_timeout=new.ask_timeout,
        created_by=_name(principal),
        created_at=now,
    )
    _check(policy)
    with transaction.atomic():
        _save(policy, Change.CREATED, principal, now)
    return policy


def update_policy(*, principal: Principal, policy_id: str, changes: Mapping[str, Any]) -> DefaultPolicy:
    """Set columns among RESTORED; what is None stays. `updated_at` is set even when nothing else is.

    Raises NOT_FOUND, and as `create_policy` does.
    """
    wanted = {column: value for column, value in changes.items() if value is not None}
    with transaction.atomic():
        policy = _locked(policy_id)
        return _change(policy, wanted, principal)


def set_enabled(*, principal: Principal, policy_id: str, is_enabled: bool) -> DefaultPolicy:
    """Switch it on or off."""
    return update_policy(principal=principal, policy_id=policy_id, changes={"enabled": is_enabled})


def delete_policy(*, principal: Principal, policy_id: str) -> bool:
    """Delete it; whether it was there. Its versions stay, the last one says how it was."""
    public_id = canonical(DEFAULT_POLICY, policy_id)
    with transaction.atomic():
        found = DefaultPolicy.objects.select_for_update().filter(public_id=public_id).first()
        if found is None:
            return False
        found.version += 1
        record_version(found, change=Change.DELETED, changed_by=_name(principal), changed_at=timezone.now())
        found.delete()
        bump_revision()
    return True


def roll_back(*, principal: Principal, policy_id: str, number: int) -> DefaultPolicy:
    """Make it again what it was in a version, under a new number; a deleted one comes back with its id.

    Raises NOT_FOUND without such a version, and as `create_policy` does.
    """
    public_id = canonical(DEFAULT_POLICY, policy_id)
    history = PolicyVersion.objects.filter(policy_id=public_id, scope=PolicyScope.DEFAULT)
    with transaction.atomic():
        version = history.filter(number=number).first()
        if version is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, f"Policy '{policy_id[:200]}' has no version {number}")
        snapshot = version.snapshot
        policy = DefaultPolicy.objects.select_for_update().filter(public_id=public_id).first()
        if policy is not None:
            restored = {column: snapshot[column] for column in RESTORED}
            return _change(policy, restored, principal, as_change=Change.ROLLED_BACK)
        newest = history.order_by("-number").values_list("number", flat=True)[0]
        policy = DefaultPolicy(
            public_id=version.policy_id,
            type=snapshot["type"],
            version=newest + 1,
            created_by=snapshot["created_by"],
            created_at=datetime.fromtimestamp(snapshot["created_at"], tz=UTC),
            **{column: snapshot[column] for column in RESTORED},
        )
        _check(policy)
        now = timezone.now()
        policy.updated_at = now
        _save(policy, Change.ROLLED_BACK, principal, now)
    return policy


def _change(
    policy: DefaultPolicy, wanted: Mapping[str, Any], principal: Principal, *, as_change: Change | None = None
) -> DefaultPolicy:
    before = snapshot_of(policy)
    for column, value in wanted.items():
        setattr(policy, column, value)
    if CHECKED & set(wanted):
        _check(policy)
    change = change_between(before, snapshot_of(policy))
    now = timezone.now()
    policy.updated_at = now
    if change is None:
        policy.save(update_fields=["updated_at"])
        return policy
    policy.version += 1
    _save(policy, as_change or change, principal, now)
    return policy


def _check(policy: DefaultPolicy) -> None:
    check_handler(type=policy.type, handler=policy.handler, factory_params=policy.factory_params)
    check_approvers(policy.approvers, policy.quorum)


def _save(policy: DefaultPolicy, change: Change, principal: Principal, now: datetime) -> None:
    try:
        with transaction.atomic():
            policy.save()
    except IntegrityError:
        if not DefaultPolicy.objects.filter(name=policy.name).exclude(pk=policy.pk).exists():
            raise
        message = f"A default policy named '{policy.name}' already exists"
        raise OmnigentError(ErrorCode.ALREADY_EXISTS, message) from None
    record_version(policy, change=change, changed_by=_name(principal), changed_at=now)
    bump_revision()


def _locked(policy_id: str) -> DefaultPolicy:
    public_id = canonical(DEFAULT_POLICY, policy_id)
    found = DefaultPolicy.objects.select_for_update().filter(public_id=public_id).first()
    if found is None:
        raise not_found(policy_id)
    return found


def _name(principal: Principal) -> str:
    """Who it was; where there is one user, that is nobody in particular."""
    return "" if principal.user_id == LOCAL_USER else principal.user_id
