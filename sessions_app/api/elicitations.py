"""Reading a question that waits for a person; the verdict is taken by a consumer."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from sessions_app.api.answers import answered_by_consumer, caller, json_answer
from sessions_app.api.shapes import inputs as shapes
from sessions_app.bodies import Verdict
from sessions_app.models import Elicitation, ElicitationStatus
from sessions_app.services import verdicts
from sessions_app.services.access import Level, require

SHOWN = ("message", "phase", "policy_name", "content_preview")


class ElicitationResource(APIView):
    """One question."""

    @describes(shapes.Question)
    def get(self, request: Request, session_id: str, elicitation_id: str) -> HttpResponse:
        """What is asked while it is open; an unknown one looks resolved."""
        found = require(caller(request), session_id, Level.EDIT)
        asking = verdicts.target(found.pk, elicitation_id)
        rows = Elicitation.objects.filter(session__public_id=asking, status=ElicitationStatus.PENDING)
        question = rows.filter(public_id=elicitation_id).values_list("request", flat=True).first()
        if question is None:
            return json_answer({"status": "resolved"})
        params = question.get("params") or {}
        return json_answer({"status": "pending", **{name: params.get(name) for name in SHOWN}})


class ElicitationVerdict(APIView):
    """The answer to a question."""

    @describes({202: shapes.VerdictTaken}, body=Verdict)
    def post(self, request: Request, session_id: str, elicitation_id: str) -> HttpResponse:
        """Accept, decline or cancel; the first verdict stands."""
        answered_by_consumer()
