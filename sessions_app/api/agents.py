"""The agent of a session, its bundle for the runner, and its MCP servers."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from agents_app.api import UPLOAD
from agents_app.bodies import McpServerBody
from agents_app.models import Agent
from agents_app.services import OBJECT_COLUMNS, agent_object, contents
from agents_app.shapes import AgentShape, McpServerList, McpServerShape
from omnigent.api.schema.describing import describes
from sessions_app.api.answers import NO_STORE, answered_by_consumer, caller, json_answer
from sessions_app.models import Session
from sessions_app.services import access
from sessions_app.services.access import Level
from sessions_app.services.messages import require_agent


class SessionAgent(APIView):
    """What a session runs."""

    @describes(AgentShape, refuses=(410,))
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """The agent object."""
        agent = agent_of(request, session_id)
        return json_answer(agent_object(tuple(getattr(agent, name) for name in OBJECT_COLUMNS)))

    @describes(AgentShape, body=UPLOAD, refuses=(409, 410, 413, 415))
    def put(self, request: Request, session_id: str) -> HttpResponse:
        """Give one's own agent the content of an uploaded bundle; the same content changes nothing."""
        answered_by_consumer()


class SessionAgentContents(APIView):
    """The bundle that a runner loads."""

    @describes({"type": "string", "format": "binary"}, refuses=(410,), media="application/gzip")
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """The bundle as tar.gz. `X-Agent-Session-Scoped: true` forbids to expand variables in it."""
        found = contents(agent_of(request, session_id))
        return HttpResponse(
            found.data,
            content_type="application/gzip",
            headers={
                **NO_STORE,
                "X-Agent-Id": found.agent_id,
                "X-Agent-Version": str(found.version),
                "X-Agent-Name": found.name,
                "X-Agent-Session-Scoped": "false" if found.is_builtin else "true",
            },
        )


class McpServers(APIView):
    """The MCP servers of a session's agent."""

    @describes(McpServerList, refuses=(410,))
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """All of them; header values are not shown."""
        rows = agent_of(request, session_id).details.get("mcp_servers", [])
        return json_answer({"object": "list", "data": rows})

    @describes({201: McpServerShape}, body=McpServerBody, refuses=(409, 410, 415))
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Add one to one's own agent. On a server with many users only http servers at public addresses."""
        answered_by_consumer()


class McpServer(APIView):
    """One MCP server of a session's agent."""

    @describes(McpServerShape, body=McpServerBody, refuses=(404, 409, 410, 415))
    def put(self, request: Request, session_id: str, name: str) -> HttpResponse:
        """Change or rename it; what the body does not know of stays."""
        answered_by_consumer()

    @describes({204: None}, refuses=(404, 409, 410, 422))
    def delete(self, request: Request, session_id: str, name: str) -> HttpResponse:
        """Take it away."""
        answered_by_consumer()


def agent_of(request: Request, session_id: str) -> Agent:
    """The agent of a session that the caller may read. Raises SESSION_AGENT_MISSING."""
    found = access.require(caller(request), session_id, Level.READ)
    session = Session.objects.select_related("agent").filter(pk=found.pk).first()
    if session is None:
        raise access.not_found()
    require_agent(session)
    agent: Agent = session.agent
    return agent
