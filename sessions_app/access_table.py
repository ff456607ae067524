"""Who may do what, by method and address: every route has a row here, and a view without one answers nobody.

A row says which level a caller needs. Where that is a level on a session, the service behind the route asks
for it, because it reads the session anyway; everything else is asked here, before the view runs.
"""

from collections.abc import Mapping
from types import MappingProxyType

from django.core.exceptions import PermissionDenied
from rest_framework.request import Request

from omnigent.api.permissions import IsIdentified
from sessions_app.access_rows import SAFE, SOCKET, Needs, Row, Who
from sessions_app.session_access import SESSIONS

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
    Row("DELETE", "/v1/hosts/{host_id}", Needs.MINE, foreign=403),
    Row("GET", "/v1/hosts/{host_id}/runners", Needs.MINE, foreign=403),
    Row("POST", "/v1/hosts/{host_id}/runners", Needs.MINE, foreign=403),
    Row("GET", "/v1/hosts/{host_id}/filesystem", Needs.MINE, foreign=403),
    Row("GET", "/v1/hosts/{host_id}/filesystem/{path}", Needs.MINE, foreign=403),
    Row("POST", "/v1/hosts/{host_id}/directories", Needs.MINE, foreign=403),
    Row("GET", "/v1/hosts/{host_id}/worktrees", Needs.MINE, foreign=403),
    Row("POST", "/v1/hosts/{host_id}/harnesses/refresh", Needs.MINE, foreign=403),
    Row("GET", "/v1/hosts/{host_id}/harnesses/{harness}/model-options", Needs.MINE, foreign=403),
    Row("GET", "/v1/runners", Needs.NAME, runner=True, host=True),
    Row("GET", "/v1/runners/{runner_id}/status", Needs.NAME, runner=True, host=True),
    Row("POST", "/v1/runners/{runner_id}/token", Needs.BINDING, runner=True),
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
