"""PATCH of a session: the changes, the receipt and the answer in one transaction."""

import orjson

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app import snapshot
from sessions_app.bodies import UpdateSession
from sessions_app.services import access, receipts, rules
from sessions_app.services.access import Level
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.sessions import Changes, update_session

UNSUPPORTED = (
    "delete_worktree",
    "share_workspace_files",
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
        found = access.require(principal, session_id, Level.EDIT)
        _refuse_unsupported(body)
        update_session(principal=principal, found=found, changes=changes_of(body))
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
        archived=body.archived,
    )


def _refuse_unsupported(body: UpdateSession) -> None:
    for name in UNSUPPORTED:
        if getattr(body, name) is not None:
            raise rules.invalid(f"{name} is not available for this session")
    if body.project_id:
        raise OmnigentError(ErrorCode.NOT_FOUND, "Project not found")
