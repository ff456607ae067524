"""The policies of a session: every change is a version, and tells the servers that the chain is another."""

from collections.abc import Mapping, Sequence
from typing import Any

from django.db import transaction
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import POLICY, canonical
from omnigent.spec.types import PolicyDecl
from policies_app.catalogue import catalogue
from policies_app.models import Change, DefaultPolicy
from policies_app.services.default_policies import NewPolicy
from policies_app.services.handlers import check_handler
from policies_app.services.versions import change_between, record_version, snapshot_of
from policies_app.showing import policy_columns
from sessions_app.bodies import MAX_POLICIES
from sessions_app.models import Session, SessionPolicy
from sessions_app.services import access, rules
from sessions_app.services.access import Access, Level
from sessions_app.services.policy_rows import attach, bump_chain, in_order

OBJECT = "session.policy"


def list_policies(*, principal: Principal, session_id: str) -> list[dict[str, Any]]:
    """What binds the session as clients see it: its own policies, its agent's, then those of every session.

    A sub-agent is bound by its root's policies as well, which are listed there.
    """
    found = access.require(principal, session_id, Level.READ)
    details = Session.objects.filter(pk=found.pk).values_list("agent__details", flat=True).first()
    return [
        *(shown(row) for row in in_order(found.pk)),
        *(_of_agent(declared) for declared in (details or {}).get("policies", ())),
        *(_of_server(row) for row in DefaultPolicy.objects.order_by("created_at", "pk")),
        *(_of_config(declared) for declared in catalogue().config_policies),
    ]


def shown(row: SessionPolicy) -> dict[str, Any]:
    """A session's own policy as clients see it."""
    return {**policy_columns(row), "object": OBJECT, "source": "session"}


def _of_server(row: DefaultPolicy) -> dict[str, Any]:
    return {**policy_columns(row), "object": OBJECT, "source": "admin"}


def _of_agent(declared: Mapping[str, Any]) -> dict[str, Any]:
    """A policy of the agent's details, whose description is the handler."""
    return _declared(declared["name"], str(declared["description"]), "spec", list(declared.get("on", ())))


def _of_config(declared: PolicyDecl) -> dict[str, Any]:
    return _declared(declared.name, declared.handler, "admin", list(declared.on))


def _declared(name: str, handler: str, source: str, phases: Sequence[str]) -> dict[str, Any]:
    return {
        "id": None,
        "object": OBJECT,
        "name": name,
        "type": "function",
        "handler": handler,
        "enabled": True,
        "source": source,
        "created_at": 0,
        "updated_at": None,
        "description": _description(handler),
        "on": phases,
    }


def _description(handler: str) -> str:
    entry = catalogue().registry.get(handler)
    return "" if entry is None else entry.description


def find(*, principal: Principal, session_id: str, policy_id: str) -> SessionPolicy:
    """A policy of the session. Raises NOT_FOUND for those of others, too."""
    found = access.require(principal, session_id, Level.READ)
    return _existing(found, policy_id)


def create_policy(*, principal: Principal, session_id: str, new: NewPolicy) -> SessionPolicy:
    """Give the session another policy. Its editors may, and its runner.

    Raises INVALID_INPUT for a handler that cannot be applied and for too many, ALREADY_EXISTS for a taken
    name.
    """
    found = access.require(principal, session_id, Level.EDIT)
    check(new)
    with transaction.atomic():
        _lock(found)
        if SessionPolicy.objects.filter(session=found.pk).count() >= MAX_POLICIES:
            raise rules.invalid(f"A session has at most {MAX_POLICIES} policies")
        _require_free(found, new.name)
        [row] = attach(found.pk, found.public_id, [new], by=author(principal))
    return row


def update_policy(
    *, principal: Principal, session_id: str, policy_id: str, changes: Mapping[str, Any]
) -> SessionPolicy:
    """Set columns among RESTORED; what is None stays. `updated_at` is set even when nothing else is.

    Raises NOT_FOUND, and as `create_policy` does.
    """
    found = _required_of_person(principal, session_id)
    wanted = {column: value for column, value in changes.items() if value is not None}
    with transaction.atomic():
        _lock(found)
        row = _existing(found, policy_id)
        before = snapshot_of(row)
        for column, value in wanted.items():
            setattr(row, column, value)
        if {"handler", "factory_params"} & set(wanted):
            check_handler(type=row.type, handler=row.handler, factory_params=row.factory_params)
        if row.name != before["name"]:
            _require_free(found, row.name)
        change = change_between(before, snapshot_of(row))
        row.updated_at = timezone.now()
        row.version += change is not None
        row.save()
        if change is not None:
            _record(row, change, found, principal)
    return row


def delete_policy(*, principal: Principal, session_id: str, policy_id: str) -> bool:
    """Take it away; whether it was there. Its versions stay, the last one says how it was."""
    found = _required_of_person(principal, session_id)
    with transaction.atomic():
        _lock(found)
        row = _own(found, policy_id)
        if row is None:
            return False
        row.version += 1
        _record(row, Change.DELETED, found, principal)
        row.delete()
    return True


def check(new: NewPolicy) -> None:
    """Raise INVALID_INPUT in words for a policy that cannot be applied."""
    check_handler(type=new.type, handler=new.handler, factory_params=new.factory_params)


def _required_of_person(principal: Principal, session_id: str) -> Access:
    """A session whose editor the caller is. What a runner's agent is bound by it may not loosen."""
    found = access.require(principal, session_id, Level.EDIT)
    if principal.kind == "runner":
        raise OmnigentError(ErrorCode.FORBIDDEN, "A runner may add policies and not change them")
    return found


def _lock(found: Access) -> None:
    rows = Session.objects.select_for_update(of=("self",)).filter(pk=found.pk)
    if rows.values_list("pk").first() is None:
        raise access.not_found()


def _own(found: Access, policy_id: str) -> SessionPolicy | None:
    public_id = canonical(POLICY, policy_id) or ""
    row: SessionPolicy | None = SessionPolicy.objects.filter(session=found.pk, public_id=public_id).first()
    return row


def _existing(found: Access, policy_id: str) -> SessionPolicy:
    row = _own(found, policy_id)
    if row is None:
        raise OmnigentError(ErrorCode.NOT_FOUND, "Policy not found")
    return row


def _require_free(found: Access, name: str) -> None:
    if SessionPolicy.objects.filter(session=found.pk, name=name).exists():
        raise OmnigentError(
            ErrorCode.ALREADY_EXISTS, f"A policy named '{name}' already exists in this session"
        )


def _record(row: SessionPolicy, change: Change, found: Access, principal: Principal) -> None:
    record_version(
        row,
        change=change,
        changed_by=author(principal),
        changed_at=timezone.now(),
        session_id=found.public_id,
    )
    bump_chain(found.pk)


def author(principal: Principal) -> str:
    """Who it was; where there is one user, that is nobody in particular."""
    return "" if access.is_single_user() else principal.user_id
