"""Who may do what, by method and address: every route has a row here, and a view without one answers nobody.

A row says which level a caller needs. Where that is a level on a session, the service behind the route asks
for it, because it reads the session anyway; everything else is asked here, before the view runs.
"""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request

from omnigent.api.permissions import IsIdentified

SOCKET = "WS"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Needs(StrEnum):
    """What a caller must be, or hold on the session that the address names."""

    NOTHING = "nothing"
    NAME = "name"
    READ = "read"
    EDIT = "edit"
    MANAGE = "manage"
    OWN = "own"
    ADMIN = "admin"
    AUDIT = "audit"
    MINE = "mine"
    BINDING = "binding"
    SIGNATURE = "signature"


class Who(StrEnum):
    """The kinds of callers that the table speaks of."""

    ANONYMOUS = "anonymous"
    STRANGER = "stranger"
    READER = "reader"
    EDITOR = "editor"
    MANAGER = "manager"
    OWNER = "owner"
    ADMIN = "admin"
    AUDITOR = "auditor"
    RUNNER = "runner"
    HOST = "host"


class Row(NamedTuple):
    """One method of one address. `runner` and `host`: whether the credentials of these may be used for it;
    `auditor`: whether somebody who may only read may do it although it writes. `foreign`: what callers are
    told of a thing that is somebody else's.
    """

    method: str
    address: str
    needs: Needs
    runner: bool = False
    host: bool = False
    auditor: bool = False
    foreign: int = 404


def of_session(method: str, address: str, needs: Needs) -> Row:
    """A route below a session, which its runner may use as far as an editor."""
    return Row(method, f"/v1/sessions/{{session_id}}{address}", needs, runner=True)


