"""A session as the API shows it: the snapshot with all its keys. Reads only."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from django.db.models import OuterRef, Q, Subquery, TextField, Value
from django.db.models.functions import Cast, Concat, Now

from sessions_app import buckets, transcript
from sessions_app.expressions import Epoch, JsonText, PairsAsJson
from sessions_app.labels import labels_as_json, shown_labels
from sessions_app.models import Lease, PendingInput, Session, TunnelKind
from sessions_app.statements import Row, Slot, Statement, compiled, kept, query

EMPTY_LIST = orjson.Fragment(b"[]")

_PLAIN = (
    "id",
    "public_id",
    "agent__public_id",
    "agent__name",
    "agent__harness",
    "agent__model",
    "status",
    "title",
    "runner_id",
    "host_id",
    "workspace",
    "git_branch",
    "reasoning_effort",
    "model_override",
    "harness_override",
    "external_session_id",
    "reported_model",
    "archived",
    "kind",
    "parent__public_id",
    "root__public_id",
    "sub_agent_name",
    "share_workspace_files",
    "project__public_id",
    "project__owner",
    "active_response_id",
    "context_window",
    "context_tokens",
    "seq",
    "open_seq",
)
_COMPUTED = ("created", "updated", "error", "launch_args", "label_pairs", "plan", "beside", "waiting")

# Keys of the released product that nothing here fills yet; clients expect them to be present.
_UNUSED: Mapping[str, None] = dict.fromkeys(
    (
        "model_options",
        "inference_configured",
        "inference_error",
        "terminal_pending",
        "sandbox_status",
        "mcp_startup",
        "cost_control_mode_override",
        "subagent_routing_override",
        "host_resumable",
    )
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Wanted:
    """Which of the costlier parts a snapshot carries."""

    items: bool = True
    liveness: bool = True
    usage: bool = True


EVERYTHING = Wanted()
NO_ITEMS = Wanted(items=False)


def _waiting_as_json() -> Subquery:
    """From the key of each message that waits for its transcript to `pending id:content`; null for none."""
    rows = PendingInput.objects.filter(session=OuterRef("pk")).order_by().values("session")
    named = Concat("public_id", Value(":"), "content", output_field=TextField())
    return Subquery(rows.annotate(pairs=PairsAsJson(Cast("id", TextField()), named)).values("pairs"))


@kept
def _session_statement() -> Statement:
    rows = Session.objects.filter(pk=Slot("key")).annotate(
        created=Epoch("created_at"),
        updated=Epoch("updated_at"),
        error=JsonText("last_task_error"),
        launch_args=JsonText("terminal_launch_args"),
        label_pairs=labels_as_json(),
        plan=JsonText("todos"),
        beside=JsonText("background"),
        waiting=_waiting_as_json(),
    )
    return compiled(rows.values_list(*_PLAIN, *_COMPUTED))


def read(
    session_id: int, *, permission_level: int | None, user_id: str = "", wanted: Wanted = EVERYTHING
) -> dict[str, Any] | None:
    """The snapshot of a session as `user_id` sees it, ready for `orjson.dumps`; None when it is gone.

    The session row is read first: whatever is committed between the reads is then shown, and shown again by
    the stream after `resume_after`, but never missed by both.
    """
    row = _session_statement().row(key=session_id)
    if row is None:
        return None
    session = dict(zip((*_PLAIN, *_COMPUTED), row, strict=True))
    tree = _tree(session_id)
    runner_online, host_online = _liveness(session) if wanted.liveness else (None, None)
    return {
        **_identity(session, user_id),
        "runner_id": session["runner_id"] or None,
        "runner_online": runner_online,
        "host_id": session["host_id"] or None,
        "host_online": host_online,
        **_settings(session),
        "permission_level": permission_level,
        **_progress(session),
        "items": orjson.Fragment(transcript.newest(session_id)) if wanted.items else EMPTY_LIST,
        "pending_elicitations": _pending(tree, session["public_id"]),
        "pending_inputs": _pending_inputs(session["waiting"]),
        **_usage(session, tree, included=wanted.usage),
        "share_workspace_files": bool(session["share_workspace_files"]),
        **_UNUSED,
    }


def _identity(session: Mapping[str, Any], user_id: str) -> dict[str, Any]:
    return {
        "id": session["public_id"],
        "agent_id": session["agent__public_id"],
        "agent_name": session["agent__name"],
        "status": session["status"],
        "created_at": session["created"],
        "updated_at": session["updated"],
        "title": session["title"] or None,
        "labels": shown_labels(session["label_pairs"], user_id),
        "kind": session["kind"],
        "parent_session_id": session["parent__public_id"],
        "root_conversation_id": session["root__public_id"] or session["public_id"],
        "sub_agent_name": session["sub_agent_name"] or None,
        # Where people file their sessions is nobody else's business.
        "project_id": session["project__public_id"] if session["project__owner"] == user_id else None,
        "archived": bool(session["archived"]),
    }


def _settings(session: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "reasoning_effort": session["reasoning_effort"] or None,
        "model_override": session["model_override"] or None,
        "harness": session["harness_override"] or session["agent__harness"],
        "llm_model": session["reported_model"] or session["agent__model"] or None,
        "workspace": session["workspace"] or None,
        "git_branch": session["git_branch"] or None,
        "external_session_id": session["external_session_id"] or None,
        "terminal_launch_args": _spliced(session["launch_args"]),
    }


def _progress(session: Mapping[str, Any]) -> dict[str, Any]:
    open_seq = session["open_seq"]
    background = orjson.loads(session["beside"] or "{}")
    return {
        "active_response_id": session["active_response_id"] or None,
        "last_task_error": _spliced(session["error"]),
        "resume_after": session["seq"] if open_seq is None else open_seq - 1,
        "context_window": session["context_window"],
        "last_total_tokens": session["context_tokens"],
        "todos": _spliced(session["plan"]),
        "background_task_count": background.get("count"),
        "background_tasks": background.get("tasks"),
    }


def _spliced(text: str | None) -> orjson.Fragment | None:
    return None if text is None else orjson.Fragment(text)


@kept
def _lease_statement() -> Statement:
    open_now = Lease.objects.filter(closed_at__isnull=True, expires_at__gt=Now())
    runner = Q(kind=TunnelKind.RUNNER, name=Slot("runner"))
    host = Q(kind=TunnelKind.HOST, name=Slot("host"))
    return compiled(open_now.filter(runner | host).values_list("kind"))


def _liveness(session: Mapping[str, Any]) -> tuple[bool, bool | None]:
    runner_id, host_id = session["runner_id"], session["host_id"]
    if not runner_id and not host_id:
        return False, None
    found = {kind for (kind,) in _lease_statement().rows(runner=runner_id, host=host_id)}
    return TunnelKind.RUNNER in found, TunnelKind.HOST in found if host_id else None


_TREE = """
WITH RECURSIVE tree(id) AS (
  SELECT id FROM sessions_app_session WHERE id = %s
  UNION ALL
  SELECT child.id FROM sessions_app_session child JOIN tree ON child.parent_id = tree.id
)
SELECT tree.id, session.public_id, session.usage_by_model, elicitation.request
FROM tree
JOIN sessions_app_session session ON session.id = tree.id
LEFT JOIN sessions_app_elicitation elicitation
  ON elicitation.session_id = tree.id AND elicitation.status = 'pending'
