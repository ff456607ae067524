"""/v1/hosts: a person's machines. What a host itself is asked, consumers answer; it is documented here."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import canonical_host
from sessions_app import fleet_rows
from sessions_app.api.answers import answered_by_consumer, caller, json_answer, json_bytes
from sessions_app.api.shapes import fleet as shapes
from sessions_app.api.writing import claim_of
from sessions_app.bodies import CreateDirectory, LaunchOnHost, ListHostDirectory, ListWorktrees
from sessions_app.services import hosts

AWAY = (404, 409, 502, 504)


class HostCollection(APIView):
    """The caller's hosts."""

    @describes(shapes.HostList)
    def get(self, request: Request) -> HttpResponse:
        """All hosts that ever registered, with their readiness."""
        return json_answer({"hosts": fleet_rows.hosts(caller(request).user_id)})


class HostResource(APIView):
    """One host."""

    @describes(shapes.HostShape)
    def get(self, request: Request, host_id: str) -> HttpResponse:
        """Its state; 404 for another person's."""
        found = fleet_rows.host(caller(request).user_id, canonical_host(host_id) or "")
        if found is None:
            raise OmnigentError(ErrorCode.NOT_FOUND, "Host not found")
        return json_answer(found)

    @describes(shapes.DeletedHost, refuses=(404,))
    def delete(self, request: Request, host_id: str) -> HttpResponse:
        """Forget one that is away and that no session names. Its daemon may register it anew."""
        return json_bytes(hosts.remove(caller(request), host_id, claim_of(request)).body)


class HostRunners(APIView):
    """The runners of a host."""

    @describes(shapes.RunnerList, refuses=(404,))
    def get(self, request: Request, host_id: str) -> HttpResponse:
        """Those that it launched and that are connected."""
        found = hosts.named(caller(request), host_id)
        return json_answer({"data": fleet_rows.online_runners(found.owner, host_id=found.public_id)})

    @describes(shapes.LaunchedRunner, body=LaunchOnHost, refuses=(*AWAY, 410, 412))
    def post(self, request: Request, host_id: str) -> HttpResponse:
        """Launch a session's runner on it. 400 while the session has one; one that is gone is replaced."""
        answered_by_consumer()


class HostHome(APIView):
    """The home directory of whoever runs the host."""

    @describes(shapes.HostEntryPage, query=ListHostDirectory, refuses=AWAY)
    def get(self, request: Request, host_id: str) -> HttpResponse:
        """A page of its entries."""
        answered_by_consumer()


class HostDirectoryListing(APIView):
    """A directory of a host."""

    @describes(shapes.HostEntryPage, query=ListHostDirectory, refuses=AWAY)
    def get(self, request: Request, host_id: str, path: str) -> HttpResponse:
        """A page of its entries."""
        answered_by_consumer()


class HostDirectories(APIView):
    """The directories of a host."""

    @describes(shapes.HostDirectory, body=CreateDirectory, refuses=AWAY)
    def post(self, request: Request, host_id: str) -> HttpResponse:
        """Make one, and what is missing above it. 409 `already_exists` for one that is there."""
        answered_by_consumer()


class HostWorktrees(APIView):
    """The git work trees of a host."""

    @describes(shapes.WorktreePage, query=ListWorktrees, refuses=AWAY)
    def get(self, request: Request, host_id: str) -> HttpResponse:
        """Those of the repository at `path`; 400 in git's words for what is none."""
        answered_by_consumer()


class HostModelOptions(APIView):
    """What a harness of a host can sample from."""

    @describes(shapes.HostModels, refuses=AWAY)
    def get(self, request: Request, host_id: str, harness: str) -> HttpResponse:
        """The models, as far as the host knows them without a session."""
        answered_by_consumer()


class HostHarnesses(APIView):
    """The harnesses of a host."""

    @describes(shapes.HostReadiness, refuses=AWAY)
    def post(self, request: Request, host_id: str) -> HttpResponse:
        """Probe them now. 409 `refresh_unsupported` for a host that does so only by itself."""
        answered_by_consumer()
