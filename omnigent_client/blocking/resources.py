"""The plain twin of every group of routes. A test finds the methods that are missing here."""

from collections.abc import Callable
from typing import Concatenate, ParamSpec

from omnigent_client.blocking.face import Face, blocking, walking
from omnigent_client.blocking.portal import Portal
from omnigent_client.blocking.streams import SyncStream
from omnigent_client.resources.agents import Agents
from omnigent_client.resources.elicitations import Elicitations
from omnigent_client.resources.files import Files
from omnigent_client.resources.fleet import Hosts, Runners
from omnigent_client.resources.people import Comments, Permissions
from omnigent_client.resources.policies import Policies, SessionPolicies
from omnigent_client.resources.projects import Projects
from omnigent_client.resources.server import Server, UsageReports
from omnigent_client.resources.terminals import Terminals
from omnigent_client.streaming.stream import EventStream
from omnigent_client.turns.sessions import Sessions

P = ParamSpec("P")


def streaming(
    method: Callable[Concatenate[Sessions, P], EventStream],
) -> Callable[Concatenate[Face[Sessions], P], SyncStream]:
    """The method's stream, for plain code."""

    def call(face: Face[Sessions], /, *args: P.args, **kwargs: P.kwargs) -> SyncStream:
        return SyncStream(method(face.target, *args, **kwargs), face.portal)

    call.__doc__ = method.__doc__
    return call


class SyncSessions(Face[Sessions]):
    """/v1/sessions: conversations with agents."""

    list = blocking(Sessions.list)
    iter = walking(Sessions.iter)
    list_all = blocking(Sessions.list_all)
    get = blocking(Sessions.get)
    list_items = blocking(Sessions.list_items)
    iter_items = walking(Sessions.iter_items)
    all_items = blocking(Sessions.all_items)
    child_sessions = blocking(Sessions.child_sessions)
    iter_child_sessions = walking(Sessions.iter_child_sessions)
    labels = blocking(Sessions.labels)
    owner = blocking(Sessions.owner)
    agent = blocking(Sessions.agent)
    agent_contents = blocking(Sessions.agent_contents)
    create_from_agent_id = blocking(Sessions.create_from_agent_id)
    create = blocking(Sessions.create)
    update = blocking(Sessions.update)
    set_title = blocking(Sessions.set_title)
    set_labels = blocking(Sessions.set_labels)
    set_reasoning_effort = blocking(Sessions.set_reasoning_effort)
    set_model_override = blocking(Sessions.set_model_override)
    set_archived = blocking(Sessions.set_archived)
    set_external_session_id = blocking(Sessions.set_external_session_id)
    set_project = blocking(Sessions.set_project)
    bind_runner = blocking(Sessions.bind_runner)
    unbind_runner = blocking(Sessions.unbind_runner)
    delete = blocking(Sessions.delete)
    fork = blocking(Sessions.fork)
    switch_agent = blocking(Sessions.switch_agent)
    set_read_state = blocking(Sessions.set_read_state)
    auto_title = blocking(Sessions.auto_title)
    reset_model_override = blocking(Sessions.reset_model_override)
    export = blocking(Sessions.export)
    import_ = blocking(Sessions.import_)
    post_event = blocking(Sessions.post_event)
    post_events = blocking(Sessions.post_events)
    send_message = blocking(Sessions.send_message)
    interrupt = blocking(Sessions.interrupt)
    compact = blocking(Sessions.compact)
    stop = blocking(Sessions.stop)
    retry = blocking(Sessions.retry)
    slash_command = blocking(Sessions.slash_command)
    send_tool_output = blocking(Sessions.send_tool_output)
    resolve_elicitation = blocking(Sessions.resolve_elicitation)
    post_held = blocking(Sessions.post_held)
    stream = streaming(Sessions.stream)
    send = blocking(Sessions.send)
    ask = blocking(Sessions.ask)
    run_turn = blocking(Sessions.run_turn)


class SyncAgents(Face[Agents]):
    """/v1/agents: the registry."""

    list = blocking(Agents.list)
    iter = walking(Agents.iter)
    list_all = blocking(Agents.list_all)
    get = blocking(Agents.get)
    upload = blocking(Agents.upload)
    delete = blocking(Agents.delete)


class SyncSessionPolicies(Face[SessionPolicies]):
    """/v1/sessions/{id}/policies: what applies to one session."""

    list = blocking(SessionPolicies.list)
    create = blocking(SessionPolicies.create)
    get = blocking(SessionPolicies.get)
    update = blocking(SessionPolicies.update)
    delete = blocking(SessionPolicies.delete)


class SyncPolicies(Face[Policies]):
    """/v1/policies: what applies to every session."""

    def __init__(self, target: Policies, portal: Portal) -> None:
        super().__init__(target, portal)
        self.sessions = SyncSessionPolicies(target.sessions, portal)

    list = blocking(Policies.list)
    create = blocking(Policies.create)
    get = blocking(Policies.get)
    update = blocking(Policies.update)
    delete = blocking(Policies.delete)
    registry = blocking(Policies.registry)


class SyncFiles(Face[Files]):
    """/v1/sessions/{id}/resources/files."""

    upload = blocking(Files.upload)
    list = blocking(Files.list)
    iter = walking(Files.iter)
    list_all = blocking(Files.list_all)
    get = blocking(Files.get)
    content = blocking(Files.content)
    delete = blocking(Files.delete)
    copy = blocking(Files.copy)


class SyncTerminals(Face[Terminals]):
    """/v1/sessions/{id}/resources/terminals."""

    list = blocking(Terminals.list)
    create = blocking(Terminals.create)
    get = blocking(Terminals.get)
    delete = blocking(Terminals.delete)


class SyncElicitations(Face[Elicitations]):
    """What sessions ask, and the answers."""

    list = blocking(Elicitations.list)
    get = blocking(Elicitations.get)
    resolve = blocking(Elicitations.resolve)


class SyncProjects(Face[Projects]):
    """/v1/projects: the caller's own folders."""

    list = blocking(Projects.list)
    in_use = blocking(Projects.in_use)
    create = blocking(Projects.create)
    get = blocking(Projects.get)
    update = blocking(Projects.update)
    delete = blocking(Projects.delete)
    order = blocking(Projects.order)
    set_order = blocking(Projects.set_order)


class SyncPermissions(Face[Permissions]):
    """/v1/sessions/{id}/permissions."""

    list = blocking(Permissions.list)
    grant = blocking(Permissions.grant)
    revoke = blocking(Permissions.revoke)


class SyncComments(Face[Comments]):
    """/v1/sessions/{id}/comments."""

    list = blocking(Comments.list)
    create = blocking(Comments.create)
    update = blocking(Comments.update)
    delete = blocking(Comments.delete)
    send = blocking(Comments.send)


class SyncHosts(Face[Hosts]):
    """/v1/hosts: the caller's machines."""

    list = blocking(Hosts.list)
    get = blocking(Hosts.get)


class SyncRunners(Face[Runners]):
    """/v1/runners: the caller's runners."""

    list = blocking(Runners.list)
    status = blocking(Runners.status)


class SyncUsageReports(Face[UsageReports]):
    """/v1/usage."""

    get = blocking(UsageReports.get)


class SyncServer(Face[Server]):
    """What is not about one session."""

    health = blocking(Server.health)
    info = blocking(Server.info)
    me = blocking(Server.me)
    version = blocking(Server.version)
    sharing = blocking(Server.sharing)
    request = blocking(Server.request)
