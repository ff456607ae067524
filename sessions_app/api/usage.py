"""GET /v1/usage."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from sessions_app.api.answers import caller, json_answer
from sessions_app.api.shapes import account as shapes
from sessions_app.services.usage_report import usage_report


class Usage(APIView):
    """What the caller's sessions have cost."""

    @describes(shapes.UsageReport)
    def get(self, request: Request) -> HttpResponse:
        """The caller's own report; its sums leave out what has no price."""
        return json_answer(usage_report(principal=caller(request)))
