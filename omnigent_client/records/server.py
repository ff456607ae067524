"""The server, its hosts and runners, people's rights, projects and usage."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from omnigent_client.decoding import Record


@dataclass(frozen=True, kw_only=True, slots=True)
class Host(Record):
    """A machine that can run agents; `status` is online or offline."""

    host_id: str
    name: str | None = None
    owner: str | None = None
    status: str | None = None
    version: str | None = None
    configured_harnesses: Any = None  # the daemon's own report

    @property
    def is_online(self) -> bool:
        """Whether the server holds a connection to it."""
        return self.status == "online"


@dataclass(frozen=True, kw_only=True, slots=True)
class Runner(Record):
    """A process that runs turns; `error` says how it ended."""

    runner_id: str
    online: bool = False
    harnesses: tuple[str, ...] | None = None
    error: Any = None  # the report of its end, a text or an object


@dataclass(frozen=True, kw_only=True, slots=True)
class Grant(Record):
    """A person's right on a session: 1 read, 2 edit, 3 manage, 4 owner."""

    user_id: str
    level: int
    conversation_id: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Project(Record):
    """A folder for sessions."""

    name: str
    id: str | None = None
    created_at: int | None = None
    updated_at: int | None = None
    config: Mapping[str, Any] | None = None
    icon: str | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ProjectOrder(Record):
    """How the caller's projects are sorted."""

    sort_mode: str | None = None
    ordered_project_ids: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Usage(Record):
    """What the caller's sessions cost, as far as it has a price."""

    cost_today: float | None = None
    cost_last_7d: float | None = None
    cost_last_30d: float | None = None
    total_cost_usd: float | None = None
    daily_costs: Any = None  # the server's own rows
    sessions: tuple[Mapping[str, Any], ...] = ()


@dataclass(frozen=True, kw_only=True, slots=True)
class Me(Record):
    """Who is calling."""

    user_id: str | None = None
    is_admin: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Info(Record):
    """What the server offers; more than these members is in `raw`."""

    server_version: str | None = None
    accounts_enabled: bool | None = None
    single_user: bool | None = None
    login_url: str | None = None
    needs_setup: bool | None = None
    sharing_mode: str | None = None
    features: Mapping[str, Any] | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class Health(Record):
    """`status` is ok; `sessions` has the liveness of the sessions that were asked about, by id."""

    status: str
    sessions: Mapping[str, Mapping[str, Any]] | None = None
