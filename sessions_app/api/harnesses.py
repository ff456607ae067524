"""GET /v1/harnesses and GET /v1/skills: what the picker of a new session shows."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from sessions_app.api.answers import answered_by_consumer, caller, json_answer
from sessions_app.api.shapes import agents as shapes
from sessions_app.bodies import SkillQuery
from sessions_app.services import harness_readiness


class Harnesses(APIView):
    """What agents can run on."""

    @describes(shapes.HarnessList)
    def get(self, request: Request) -> HttpResponse:
        """Every harness: what it can do, how to set it up, how it stands on the caller's online hosts."""
        return json_answer(harness_readiness.catalogue_for(caller(request).user_id))


class Skills(APIView):
    """Skills that people may call."""

    @describes(shapes.SkillList, query=SkillQuery, refuses=(404, 410, 502, 503, 504))
    def get(self, request: Request) -> HttpResponse:
        """Those of a session's agent, or those that a session in a directory of a host would find."""
        answered_by_consumer()
