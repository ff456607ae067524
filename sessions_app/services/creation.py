"""The steps of creating a session: what is checked first, what is committed, what is answered."""

from dataclasses import dataclass, replace

import orjson
from django.db import transaction
from django.db.models.functions import Now

from agents_app.models import Agent
from agents_app.services import bindable, uploaded
from omnigent.accounts.identity import Principal
from omnigent.api.validation import ValidationFailed, problem
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol import items
from omnigent.spec import InvalidAgentError, harnesses
from policies_app.services.default_policies import NewPolicy
from sessions_app import snapshot
from sessions_app.bodies import ForkSession, NewSessionFields
from sessions_app.models import Host, Lease, Project, Session, TunnelKind
from sessions_app.services import (
    access,
    agent_rules,
    forking,
    harness_readiness,
    hosts,
    messages,
    projects,
    receipts,
    rules,
    session_policies,
)
from sessions_app.services.access import Level
from sessions_app.services.hosts import Place
from sessions_app.services.receipts import Answer, Claim
from sessions_app.services.sessions import NewSession, create_session

AUTO = "auto"
CREATED = 201


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """A request for a session, with the agent's id or with its whole bundle; or for a fork of `source_id`."""

    body: NewSessionFields | ForkSession
    agent_id: str = ""
    bundle: bytes | None = None
    source_id: str = ""


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """A session that waits for a look at its host. `existing` is one that an abandoned attempt has made."""

    new: NewSession | None = None
    is_auto: bool = False
    existing: int = 0
    is_launched: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Stored:
    """The session of a request; an earlier one under the same key may have made it."""

    session_pk: int
    is_new: bool


def prepare(principal: Principal, asked: Asked, claimed: Claim | None) -> Answer | Plan:
    """Check the request. Without a host the session is made and answered at once."""
    known = receipts.look(claimed)
    if known.answer is not None:
        return known.answer
    if known.resource:
        existing = Session.objects.filter(public_id=known.resource).values_list("pk", "runner_id").first()
        if existing is not None:
            return Plan(existing=existing[0], is_launched=bool(existing[1]))
    body = asked.body
    if isinstance(body, ForkSession):
        new = forking.checked(principal, asked.source_id, body)
    else:
        new = _checked(principal, asked, body)
    wanted = asked.body.host_id
    if not wanted:
        return receipts.once(claimed, lambda: _make(principal, asked, new))
    is_auto = wanted == AUTO
    host = _choose_host(principal, new) if is_auto else hosts.connected(principal, wanted)
    if not new.workspace and not is_auto:
        raise rules.invalid("workspace required when host_id is set")
    if not is_auto:
        harness_readiness.require(host, _harness_of(new))
    return Plan(new=replace(new, host_id=host.public_id), is_auto=is_auto)


def commit(principal: Principal, new: NewSession, place: Place, claimed: Claim | None) -> Answer | Stored:
    """Store the session at its place, and its receipt; or give what another request under the key made."""
    with transaction.atomic():
        if claimed is not None:
            known = receipts.take(claimed, resource=new.public_id)
            if known.answer is not None:
                return known.answer
            made = Session.objects.filter(public_id=known.resource).only("pk").first()
            if made is not None:
                return Stored(session_pk=made.pk, is_new=False)
        labels = {**new.labels, rules.WORKTREE: place.worktree} if place.worktree else new.labels
        placed = replace(new, workspace=place.workspace, git_branch=place.git_branch, labels=labels)
        made = create_session(new=placed, owner=principal.user_id)
        return Stored(session_pk=made.pk, is_new=True)


def finish(principal: Principal, asked: Asked, session_pk: int, claimed: Claim | None) -> Answer:
    """The snapshot of what was made, kept as the answer."""
    with transaction.atomic():
        answer = _answer(session_pk, principal.user_id, is_upload=asked.bundle is not None)
        receipts.settle(claimed, answer)
        return answer


def _make(principal: Principal, asked: Asked, new: NewSession) -> Answer:
    made = create_session(new=new, owner=principal.user_id)
    return _answer(made.pk, principal.user_id, is_upload=asked.bundle is not None)


def _answer(session_pk: int, user_id: str, *, is_upload: bool) -> Answer:
    level = None if access.is_single_user() else Level.OWNER
    shown = snapshot.read(session_pk, permission_level=level, user_id=user_id)
    if shown is None:
        raise access.not_found()
    # The answer to an upload is read by clients that look for `session_id` only.
    return Answer(CREATED, orjson.dumps({**shown, "session_id": shown["id"]} if is_upload else shown))


