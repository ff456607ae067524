"""The terminals of a session, as documented; consumers answer these routes with what the runner says."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.api.answers import answered_by_consumer, caller
from sessions_app.api.shapes import terminals as shapes
from sessions_app.api.shapes.resources import DeletedResource
from sessions_app.bodies import AttachTerminal, CreateTerminal
from sessions_app.services.access import Level, require

AWAY = (502, 503)
REFUSED = (404, 409, 410)


class TerminalCollection(APIView):
    """The terminals of a session."""

    @describes(shapes.TerminalPage, refuses=(*AWAY, *REFUSED))
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """All of them, the first opened first."""
        answered_by_consumer()

    @describes(shapes.TerminalResource, body=CreateTerminal, refuses=(*AWAY, *REFUSED))
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Open a terminal that the agent declares; one that is open already is the answer as it is."""
        answered_by_consumer()


class TerminalItem(APIView):
    """One terminal."""

    @describes(shapes.TerminalResource, refuses=(*AWAY, *REFUSED))
    def get(self, request: Request, session_id: str, terminal_id: str) -> HttpResponse:
        """The resource object."""
        answered_by_consumer()

    @describes(DeletedResource, refuses=(*AWAY, *REFUSED))
    def delete(self, request: Request, session_id: str, terminal_id: str) -> HttpResponse:
        """End it with everything that runs in it."""
        answered_by_consumer()


class TerminalAttachment(APIView):
    """Where a WebSocket is opened to look at a terminal and to type into it."""

    @describes({101: None}, query=AttachTerminal, refuses=(404, 409, 426, 503))
    def get(self, request: Request, session_id: str, terminal_id: str) -> HttpResponse:
        """A WebSocket, for the owner; with `read_only` for everybody who may read the session.

        Binary messages are bytes: keys to the terminal, output from it, which begins with the whole screen. A
        text message `{"type":"resize","cols":100,"rows":30}` says how large the client's screen is.
        """
        require(caller(request), session_id, Level.READ)
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, "Open a WebSocket here", status=426, headers={"Upgrade": "websocket"}
        )
