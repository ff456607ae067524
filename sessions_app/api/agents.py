"""The agent of a session, and its bundle for the runner."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from agents_app.models import Agent
from agents_app.services import OBJECT_COLUMNS, agent_object, contents
from agents_app.shapes import AgentShape
from omnigent.api.schema.describing import describes
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.api.answers import NO_STORE, caller, json_answer
from sessions_app.models import Session
from sessions_app.services.access import Level, require


class SessionAgent(APIView):
    """What a session runs."""

    @describes(AgentShape, refuses=(410,))
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """The agent object."""
        agent_pk = _agent_pk(request, session_id)
        return json_answer(agent_object(Agent.objects.values_list(*OBJECT_COLUMNS).get(pk=agent_pk)))


class SessionAgentContents(APIView):
    """The bundle that a runner loads."""

    @describes({"type": "string", "format": "binary"}, refuses=(410,), media="application/gzip")
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """The bundle as tar.gz. `X-Agent-Session-Scoped: true` forbids to expand variables in it."""
        found = contents(Agent.objects.get(pk=_agent_pk(request, session_id)))
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


def _agent_pk(request: Request, session_id: str) -> int:
    found = require(caller(request), session_id, Level.READ)
    agent_pk: int | None = Session.objects.filter(pk=found.pk).values_list("agent_id", flat=True).first()
    if agent_pk is None:
        raise OmnigentError(ErrorCode.SESSION_AGENT_MISSING, "The session's agent no longer exists")
    return agent_pk
