"""What is answered in front of Django: streams, tunnels, and writes that wait for a tunnel or a person."""

import re
from dataclasses import dataclass

from omnigent.api.asgi import Application, Scope
from omnigent.outbound import SystemResolver
from sessions_app.consumers import (
    agents,
    decisions,
    environments,
    events,
    files,
    gate,
    hosts,
    inventory,
    portable,
    sessions,
    simulating,
    skills,
    terminals,
)
from sessions_app.consumers.host import HostTunnel
from sessions_app.consumers.internal import InternalChannelConsumer, InternalConsumer
from sessions_app.consumers.runner import RunnerTunnel
from sessions_app.consumers.stream import StreamConsumer
from sessions_app.consumers.updates import UpdatesConsumer
from sessions_app.files.workshop import Workshop
from sessions_app.views import creating

SOCKET = "WS"
SESSION = r"/v1/sessions/(?P<session_id>[^/]+)"
AGENT = r"/v1/agents/(?P<agent_id>[^/]+)"
HOST = r"/v1/hosts/(?P<host_id>[^/]+)"
MCP_SERVERS = rf"{SESSION}/agent/mcp-servers"
MCP_SERVER = rf"{MCP_SERVERS}/(?P<name>[^/]+)"
RESOURCES = f"{SESSION}/resources"
ENVIRONMENTS = f"{RESOURCES}/environments"
ENVIRONMENT = rf"{ENVIRONMENTS}/(?P<environment_id>[^/]+)"
# Names of files may hold anything but NUL.
BELOW = r"/(?P<path>[\s\S]*)"
OF_RUNNER = r"(?P<resource_id>default|env_[^/]+|terminal_[^/]+)"
TERMINALS = f"{RESOURCES}/terminals"
TERMINAL = rf"{TERMINALS}/(?P<terminal_id>[^/]+)"
RESOLVER = SystemResolver(threads=2)


@dataclass(frozen=True, slots=True)
class Route:
    """One address: the method (`WS` for WebSockets), the whole path, and who answers."""

    method: str
    path: re.Pattern[str]
    application: Application


def route(method: str, path: str, application: Application) -> Route:
    """A row of the table."""
    return Route(method, re.compile(path), application)


