"""Reading a question that waits for a person; the verdict is taken by a consumer."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from sessions_app.api.answers import answered_by_consumer, caller, json_answer
from sessions_app.models import Elicitation, ElicitationStatus
from sessions_app.services.access import Level, require

SHOWN = ("message", "phase", "policy_name", "content_preview")


class ElicitationResource(APIView):
    """One question."""

    def get(self, request: Request, session_id: str, elicitation_id: str) -> HttpResponse:
        """What is asked while it is open; an unknown one looks resolved."""
        found = require(caller(request), session_id, Level.EDIT)
        rows = Elicitation.objects.filter(session=found.pk, status=ElicitationStatus.PENDING)
        question = rows.filter(public_id=elicitation_id).values_list("request", flat=True).first()
        if question is None:
            return json_answer({"status": "resolved"})
        params = question.get("params") or {}
        return json_answer({"status": "pending", **{name: params.get(name) for name in SHOWN}})


class ElicitationVerdict(APIView):
    """The answer to a question."""

    def post(self, request: Request, session_id: str, elicitation_id: str) -> HttpResponse:
        """Accept, decline or cancel; the first verdict stands."""
        answered_by_consumer()
