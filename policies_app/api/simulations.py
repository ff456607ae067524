"""The simulator: dry runs and backtests, which consumers answer, and what shadow policies would have said."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse_query
from omnigent.errors import ErrorCode, OmnigentError
from policies_app.api import simulation_shapes as shapes
from policies_app.api.writing import caller
from policies_app.services import default_policies, shadowing
from policies_app.services.decision_pages import require_reader
from policies_app.simulation_bodies import BacktestBody, ShadowQuery, SimulationBody


class Simulations(APIView):
    """Dry runs."""

    @describes(shapes.SimulationShape, body=SimulationBody, refuses=(404,), is_keyed=False)
    def post(self, request: Request) -> HttpResponse:
        """What policies say of one event; nothing comes of it. For administrators."""
        raise _elsewhere()


class Backtests(APIView):
    """Backtests."""

    @describes(shapes.BacktestShape, body=BacktestBody, is_keyed=False)
    def post(self, request: Request) -> HttpResponse:
        """What a draft says of what was decided; nothing comes of it. For administrators."""
        raise _elsewhere()


class Shadow(APIView):
    """A policy in shadow mode."""

    @describes(shapes.ShadowShape, query=ShadowQuery, refuses=(404,))
    def get(self, request: Request, policy_id: str) -> Response:
        """What it would have said, and how that differs from what was decided; for readers of decisions."""
        require_reader(caller(request))
        asked = parse_query(ShadowQuery, request.META["QUERY_STRING"])
        policy = default_policies.find_policy(policy_id)
        return Response(shadowing.shadow_summary(policy.public_id, asked.days))


def _elsewhere() -> OmnigentError:
    return OmnigentError(
        ErrorCode.INTERNAL_ERROR, "This route is served by the ASGI application only", status=501
    )