OPEN = tuple(
    Row(method, address, Needs.NOTHING, runner=True, host=True, auditor=True)
    for method, address in (
        ("GET", "/health"),
        ("GET", "/api/version"),
        ("GET", "/v1/info"),
        ("GET", "/v1/me"),
        ("GET", "/.well-known/omnigent.json"),
        ("POST", "/v1/login"),
        ("POST", "/v1/logout"),
        ("POST", "/v1/setup"),
        ("POST", "/v1/invitations/accept"),
        ("POST", "/v1/device/code"),
        ("POST", "/v1/device/token"),
    )
)
ACCOUNTS = (
    Row("PUT", "/v1/password", Needs.NAME, auditor=True),
    Row("GET", "/v1/tokens", Needs.NAME),
    Row("POST", "/v1/tokens", Needs.NAME, auditor=True),
    Row("DELETE", "/v1/tokens/{token_id}", Needs.MINE, auditor=True),
    Row("GET", "/v1/users", Needs.ADMIN),
    Row("PATCH", "/v1/users/{user_id}", Needs.ADMIN),
    Row("GET", "/v1/invitations", Needs.ADMIN),
    Row("POST", "/v1/invitations", Needs.ADMIN),
    Row("DELETE", "/v1/invitations/{invitation_id}", Needs.ADMIN),
)
OWN_THINGS = (
    Row("GET", "/v1/sessions", Needs.NAME, runner=True),
    Row("POST", "/v1/sessions", Needs.NAME, runner=True),
    Row("POST", "/v1/sessions/import", Needs.NAME),
    Row("GET", "/v1/sessions/projects", Needs.NAME),
    Row("GET", "/v1/usage", Needs.NAME),
    Row("GET", "/v1/sharing", Needs.NAME),
    Row("PUT", "/v1/sharing", Needs.ADMIN),
    Row("GET", "/v1/policies", Needs.NAME, runner=True),
    Row("POST", "/v1/policies", Needs.ADMIN),
    Row("GET", "/v1/policies/{policy_id}", Needs.NAME, runner=True),
    Row("PATCH", "/v1/policies/{policy_id}", Needs.ADMIN),
    Row("DELETE", "/v1/policies/{policy_id}", Needs.ADMIN),
    Row("GET", "/v1/policy-registry", Needs.NAME, runner=True),
    Row("GET", "/v1/policy-decisions", Needs.AUDIT),
    Row("GET", "/v1/policies/{policy_id}/shadow", Needs.AUDIT),
    Row("POST", "/v1/policy-simulations", Needs.ADMIN),
    Row("POST", "/v1/policy-backtests", Needs.ADMIN),
    Row("GET", "/v1/kill-switches", Needs.ADMIN),
    Row("POST", "/v1/kill-switches", Needs.ADMIN),
    Row("DELETE", "/v1/kill-switches/{kill_switch_id}", Needs.ADMIN),
    Row("GET", "/v1/projects", Needs.NAME),
    Row("POST", "/v1/projects", Needs.NAME),
    Row("GET", "/v1/projects/order", Needs.NAME),
    Row("PUT", "/v1/projects/order", Needs.NAME),
    Row("GET", "/v1/projects/{project_id}", Needs.MINE),
    Row("PATCH", "/v1/projects/{project_id}", Needs.MINE),
    Row("DELETE", "/v1/projects/{project_id}", Needs.MINE),
    Row("GET", "/v1/agents", Needs.NAME, runner=True),
    Row("POST", "/v1/agents", Needs.NAME),
    Row("GET", "/v1/agents/{agent_id}", Needs.NAME, runner=True),
    Row("PATCH", "/v1/agents/{agent_id}", Needs.MINE),
    Row("DELETE", "/v1/agents/{agent_id}", Needs.MINE),
    Row("GET", "/v1/agents/{agent_id}/config", Needs.NAME, runner=True),
    Row("GET", "/v1/harnesses", Needs.NAME),
    Row("GET", "/v1/skills", Needs.NAME, runner=True),
    Row("GET", "/v1/hosts", Needs.NAME, runner=True, host=True),
    Row("GET", "/v1/hosts/{host_id}", Needs.MINE, runner=True, host=True),
    Row("GET", "/v1/runners", Needs.NAME, runner=True, host=True),
    Row("GET", "/v1/runners/{runner_id}/status", Needs.NAME, runner=True, host=True),
    Row("POST", "/v1/runners/{runner_id}/token", Needs.BINDING, runner=True),
)
SESSIONS = (
    of_session("GET", "", Needs.READ),
    of_session("PATCH", "", Needs.EDIT),
    Row("DELETE", "/v1/sessions/{session_id}", Needs.OWN),
    of_session("GET", "/items", Needs.READ),
    of_session("POST", "/events", Needs.EDIT),
    of_session("GET", "/stream", Needs.READ),
    of_session("GET", "/labels", Needs.READ),
    of_session("GET", "/owner", Needs.READ),
    Row("GET", "/v1/sessions/{session_id}/permissions", Needs.MANAGE),
    # Its runner may give what the agent's specification lets it share: services.permissions.
    of_session("PUT", "/permissions", Needs.MANAGE),
    Row("DELETE", "/v1/sessions/{session_id}/permissions/{user_id}", Needs.MANAGE),
    Row("PUT", "/v1/sessions/{session_id}/read-state", Needs.READ),
    of_session("POST", "/auto-title", Needs.EDIT),
    of_session("POST", "/agent-title", Needs.EDIT),
    of_session("POST", "/model-override/reset", Needs.EDIT),
    of_session("GET", "/comments", Needs.READ),
    of_session("POST", "/comments", Needs.EDIT),
    of_session("PATCH", "/comments/{comment_id}", Needs.EDIT),
    of_session("DELETE", "/comments/{comment_id}", Needs.EDIT),
    of_session("POST", "/comments/send", Needs.EDIT),
    of_session("GET", "/child_sessions", Needs.READ),
    of_session("GET", "/agent", Needs.READ),
    Row("PUT", "/v1/sessions/{session_id}/agent", Needs.OWN),
    of_session("GET", "/agent/contents", Needs.READ),
    of_session("GET", "/agent/mcp-servers", Needs.READ),
    Row("POST", "/v1/sessions/{session_id}/agent/mcp-servers", Needs.OWN),
    Row("PUT", "/v1/sessions/{session_id}/agent/mcp-servers/{name}", Needs.OWN),
    Row("DELETE", "/v1/sessions/{session_id}/agent/mcp-servers/{name}", Needs.OWN),
    of_session("GET", "/export", Needs.READ),
    Row("POST", "/v1/sessions/{session_id}/fork", Needs.READ),
    of_session("POST", "/switch-agent", Needs.EDIT),
    of_session("GET", "/resources", Needs.READ),
    of_session("GET", "/resources/{resource_id}", Needs.READ),
    of_session("GET", "/resources/files", Needs.READ),
    of_session("POST", "/resources/files", Needs.EDIT),
    of_session("POST", "/resources/files:copy", Needs.EDIT),
    of_session("GET", "/resources/files/{file_id}", Needs.READ),
    of_session("DELETE", "/resources/files/{file_id}", Needs.EDIT),
    of_session("GET", "/resources/files/{file_id}/content", Needs.READ),
    of_session("GET", "/resources/terminals", Needs.READ),
    of_session("POST", "/resources/terminals", Needs.EDIT),
    of_session("GET", "/resources/terminals/{terminal_id}", Needs.READ),
    of_session("DELETE", "/resources/terminals/{terminal_id}", Needs.EDIT),
    of_session("GET", "/resources/terminals/{terminal_id}/attach", Needs.READ),
    of_session("POST", "/mcp", Needs.EDIT),
    of_session("POST", "/policies/evaluate", Needs.READ),
    of_session("GET", "/policies", Needs.READ),
    of_session("POST", "/policies", Needs.EDIT),
    of_session("GET", "/policies/effective", Needs.READ),
    of_session("GET", "/policies/{policy_id}", Needs.READ),
    Row("PATCH", "/v1/sessions/{session_id}/policies/{policy_id}", Needs.EDIT),
    Row("DELETE", "/v1/sessions/{session_id}/policies/{policy_id}", Needs.EDIT),
    of_session("GET", "/elicitations/{elicitation_id}", Needs.EDIT),
    Row("POST", "/v1/sessions/{session_id}/elicitations/{elicitation_id}/resolve", Needs.OWN),
)
SOCKETS = (
    Row(SOCKET, "/v1/sessions/updates", Needs.NAME, runner=False),
    # With `read_only` whoever may read may look on.
    Row(SOCKET, "/v1/sessions/{session_id}/resources/terminals/{terminal_id}/attach", Needs.OWN),
    Row(SOCKET, "/v1/runners/{name}/tunnel", Needs.BINDING, runner=True, host=True),
    Row(SOCKET, "/v1/hosts/{name}/tunnel", Needs.MINE, host=True, foreign=409),
)
BETWEEN_REPLICAS = (
    Row("POST", "/internal/tunnels/{kind}/{name}", Needs.SIGNATURE),
    Row(SOCKET, "/internal/tunnels/runner/{name}/channels", Needs.SIGNATURE),
)
TABLE: Mapping[tuple[str, str], Row] = MappingProxyType(
    {
        (row.method, row.address): row
        for row in (*OPEN, *ACCOUNTS, *OWN_THINGS, *SESSIONS, *SOCKETS, *BETWEEN_REPLICAS)
    }
)
"""Every route of the API, by method and address. Pages show what these allow, and are asked the same way."""

