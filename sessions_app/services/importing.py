"""What an import asks of this server before anything is stored, and what it answers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from agents_app.models import Agent
from agents_app.services import bindable
from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.spec import harnesses
from policies_app.services.handlers import check_handler
from sessions_app.portable.checked import Checked
from sessions_app.portable.documents import AgentLine, Missing, SessionLine
from sessions_app.services import rules
from sessions_app.services.exporting import is_portable

MAX_REASON = 500
ROWS = 400
UNFIT = "it denies what it is asked about as long as it is enabled, because it cannot be applied here"

ReadBundle = Callable[[AgentLine], bytes]


@dataclass(frozen=True, kw_only=True, slots=True)
class Restoring:
    """An archive on its way in. `replacement` is the agent that stands in for those that are missing."""

    checked: Checked
    replacement: str
    read_bundle: ReadBundle


@dataclass(frozen=True, kw_only=True, slots=True)
class Bindings:
    """The agents that there are already, by their names in the archive, and what has to be said of them and
    of policies.
    """

    agents: Mapping[str, Agent]
    notes: Sequence[Missing] = field(default_factory=tuple)


def require_person(principal: Principal) -> None:
    """Raise 403 for callers who cannot own sessions of their own."""
    if principal.kind != "user":
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only a person can import sessions")


def check_settings(checked: Checked) -> None:
    """Raise 400 for settings and labels that could not be given to a session by its owner either."""
    for session in checked.sessions:
        try:
            _check_settings(session)
        except OmnigentError as error:
            raise rules.invalid(f"The archive is not valid: session {session.id}: {error.message}") from None


def _check_settings(session: SessionLine) -> None:
    settings = session.settings
    if rules.reasoning_effort(settings.reasoning_effort) != settings.reasoning_effort:
        raise rules.invalid("settings.reasoning_effort: must be empty or an effort")
    if rules.model_override(settings.model_override) != settings.model_override:
        raise rules.invalid("settings.model_override: must be empty or a model")
    if settings.harness_override and harnesses.canonical(settings.harness_override) is None:
        raise rules.invalid(f"settings.harness_override: unknown harness '{settings.harness_override}'")
    for key in session.labels:
        if not is_portable(key):
            raise rules.invalid(f"label '{key}' belongs to the server and cannot be imported")


def bind(principal: Principal, restoring: Restoring) -> Bindings:
    """Find the agents. Raises 409 that names those this server does not have, 404 for a bad replacement."""
    stands_in = (
        bindable(agent_id=restoring.replacement, user_id=principal.user_id) if restoring.replacement else None
    )
    wanted = [agent for agent in restoring.checked.agents if agent.bundle is None]
    known = _builtin([agent.builtin_id for agent in wanted], [agent.digest for agent in wanted])
    agents: dict[str, Agent] = {}
    notes: list[Missing] = []
    absent: list[AgentLine] = []
    for line in wanted:
        found = known.get(line.builtin_id or "") or known.get((line.name, line.digest))
        if line.builtin_id is None or found is None:
            absent.append(line)
        else:
            agents[line.id] = found
            if found.digest != line.digest:
                notes.append(_note(line, f"{found.public_id} has other content here"))
    if absent and stands_in is None:
        raise _agents_missing(absent)
    for line in absent:
        if stands_in is not None:
            agents[line.id] = stands_in
            notes.append(_note(line, f"{stands_in.public_id} ('{stands_in.name}') stands in for it"))
    return Bindings(agents=agents, notes=[*notes, *_policy_notes(restoring.checked)])


def _policy_notes(checked: Checked) -> list[Missing]:
    """What has to be said of policies that come along and cannot be applied here: they deny."""
    notes: list[Missing] = []
    for batch in checked.policies.batches(ROWS):
        for _, line in batch:
            try:
                check_handler(
                    type=line["type"], handler=line["handler"], factory_params=line["factory_params"]
                )
            except OmnigentError as error:
                reason = f"{UNFIT}: {error.message[:MAX_REASON]}"
                notes.append(Missing(kind="policy", id=line["id"], name=line["name"], reason=reason))
    return notes


def _builtin(ids: Sequence[str | None], digests: Sequence[str]) -> dict[Any, Agent]:
    """The operator's agents by id, and by name and digest."""
    found: dict[Any, Agent] = {}
    if ids:
        rows = Agent.objects.filter(is_builtin=True)
        for agent in rows.filter(digest__in=digests) | rows.filter(public_id__in=[one for one in ids if one]):
            found[agent.public_id] = agent
            found[(agent.name, agent.digest)] = agent
    return found


def _note(line: AgentLine, reason: str) -> Missing:
    return Missing(kind="agent", id=line.id, name=line.name, reason=reason)


def _agents_missing(absent: Sequence[AgentLine]) -> OmnigentError:
    told = ", ".join(f"'{line.name}' ({line.builtin_id or 'without its bundle'})" for line in absent[:20])
    more = f" and {len(absent) - 20} more" if len(absent) > 20 else ""
    message = f"This server does not have the agent {told}{more}; agent_id names one that stands in for it"
    detail = {
        "missing": [
            {
                "kind": "agent",
                "id": line.id,
                "name": line.name,
                "agent_id": line.builtin_id,
                "digest": line.digest,
            }
            for line in absent
        ]
    }
    return OmnigentError(ErrorCode.CONFLICT, message, detail=detail)


def report(checked: Checked, bindings: Bindings, *, is_stored: bool) -> dict[str, Any]:
    """What an import answers; ids are null when nothing was stored."""
    ids = [
        checked.ids.id_of("s", number) if is_stored else None
        for number in range(1, len(checked.sessions) + 1)
    ]
    missing = [*checked.missing, *bindings.notes]
    return {
        "session_id": ids[0],
        "sessions": [
            {"archive_id": session.id, "session_id": public_id}
            for session, public_id in zip(checked.sessions, ids, strict=True)
        ],
        "missing": [one.model_dump() for one in missing],
        "item_count": checked.items.count,
        "file_count": len(checked.files) - len(checked.lost),
    }
