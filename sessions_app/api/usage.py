"""GET /v1/usage."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from sessions_app.api.answers import caller, json_answer
from sessions_app.services.usage_report import usage_report


class Usage(APIView):
    """What the caller's sessions have cost."""

    def get(self, request: Request) -> HttpResponse:
        """The caller's own report; null stands for what has no price."""
        return json_answer(usage_report(principal=caller(request)))