HELD: Mapping[Who, Needs] = MappingProxyType(
    {
        Who.READER: Needs.READ,
        Who.AUDITOR: Needs.READ,
        Who.EDITOR: Needs.EDIT,
        Who.RUNNER: Needs.EDIT,
        Who.MANAGER: Needs.MANAGE,
        Who.OWNER: Needs.OWN,
        Who.ADMIN: Needs.OWN,
    }
)
LADDER = (Needs.READ, Needs.EDIT, Needs.MANAGE, Needs.OWN)


def refusal(row: Row, who: Who) -> int | None:
    """The status that turns this caller away; None for somebody who is let in.

    The owner is whom the things that an address names belong to; runner and host are the owner's.
    """
    if row.needs is Needs.NOTHING:
        return None
    if row.needs is Needs.SIGNATURE:
        return 404
    if who is Who.ANONYMOUS:
        return 401
    return 403 if is_shut_out(row, who) else held_back(row, who)


def is_shut_out(row: Row, who: Who) -> bool:
    """Whether the caller's credential is not good for this address at all, whatever it names."""
    match who:
        case Who.RUNNER:
            return not row.runner
        case Who.HOST:
            return not row.host
        case Who.AUDITOR:
            is_read = row.method in SAFE or row.address == "/v1/sessions/updates"
            return not (is_read or row.auditor)
        case _:
            return False


def held_back(row: Row, who: Who) -> int | None:
    """What a caller gets whose credential is good for the address."""
    match row.needs:
        case Needs.NAME:
            return None
        case Needs.ADMIN:
            return None if who is Who.ADMIN else 403
        case Needs.AUDIT:
            return None if who in (Who.ADMIN, Who.AUDITOR) else 403
        case Needs.MINE:
            return None if who in (Who.OWNER, Who.RUNNER, Who.HOST) else row.foreign
        case Needs.BINDING:
            return None if who is Who.RUNNER else 403
        case needed:
            held = HELD.get(who)
            if held is None:
                return 404
            return None if LADDER.index(held) >= LADDER.index(needed) else 403


class HasRow(IsIdentified):
    """DRF's default: the route has a row, and the caller is what it says, a session's level aside."""

    def has_permission(self, request: Request, view: object) -> bool:
        if not super().has_permission(request, view):  # type: ignore[arg-type]  # any view
            return False
        match = request.resolver_match
        if match is None:
            # Called without the router, by a test of the view alone.
            return True
        method = "GET" if request.method in SAFE else str(request.method)
        row = TABLE.get((method, address_of(match.route)))
        if row is None and hasattr(view, method.lower()):
            raise PermissionDenied("Nobody may use this route")
        return row is None or row.needs is not Needs.ADMIN or bool(getattr(request.user, "is_admin", False))


def address_of(route: str) -> str:
    """A route of the URLconf as the table has it: `v1/agents/<str:agent_id>` is `/v1/agents/{agent_id}`."""
    parts = route.split("<")
    named = [f"{{{part.partition('>')[0].rpartition(':')[2]}}}{part.partition('>')[2]}" for part in parts[1:]]
    return "/" + parts[0] + "".join(named)
