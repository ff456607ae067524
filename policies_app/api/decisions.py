"""GET /v1/policy-decisions, which a consumer answers; declared for its documentation."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.errors import ErrorCode, OmnigentError
from policies_app.api import shapes
from policies_app.services.decision_pages import DecisionQuery

NDJSON = "application/x-ndjson"


class Decisions(APIView):
    """What was decided, for administrators and auditors."""

    @describes(shapes.DecisionPage, query=DecisionQuery, media=("application/json", NDJSON))
    def get(self, request: Request) -> HttpResponse:
        """A page, the newest first; with `format=ndjson`, or Accept application/x-ndjson, all that match, the
        oldest first, one to a line. With `imported=true` it is what archives have brought of other logs.
        """
        raise OmnigentError(
            ErrorCode.INTERNAL_ERROR, "This route is served by the ASGI application only", status=501
        )
