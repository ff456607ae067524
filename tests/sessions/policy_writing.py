"""Policies as the tests give them to a session, over HTTP."""

from typing import Any

from django.utils import timezone

from policies_app.models import DefaultPolicy, PolicyVersion
from sessions_app.models import PolicyMemory, Session
from tests.sessions.cast import Answered, caller, url

LIMIT = "omnigent.policies.builtins.safety.max_tool_calls_per_session"
SKILLS = "omnigent.policies.builtins.safety.block_skills"
ASK = "omnigent.policies.ask_on_os_tools"
NEW: dict[str, Any] = {"name": "cap", "type": "python", "handler": LIMIT, "factory_params": {"limit": 3}}
SERVICE = "https://policies.example.com/judge"


def post(session: Session, who: str = "editor", key: str = "", **fields: Any) -> Answered:
    """Add a policy; fields go over those of NEW."""
    return caller(who).request("POST", url(session, "policies"), {**NEW, **fields}, key=key)


def added(session: Session, who: str = "editor", **fields: Any) -> dict[str, Any]:
    """One that must be taken."""
    answer = post(session, who, **fields)
    assert answer.status_code == 200, answer.content
    body: dict[str, Any] = answer.json()
    return body


def patch(session: Session, policy_id: str, who: str = "editor", **fields: Any) -> Answered:
    """Change one."""
    return caller(who).request("PATCH", url(session, "policies", policy_id), fields)


def delete(session: Session, policy_id: str, who: str = "editor") -> Answered:
    """Take one away."""
    return caller(who).request("DELETE", url(session, "policies", policy_id))


def listed(session: Session, name: str = "reader") -> list[dict[str, Any]]:
    """All that the list shows."""
    body = caller(name).request("GET", url(session, "policies")).json()
    assert body["object"] == "list"
    found: list[dict[str, Any]] = body["data"]
    return found


def chain_revision(session: Session) -> int:
    """How often the session's policies have changed."""
    return PolicyMemory.objects.filter(pk=session.pk).values_list("chain_revision", flat=True).first() or 0


def history(policy_id: str) -> list[tuple[Any, ...]]:
    """Its versions: number, change, by whom, scope, session."""
    rows = PolicyVersion.objects.filter(policy_id=policy_id).order_by("number")
    return list(rows.values_list("number", "change", "changed_by", "scope", "session_id"))


def make_default(name: str = "everywhere", **fields: Any) -> DefaultPolicy:
    """A server-wide policy."""
    values = {"type": "python", "handler": ASK, "created_at": timezone.now()}
    return DefaultPolicy.objects.create(name=name, **{**values, **fields})