ROUTES = (
    route("GET", f"{SESSION}/stream", StreamConsumer.as_asgi()),
    route("POST", f"{SESSION}/events", events.PostEventConsumer.as_asgi()),
    route("POST", f"{SESSION}/mcp", gate.McpConsumer.as_asgi()),
    route("POST", f"{SESSION}/policies/evaluate", gate.EvaluateConsumer.as_asgi()),
    route(
        "POST",
        f"{SESSION}/elicitations/(?P<elicitation_id>[^/]+)/resolve",
        events.ResolveConsumer.as_asgi(),
    ),
    route(
        "POST", f"{SESSION}/resources/files", files.UploadFileConsumer.as_asgi(workshop=Workshop(places=2))
    ),
    route("GET", RESOURCES, inventory.ListResourcesConsumer.as_asgi()),
    route("GET", ENVIRONMENTS, environments.ListEnvironmentsConsumer.as_asgi()),
    route("GET", ENVIRONMENT, environments.GetEnvironmentConsumer.as_asgi()),
    route("GET", f"{ENVIRONMENT}/filesystem", environments.ReadFilesConsumer.as_asgi()),
    route("GET", f"{ENVIRONMENT}/filesystem{BELOW}", environments.ReadFilesConsumer.as_asgi()),
    route("PUT", f"{ENVIRONMENT}/filesystem{BELOW}", environments.WriteFileConsumer.as_asgi()),
    route("PATCH", f"{ENVIRONMENT}/filesystem{BELOW}", environments.EditFileConsumer.as_asgi()),
    route("DELETE", f"{ENVIRONMENT}/filesystem{BELOW}", environments.DeleteFileConsumer.as_asgi()),
    route("GET", f"{ENVIRONMENT}/search", environments.SearchFilesConsumer.as_asgi()),
    route("GET", f"{ENVIRONMENT}/search{BELOW}", environments.SearchFilesConsumer.as_asgi()),
    route("GET", f"{ENVIRONMENT}/changes", environments.ListChangesConsumer.as_asgi()),
    route("GET", f"{ENVIRONMENT}/diff{BELOW}", environments.DiffConsumer.as_asgi()),
    route("POST", f"{ENVIRONMENT}/shell", environments.ShellConsumer.as_asgi()),
    route("GET", TERMINALS, terminals.ListTerminalsConsumer.as_asgi()),
    route("POST", TERMINALS, terminals.CreateTerminalConsumer.as_asgi()),
    route("GET", TERMINAL, terminals.GetTerminalConsumer.as_asgi()),
    route("DELETE", TERMINAL, terminals.DeleteTerminalConsumer.as_asgi()),
    route(SOCKET, f"{TERMINAL}/attach", terminals.AttachConsumer.as_asgi()),
    # What the runner has; files are Django's.
    route("GET", f"{RESOURCES}/{OF_RUNNER}", inventory.GetResourceConsumer.as_asgi()),
    route("POST", "/new", creating.NewSession.as_asgi()),
    route("POST", "/v1/sessions", sessions.CreateSessionConsumer.as_asgi()),
    route("GET", f"{SESSION}/export", portable.ExportConsumer.as_asgi(workshop=Workshop(places=2))),
    route("POST", "/v1/sessions/import", portable.ImportConsumer.as_asgi(workshop=Workshop(places=2))),
    route("POST", f"{SESSION}/fork", sessions.ForkSessionConsumer.as_asgi()),
    route("PATCH", SESSION, sessions.UpdateSessionConsumer.as_asgi()),
    route("DELETE", SESSION, sessions.DeleteSessionConsumer.as_asgi()),
    route("POST", f"{HOST}/runners", hosts.LaunchRunnerConsumer.as_asgi()),
    route("GET", f"{HOST}/filesystem", hosts.ListDirectoryConsumer.as_asgi()),
    route("GET", rf"{HOST}/filesystem/(?P<path>[\s\S]*)", hosts.ListDirectoryConsumer.as_asgi()),
    route("POST", f"{HOST}/directories", hosts.CreateDirectoryConsumer.as_asgi()),
    route("GET", f"{HOST}/worktrees", hosts.ListWorktreesConsumer.as_asgi()),
    route("POST", f"{HOST}/harnesses/refresh", hosts.RefreshHarnessesConsumer.as_asgi()),
    route("GET", f"{HOST}/harnesses/(?P<harness>[^/]+)/model-options", hosts.ModelOptionsConsumer.as_asgi()),
    route("GET", "/v1/skills", skills.SkillsConsumer.as_asgi()),
    route("POST", "/v1/agents", agents.PostAgentConsumer.as_asgi()),
    route("PATCH", AGENT, agents.PatchAgentConsumer.as_asgi(resolver=RESOLVER)),
    route("DELETE", AGENT, agents.DeleteAgentConsumer.as_asgi()),
    route("PUT", f"{SESSION}/agent", agents.PutSessionAgentConsumer.as_asgi()),
    route("POST", MCP_SERVERS, agents.AddMcpServerConsumer.as_asgi(resolver=RESOLVER)),
    route("PUT", MCP_SERVER, agents.ChangeMcpServerConsumer.as_asgi(resolver=RESOLVER)),
    route("DELETE", MCP_SERVER, agents.RemoveMcpServerConsumer.as_asgi(resolver=RESOLVER)),
    route("GET", "/v1/policy-decisions", decisions.DecisionsConsumer.as_asgi()),
    route("POST", "/v1/policy-simulations", simulating.SimulationConsumer.as_asgi()),
    route("POST", "/v1/policy-backtests", simulating.BacktestConsumer.as_asgi()),
    route(SOCKET, r"/v1/sessions/updates", UpdatesConsumer.as_asgi()),
    route(SOCKET, r"/v1/runners/(?P<name>[^/]+)/tunnel", RunnerTunnel.as_asgi()),
    route(SOCKET, r"/v1/hosts/(?P<name>[^/]+)/tunnel", HostTunnel.as_asgi()),
    route("POST", r"/internal/tunnels/(?P<kind>runner|host)/(?P<name>[^/]+)", InternalConsumer.as_asgi()),
    route(SOCKET, r"/internal/tunnels/runner/(?P<name>[^/]+)/channels", InternalChannelConsumer.as_asgi()),
)


def consumer_for(scope: Scope) -> Application | None:
    """Who answers this connection; its captured names are then in the scope. None leaves it to Django."""
    method = SOCKET if scope["type"] == "websocket" else scope["method"]
    path = scope["path"]
    for candidate in ROUTES:
        if candidate.method == method and (match := candidate.path.fullmatch(path)):
            scope["url_route"] = {"args": (), "kwargs": match.groupdict()}
            return candidate.application
    return None