ORDER BY elicitation.id
"""


def _tree(session_id: int) -> list[Row]:
    """(session, its public id, its usage, one pending request or null) for a session and its descendants."""
    return query(_TREE, [session_id])


def _pending(tree: list[Row], public_id: str) -> list[Any]:
    return [_request(request, owner, public_id) for _, owner, _, request in tree if request is not None]


def _request(request: str, owner: str, public_id: str) -> Any:
    if owner == public_id:
        return orjson.Fragment(request)
    event = orjson.loads(request)
    event["params"] = {**event.get("params", {}), "target_session_id": owner}
    return event


def _pending_inputs(text: str | None) -> list[Any]:
    found: dict[str, str] = orjson.loads(text or "{}")
    parts = [found[key].partition(":") for key in sorted(found, key=int)]
    return [{"pending_id": name, "content": orjson.Fragment(content)} for name, _, content in parts]


def _usage(session: Mapping[str, Any], tree: list[Row], *, included: bool) -> dict[str, Any]:
    if not included:
        return {"total_cost_usd": None, "usage_by_model": None, "usage_included": False}
    by_session = {pk: usage for pk, _, usage, _ in tree if usage is not None}
    total = buckets.added([orjson.loads(usage) for usage in by_session.values()])
    return {
        "total_cost_usd": buckets.cost_of(total),
        "usage_by_model": total or None,
        "usage_included": True,
    }