def _checked(principal: Principal, asked: Asked, body: NewSessionFields) -> NewSession:
    project = projects.project_of(principal, body.project_id)
    parent = _parent(principal, body.parent_session_id) if body.parent_session_id else None
    if principal.kind == "runner" and parent is None:
        raise OmnigentError(ErrorCode.FORBIDDEN, "A runner opens sessions only below one that it runs")
    if parent is not None:
        _refuse_elsewhere(principal, body, parent)
    if project is not None and parent is not None:
        raise rules.invalid("A sub-agent session is filed by way of its root")
    is_runner = parent is not None and bool(parent.runner_id) and parent.runner_id == principal.runner_id
    return NewSession(
        agent=_agent(principal, asked, parent, project),
        is_agent_new=asked.bundle is not None,
        parent=parent,
        project=project,
        sub_agent_name=(body.sub_agent_name or "") if parent is not None else "",
        title=(body.title or "").strip(),
        labels=rules.labels(body.labels or {}, user_id=principal.user_id, is_bound_runner=is_runner),
        reasoning_effort=rules.reasoning_effort(body.reasoning_effort or ""),
        model_override=rules.model_override(body.model_override or ""),
        harness_override=_harness(body.harness_override or ""),
        terminal_launch_args=body.terminal_launch_args,
        workspace=body.workspace or "",
        initial_items=[_item(item.type, item.data) for item in body.initial_items or ()],
        policies=_policies(principal, body),
    )


def _policies(principal: Principal, body: NewSessionFields) -> list[NewPolicy]:
    wanted = [policy.new_policy() for policy in body.policies or ()]
    if wanted and principal.kind == "runner":
        # What an agent adds afterwards is asked of a person first; its sub-agents have what binds the root.
        raise OmnigentError(ErrorCode.FORBIDDEN, "A runner may not give policies to a session that it opens")
    for at, new in enumerate(wanted):
        try:
            session_policies.check(new)
        except OmnigentError as error:
            raise rules.invalid(f"policies[{at}]: {error.message}") from None
    return wanted


def _agent(principal: Principal, asked: Asked, parent: Session | None, project: Project | None) -> Agent:
    if asked.bundle is None:
        agent_id = asked.agent_id or projects.default_agent(project)
        if not agent_id:
            raise ValidationFailed([problem("missing", ("body", "agent_id"), "Field required")])
        own = parent.agent if parent is not None else None
        if parent is not None and own is not None and own.public_id == agent_id:
            messages.require_agent(parent)
            return own
        return bindable(agent_id=agent_id, user_id=principal.user_id)
    try:
        return uploaded(data=asked.bundle, created_by=principal.user_id, check=agent_rules.problems)
    except InvalidAgentError as error:
        raise rules.invalid(str(error)) from None


def _harness(name: str) -> str:
    if name and harnesses.canonical(name) is None:
        raise rules.invalid(f"harness_override: unknown harness '{name}'")
    return name


def _item(type_: str, data: dict[str, object]) -> items.ItemData:
    try:
        return items.parse_item(type_, data)
    except items.InvalidItem as error:
        raise rules.invalid(f"Invalid initial item of type '{type_}': {error}") from None


def _parent(principal: Principal, session_id: str) -> Session:
    found = access.require(principal, session_id, Level.EDIT)
    parent: Session | None = Session.objects.select_related("agent").filter(pk=found.pk).first()
    if parent is None:
        raise access.not_found()
    return parent


def _refuse_elsewhere(principal: Principal, body: NewSessionFields, parent: Session) -> None:
    """A sub-agent works where its parent does, and is started as it is; its owner alone may say otherwise.

    Else whoever may open one, an agent by its runner among them, would have the run of the owner's machines.
    """
    held = access.level(principal, parent)
    if principal.kind != "runner" and held is not None and held >= Level.OWNER:
        return
    workspace = body.workspace or ""
    is_below = workspace.startswith(f"{parent.workspace.rstrip('/')}/") and ".." not in workspace.split("/")
    if workspace not in ("", parent.workspace) and not (parent.workspace and is_below):
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only the session's owner can place a sub-agent elsewhere")
    if body.host_id or body.git is not None or body.terminal_launch_args:
        raise OmnigentError(
            ErrorCode.FORBIDDEN, "Only the session's owner can choose how a sub-agent is launched"
        )


def _harness_of(new: NewSession) -> str:
    return new.harness_override or new.agent.harness or ""


def _choose_host(principal: Principal, new: NewSession) -> Host:
    """The caller's online host that can run the agent, the one heard from last first."""
    harness = _harness_of(new)
    live = Lease.objects.filter(kind=TunnelKind.HOST, closed_at__isnull=True, expires_at__gt=Now())
    order = list(live.order_by("-renewed_at").values_list("name", flat=True))
    own = Host.objects.filter(owner=principal.user_id, public_id__in=order)
    ready = {host.public_id: host for host in own if harness_readiness.is_ready(host, harness)}
    chosen = next((ready[name] for name in order if name in ready), None)
    if chosen is None:
        raise OmnigentError(ErrorCode.HOST_OFFLINE, f"No host is online that can run the harness '{harness}'")
    return chosen
