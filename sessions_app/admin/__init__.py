"""Sessions, agents, runners, hosts, approvals for operators. Rows change through the API; here one looks."""

from sessions_app.admin.agents import AgentAdmin
from sessions_app.admin.approvals import ApprovalAdmin
from sessions_app.admin.sessions import SessionAdmin
from sessions_app.admin.tunnels import HostAdmin, LeaseAdmin, RunnerAdmin

__all__ = ["AgentAdmin", "ApprovalAdmin", "HostAdmin", "LeaseAdmin", "RunnerAdmin", "SessionAdmin"]
