"""The history of a policy, server-wide or of a session: one row per change."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from policies_app.models import Change, PolicyBase, PolicyScope, PolicyVersion

RESTORED = ("name", "handler", "factory_params", "enabled", "mode", "approvers", "quorum", "ask_timeout")
"""What a rollback takes from a snapshot."""


def snapshot_of(policy: PolicyBase) -> dict[str, Any]:
    """The policy's columns as JSON, times in epoch seconds."""
    return {
        **{column: getattr(policy, column) for column in RESTORED},
        "type": str(policy.type),
        "mode": str(policy.mode),
        "created_by": policy.created_by,
        "created_at": policy.created_at.timestamp(),
        "updated_at": None if policy.updated_at is None else policy.updated_at.timestamp(),
    }


def version_of(
    policy: PolicyBase, *, change: Change, changed_by: str, changed_at: datetime, session_id: str = ""
) -> PolicyVersion:
    """The policy's present version, not stored."""
    return PolicyVersion(
        policy_id=policy.public_id,
        scope=PolicyScope.SESSION if session_id else PolicyScope.DEFAULT,
        session_id=session_id,
        number=policy.version,
        change=change,
        snapshot=snapshot_of(policy),
        changed_by=changed_by,
        changed_at=changed_at,
    )


def record_version(
    policy: PolicyBase, *, change: Change, changed_by: str, changed_at: datetime, session_id: str = ""
) -> PolicyVersion:
    """Write down the policy's present version, inside the transaction that made it."""
    version = version_of(
        policy, change=change, changed_by=changed_by, changed_at=changed_at, session_id=session_id
    )
    version.save(force_insert=True)
    return version


def change_between(before: Mapping[str, Any], after: Mapping[str, Any]) -> Change | None:
    """What an update amounts to; None when nothing is different."""
    different = {column for column in RESTORED if before[column] != after[column]}
    if not different:
        return None
    if different == {"enabled"}:
        return Change.ENABLED if after["enabled"] else Change.DISABLED
    return Change.UPDATED
