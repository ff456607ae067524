"""Policies as the API shows them, server-wide and of a session."""

from typing import Any

from omnigent.spec.types import PolicyDecl
from policies_app.models import DefaultPolicy, PolicyBase


def policy_columns(policy: PolicyBase) -> dict[str, Any]:
    """What every stored policy shows; times in epoch seconds, `factory_params` only when there are some."""
    shown: dict[str, Any] = {
        "id": policy.public_id,
        "name": policy.name,
        "type": policy.type,
        "handler": policy.handler,
        "enabled": policy.enabled,
        "created_at": int(policy.created_at.timestamp()),
        "updated_at": None if policy.updated_at is None else int(policy.updated_at.timestamp()),
        "mode": policy.mode,
        "approvers": policy.approvers,
        "quorum": policy.quorum,
        "ask_timeout": policy.ask_timeout,
        "version": policy.version,
    }
    if policy.factory_params is not None:
        shown["factory_params"] = policy.factory_params
    return shown


def default_policy(policy: DefaultPolicy) -> dict[str, Any]:
    """A server-wide policy."""
    return {
        **policy_columns(policy),
        "object": "default_policy",
        "created_by": policy.created_by or None,
    }


def config_policy(declared: PolicyDecl) -> dict[str, Any]:
    """A policy of the operator's config file, among the server-wide ones."""
    shown: dict[str, Any] = {
        "id": None,
        "object": "default_policy",
        "name": declared.name,
        "type": "python",
        "handler": declared.handler,
        "enabled": True,
        "source": "config",
        "created_at": None,
        "updated_at": None,
        "created_by": None,
    }
    if declared.factory_params is not None:
        shown["factory_params"] = dict(declared.factory_params)
    return shown
