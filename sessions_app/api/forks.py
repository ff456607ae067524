"""Going on from a session: a fork of it, or another agent in it."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from sessions_app.api.answers import answered_by_consumer, caller, json_bytes
from sessions_app.api.shapes import sessions as shapes
from sessions_app.bodies import ForkSession, SwitchAgent
from sessions_app.services import receipts, switching


class Fork(APIView):
    """A new session with this one's conversation."""

    @describes({201: shapes.Snapshot}, body=ForkSession, refuses=(410, 412, 503, 504))
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Copy the conversation, or its beginning, into a session of the caller; 201 with its snapshot."""
        answered_by_consumer()


class SwitchedAgent(APIView):
    """Another agent for this session."""

    @describes(shapes.Snapshot, body=SwitchAgent)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Bind the session to another of the operator's agents; 200 with the snapshot, without items."""
        raw = request.body
        body = parse(SwitchAgent, raw)
        target = f"POST {request.path}?".encode() + raw
        principal = caller(request)
        claimed = receipts.claim(principal, request.headers.get("Idempotency-Key"), asked_for=target)
        answer = switching.switch_agent(principal, session_id, body, claimed)
        return json_bytes(answer.body)
