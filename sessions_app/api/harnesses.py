"""GET /v1/harnesses and GET /v1/skills: what the picker of a new session shows."""

from typing import Any

from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import ValidationFailed, parse_query, problem
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import canonical_host
from sessions_app import fleet_rows
from sessions_app.api.agents import agent_of
from sessions_app.api.answers import caller, json_answer
from sessions_app.api.shapes import agents as shapes
from sessions_app.services import harness_readiness


class SkillQuery(BaseModel):
    """Of which session, or of which host's directory, the skills are asked."""

    model_config = ConfigDict(extra="ignore")

    session_id: str | None = None
    host_id: str | None = None
    harness: str | None = None
    path: str | None = None


class Harnesses(APIView):
    """What agents can run on."""

    @describes(shapes.HarnessList)
    def get(self, request: Request) -> HttpResponse:
        """Every harness: what it can do, how to set it up, how it stands on the caller's online hosts."""
        return json_answer(harness_readiness.catalogue_for(caller(request).user_id))


class Skills(APIView):
    """Skills that people may call."""

    @describes(shapes.SkillList, query=SkillQuery, refuses=(404, 410, 503))
    def get(self, request: Request) -> HttpResponse:
        """Those of the agent that a session runs."""
        query = parse_query(SkillQuery, request.META["QUERY_STRING"])
        if query.session_id:
            agent = agent_of(request, query.session_id)
            return json_answer(skill_list(agent.details.get("skills", [])))
        if not query.host_id:
            raise ValidationFailed([problem("missing", ("query", "session_id"), "Field required")])
        host = fleet_rows.host(caller(request).user_id, canonical_host(query.host_id) or "")
        if host is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, "Host not found")
        if host["status"] != "online":
            raise OmnigentError(ErrorCode.HOST_OFFLINE, "The host is offline")
        raise OmnigentError(ErrorCode.INVALID_INPUT, "Hosts cannot be asked for skills; name a session")


def skill_list(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """The answer for these skills."""
    return {"object": "list", "data": rows}
