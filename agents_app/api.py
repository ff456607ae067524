"""/v1/agents. Reads are answered here; writes concern sessions too, and a consumer above answers them."""

from typing import NoReturn, cast

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from agents_app.bodies import AgentChanges
from agents_app.configs import config_object
from agents_app.models import Agent, AgentQuerySet
from agents_app.queries import AgentQuery, DeleteAgent
from agents_app.services import OBJECT_COLUMNS, agent_object, spec_of
from agents_app.shapes import AgentConfigShape, AgentPage, AgentShape, DeletedAgent, OwnAgentShape
from omnigent.accounts.identity import Principal
from omnigent.api.pagination import Keyset, cut, envelope
from omnigent.api.schema.describing import MULTIPART, describes
from omnigent.api.validation import parse_query
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import AGENT, canonical

ORDER = Keyset(id_column="public_id", columns=("created_at", "id"))
UPLOAD = {
    MULTIPART: {
        "type": "object",
        "properties": {"bundle": {"type": "string", "format": "binary"}},
        "required": ["bundle"],
    }
}
IF_MATCH = OpenApiParameter(
    "If-Match",
    {"type": "string"},
    OpenApiParameter.HEADER,
    required=True,
    description="The ETag of the configuration that is to be changed.",
)


class Agents(APIView):
    """The registry of agents that sessions may be bound to."""

    @describes(AgentPage, query=AgentQuery)
    def get(self, request: Request) -> Response:
        """The operator's agents, newest first; with `scope=user` the caller's own."""
        query = parse_query(AgentQuery, request.META["QUERY_STRING"])
        page = query.wanted()
        if query.scope == "user":
            listed = Agent.objects.reusable_of(_caller(request).user_id)
        else:
            listed = Agent.objects.builtin()
        rows = ORDER.apply(listed, page, ORDER.positions(listed, page)).values_list(*OBJECT_COLUMNS)
        shown, has_more = cut(list(rows), page)
        return Response(
            envelope([agent_object(row) for row in shown], [row[0] for row in shown], has_more=has_more)
        )

    @describes(AgentShape, body=UPLOAD, refuses=(413, 415))
    def post(self, request: Request) -> Response:
        """Upload an agent to keep, as the `bundle` part: a new one, or a new version of the one so named."""
        _answered_above()


class OneAgent(APIView):
    """One agent."""

    @describes(OwnAgentShape, refuses=(404,))
    def get(self, request: Request, agent_id: str) -> Response:
        """One agent: an operator's, or the caller's own."""
        row = _readable(request, agent_id).values_list(*OBJECT_COLUMNS).first()
        if row is None:
            raise not_found(agent_id)
        shown = agent_object(row)
        return Response({**shown, "user_owned": not shown["builtin"]})

    @describes(
        AgentConfigShape, body=AgentChanges, headers=[IF_MATCH], refuses=(404, 409, 410, 412, 415, 428)
    )
    def patch(self, request: Request, agent_id: str) -> Response:
        """Change one's own agent, as long as it still is what `If-Match` names."""
        _answered_above()

    @describes(DeletedAgent, query=DeleteAgent, refuses=(404, 409))
    def delete(self, request: Request, agent_id: str) -> Response:
        """Delete one's own agent; 409 with the sessions that are bound to it, unless `force`."""
        _answered_above()


class AgentConfig(APIView):
    """What may be changed of an agent."""

    @describes(AgentConfigShape, refuses=(404, 410))
    def get(self, request: Request, agent_id: str) -> HttpResponse:
        """The agent's words, model, harness and MCP servers, with an ETag."""
        agent = _readable(request, agent_id).first()
        if agent is None:
            raise not_found(agent_id)
        shown = config_object(agent, spec_of(agent))
        return Response(shown, headers={"ETag": shown["etag"], "Cache-Control": "no-store"})


def not_found(agent_id: str) -> OmnigentError:
    """The answer for an agent that is missing, and for somebody else's."""
    return OmnigentError(ErrorCode.NOT_FOUND, f"Agent not found: '{agent_id}'")


def _readable(request: Request, agent_id: str) -> AgentQuerySet:
    return Agent.objects.readable_by(_caller(request).user_id).filter(public_id=canonical(AGENT, agent_id))


def _caller(request: Request) -> Principal:
    return cast(Principal, request.user)


def _answered_above() -> NoReturn:
    raise OmnigentError(
        ErrorCode.INTERNAL_ERROR, "This route is served by the ASGI application only", status=501
    )
