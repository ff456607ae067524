"""/v1/hosts and /v1/runners."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import canonical_host
from sessions_app import fleet_rows
from sessions_app.api.answers import caller, json_answer


class HostCollection(APIView):
    """The caller's hosts."""

    def get(self, request: Request) -> HttpResponse:
        """All hosts that ever registered, with their readiness."""
        return json_answer({"hosts": fleet_rows.hosts(caller(request).user_id)})


class HostResource(APIView):
    """One host."""

    def get(self, request: Request, host_id: str) -> HttpResponse:
        """Its state; 404 for another person's."""
        found = fleet_rows.host(caller(request).user_id, canonical_host(host_id) or "")
        if found is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, "Host not found")
        return json_answer(found)


class RunnerCollection(APIView):
    """The caller's runners."""

    def get(self, request: Request) -> HttpResponse:
        """Those that are connected."""
        return json_answer({"data": fleet_rows.online_runners(caller(request).user_id)})


class RunnerStatus(APIView):
    """How one runner stands."""

    def get(self, request: Request, runner_id: str) -> HttpResponse:
        """Connected or not, and the report of its end."""
        return json_answer(fleet_rows.runner_status(caller(request).user_id, runner_id))


class RunnerToken(APIView):
    """A bearer for a runner's calls."""

    def post(self, request: Request, runner_id: str) -> HttpResponse:
        """In single-user mode none is needed, which a runner takes from this 400."""
        raise OmnigentError(ErrorCode.INVALID_INPUT, "No bearer token is needed on this server")
