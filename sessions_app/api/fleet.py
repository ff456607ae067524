"""/v1/runners."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.bearers import runner_bearer
from omnigent.accounts.identity import is_single_user
from omnigent.accounts.rights import unauthorized
from omnigent.api.permissions import IsPresent
from omnigent.api.schema.describing import describes
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app import fleet_rows
from sessions_app.api.answers import NO_STORE, caller, json_answer
from sessions_app.api.shapes import fleet as shapes
from sessions_app.api.shapes.account import BearerShape
from sessions_app.services import presence


class RunnerCollection(APIView):
    """The caller's runners."""

    @describes(shapes.RunnerList)
    def get(self, request: Request) -> HttpResponse:
        """Those that are connected."""
        return json_answer({"data": fleet_rows.online_runners(caller(request).user_id)})


class RunnerStatus(APIView):
    """How one runner stands."""

    @describes(shapes.RunnerState)
    def get(self, request: Request, runner_id: str) -> HttpResponse:
        """Connected or not, and the report of its end."""
        return json_answer(fleet_rows.runner_status(caller(request).user_id, runner_id))


class RunnerToken(APIView):
    """A bearer for a runner's calls."""

    permission_classes = (IsPresent,)

    @describes(BearerShape, is_keyed=False)
    def post(self, request: Request, runner_id: str) -> Response:
        """The binding token's holder gets a bearer that stands for the runner's owner, for half an hour.

        In single-user mode none is needed, which a runner takes from the 400.
        """
        if is_single_user():
            raise OmnigentError(ErrorCode.INVALID_INPUT, "No bearer token is needed on this server")
        principal = caller(request)
        if principal.runner_id != runner_id:
            raise OmnigentError(ErrorCode.FORBIDDEN, "This needs the binding token of the runner")
        owner = presence.owner_of_runner(runner_id) or principal.user_id
        is_its_owners = principal.user_id in ("", owner) and presence.is_welcome(owner)
        if presence.is_revoked(runner_id) or not is_its_owners:
            raise unauthorized()
        bearer = runner_bearer(runner_id=runner_id, owner=owner)
        return Response({"token": bearer.token, "expires_at": bearer.expires_at}, headers=NO_STORE)
