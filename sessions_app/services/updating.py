"""PATCH of a session: the changes, the receipt and the answer in one transaction."""

import orjson

from omnigent.accounts.identity import Principal
from sessions_app import snapshot
from sessions_app.bodies import UpdateSession
from sessions_app.services import access, changes, receipts, rules
from sessions_app.services.access import Level
from sessions_app.services.changes import Changes
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.tick import tick_of

UNSUPPORTED = (
    "cost_control_mode_override",
    "subagent_routing_override",
    "collaboration_mode",
    "permission_mode",
    "approval_mode",
)


def update(
    principal: Principal, session_id: str, body: UpdateSession, claimed: Claim | None, *, with_usage: bool
) -> Answer:
    """Apply what the body names and answer the snapshot without items."""

    def work() -> Answer:
        wished = changes_of(body)
        found = changes.require(principal, session_id, wished)
        _refuse_unsupported(body)
        changes.update_session(principal=principal, found=found, changes=wished)
        wanted = snapshot.Wanted(items=False, usage=with_usage)
        shown = snapshot.read(
            found.pk, permission_level=found.level, user_id=principal.user_id, wanted=wanted
        )
        if shown is None:
            raise access.not_found()
        return Answer(200, orjson.dumps(shown))

    return receipts.once(claimed, work)


def changes_of(body: UpdateSession) -> Changes:
    """The changes that a body asks for."""
    return Changes(
        title=None if body.title is None else body.title.strip(),
        runner_id=body.runner_id,
        labels=body.labels or {},
        reasoning_effort=body.reasoning_effort,
        model_override=body.model_override,
        external_session_id=body.external_session_id,
        terminal_launch_args=body.terminal_launch_args,
        share_workspace_files=body.share_workspace_files,
        archived=body.archived,
        delete_worktree=body.delete_worktree,
        project_id=body.project_id,
    )


def _refuse_unsupported(body: UpdateSession) -> None:
    for name in UNSUPPORTED:
        if getattr(body, name) is not None:
            raise rules.invalid(f"{name} is not available for this session")
    if "project_id" in body.model_fields_set and body.project_id is None:
        raise rules.invalid("project_id must be a project's id, or empty to take the session out of one")


def reset_model_override(*, principal: Principal, session_id: str, expected: str) -> bool:
    """Clear the model override if it still is the expected one; whether it was."""
    found = access.require(principal, session_id, Level.EDIT)
    with tick_of([found.pk]) as tick:
        session = tick.sessions.get(found.pk)
        if session is None:
            raise access.not_found()
        if not expected or session.model_override != expected:
            return False
        changes.set_model(tick, session, "")
        session.updated_at = tick.now
    return True
