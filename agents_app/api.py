"""GET /v1/agents and /v1/agents/{id}."""

from typing import cast

from django.db.models import Q
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.viewsets import ViewSet

from agents_app.models import Agent
from agents_app.services import OBJECT_COLUMNS, agent_object
from agents_app.shapes import AgentPage, OwnAgentShape
from omnigent.accounts.identity import Principal
from omnigent.api.pagination import Keyset, PageQuery, cut, envelope
from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse_query
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import AGENT, canonical

ORDER = Keyset(id_column="public_id", columns=("created_at", "id"))


class AgentViewSet(ViewSet):
    """The registry of the operator's agents."""

    @describes(AgentPage, query=PageQuery)
    def list(self, request: Request) -> Response:
        """Agents that any session may be bound to, newest first."""
        page = parse_query(PageQuery, request.META["QUERY_STRING"]).page(AGENT)
        listed = Agent.objects.filter(is_builtin=True)
        rows = ORDER.apply(listed, page, ORDER.positions(listed, page)).values_list(*OBJECT_COLUMNS)
        shown, has_more = cut(list(rows), page)
        return Response(
            envelope([agent_object(row) for row in shown], [row[0] for row in shown], has_more=has_more)
        )

    @describes(OwnAgentShape)
    def retrieve(self, request: Request, agent_id: str) -> Response:
        """One agent: an operator's, or the caller's own."""
        caller = cast(Principal, request.user)
        readable = Agent.objects.filter(Q(is_builtin=True) | Q(created_by=caller.user_id))
        row = readable.filter(public_id=canonical(AGENT, agent_id)).values_list(*OBJECT_COLUMNS).first()
        if row is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, f"Agent not found: '{agent_id}'")
        shown = agent_object(row)
        return Response({**shown, "user_owned": not shown["builtin"]})
