"""/v1/sessions and /v1/sessions/{id}: reads; the writes are only documented here, consumers answer them."""

import orjson
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import EVENT_STREAM, JSON, MULTIPART, describes
from omnigent.api.schema.families import EVENT, PREFIX
from omnigent.api.schema.models import reference, schema_of
from omnigent.api.validation import parse_query
from omnigent.ids import AGENT, SESSION, canonical
from sessions_app import children, listing, snapshot
from sessions_app.api.answers import answered_by_consumer, caller, json_answer
from sessions_app.api.shapes import inputs as input_shapes
from sessions_app.api.shapes import sessions as shapes
from sessions_app.bodies import (
    CreateSession,
    DeleteSession,
    GetSession,
    ListChildren,
    ListSessions,
    UpdateSession,
    UploadMetadata,
)
from sessions_app.labels import shown_labels
from sessions_app.models import Grant, SessionLabel
from sessions_app.services.access import Level, is_single_user, not_found, require

UPLOAD = {
    "type": "object",
    "required": ["metadata", "bundle"],
    "properties": {
        "metadata": {
            "type": "string",
            "contentMediaType": JSON,
            "contentSchema": schema_of(UploadMetadata),
            "description": "JSON text.",
        },
        "bundle": {"type": "string", "format": "binary", "description": "A gzipped tar archive."},
    },
}
POSTED = {
    "oneOf": [
        reference(input_shapes.PostedEvent),
        {"type": "array", "items": reference(input_shapes.PostedEvent), "minItems": 1, "maxItems": 100},
    ]
}
TAKEN = {"anyOf": [reference(input_shapes.Accepted), reference(input_shapes.Judged)]}
ACCEPTED = {"oneOf": [TAKEN, {"type": "array", "items": TAKEN, "minItems": 1, "maxItems": 100}]}
STREAM = {
    "type": "string",
    "description": "Server-sent events. `id:` is a cursor, `data:` an event; `data: [DONE]` ends the stream.",
    "contentMediaType": EVENT_STREAM,
    "contentSchema": {"$ref": f"{PREFIX}{EVENT}"},
}
CURSORS = [
    OpenApiParameter("Last-Event-ID", str, OpenApiParameter.HEADER, description="Go on after this event."),
    OpenApiParameter("after", str, description="The same for clients that cannot set headers."),
]


class SessionCollection(APIView):
    """The list of sessions, and the way to make one."""

    @describes(shapes.SessionPage, query=ListSessions)
    def get(self, request: Request) -> HttpResponse:
        """Sessions that the caller may read, newest first unless asked otherwise."""
        asked = parse_query(ListSessions, request.META["QUERY_STRING"])
        principal = caller(request)
        single = is_single_user()
        viewer = listing.Viewer(
            user_id=principal.user_id,
            sees_all=single or principal.sees_everything,
            shows_level=not single,
            runner_id=principal.runner_id or "",
            is_auditor=principal.is_auditor,
        )
        filters = listing.Filters(
            kind=asked.kind,
            sort_by=asked.sort_by,
            include_archived=asked.include_archived,
            visibility=asked.visibility,
            agent_id=(canonical(AGENT, asked.agent_id) or asked.agent_id) if asked.agent_id else "",
            agent_name=asked.agent_name or "",
            search=asked.search_query or "",
            project=asked.project,
            pinned=asked.pinned,
        )
        return json_answer(listing.read(viewer, filters, asked.page(SESSION)))

    @describes(
        {201: shapes.CreatedSnapshot},
        body={JSON: CreateSession, MULTIPART: UPLOAD},
        refuses=(404, 409, 410, 412, 413, 415, 503, 504),
    )
    def post(self, request: Request) -> HttpResponse:
        """Create a session from JSON; 201 with its snapshot."""
        answered_by_consumer()


class SessionResource(APIView):
    """One session."""

    @describes(shapes.Snapshot, query=GetSession)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """The snapshot; what follows it on the stream comes after its `resume_after`."""
        asked = parse_query(GetSession, request.META["QUERY_STRING"])
        principal = caller(request)
        found = require(principal, session_id, Level.READ)
        wanted = snapshot.Wanted(
            items=asked.include_items, liveness=asked.include_liveness, usage=asked.include_usage
        )
        shown = snapshot.read(
            found.pk, permission_level=found.level, user_id=principal.user_id, wanted=wanted
        )
        if shown is None:
            raise not_found()
        return json_answer(shown)

    @describes(shapes.Snapshot, body=UpdateSession, query=GetSession, refuses=(503, 504))
    def patch(self, request: Request, session_id: str) -> HttpResponse:
        """Change settings, labels or the bound runner; 200 with the snapshot, without items."""
        answered_by_consumer()

    @describes(shapes.DeletedSession, query=DeleteSession, refuses=(502, 503, 504))
    def delete(self, request: Request, session_id: str) -> HttpResponse:
        """Stop and delete the session with its sub-agents."""
        answered_by_consumer()


class ChildSessions(APIView):
    """The sub-agents of a session."""

    @describes(shapes.ChildPage, query=ListChildren)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """Direct sub-agent sessions that are not archived."""
        asked = parse_query(ListChildren, request.META["QUERY_STRING"])
        found = require(caller(request), session_id, Level.READ)
        title = f"{asked.tool}:{asked.session_name}" if asked.tool and asked.session_name else None
        return json_answer(children.read(found.pk, asked.page(SESSION), title=title))


class Labels(APIView):
    """A session's labels."""

    @describes(shapes.SessionLabels)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """All labels by key."""
        found = require(caller(request), session_id, Level.READ)
        labels = dict(SessionLabel.objects.filter(session=found.pk).values_list("key", "value"))
        text = orjson.dumps(labels).decode()
        return json_answer({"id": found.public_id, "labels": shown_labels(text, caller(request).user_id)})


class Owner(APIView):
    """Whose session it is."""

    @describes(shapes.SessionOwner)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """The owner's user id."""
        found = require(caller(request), session_id, Level.READ)
        owner = (
            Grant.objects.filter(session=found.pk, level=Level.OWNER)
            .values_list("user_id", flat=True)
            .first()
        )
        return json_answer({"owner": owner})


class SessionEvents(APIView):
    """What is sent to a session."""

    @describes({202: ACCEPTED}, body={JSON: POSTED}, refuses=(410, 412, 500, 503, 504))
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Take a message, an interrupt, an approval or another event; 202."""
        answered_by_consumer()


class SessionStream(APIView):
    """What happens in a session."""

    @describes(STREAM, headers=CURSORS, media=EVENT_STREAM)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """The session log as server-sent events, from `Last-Event-ID` or `?after=` on."""
        answered_by_consumer()


class ToolGate(APIView):
    """The runner's tool calls."""

    @describes(input_shapes.RpcAnswer, body=input_shapes.RpcRequest, is_keyed=False)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """JSON-RPC: list the session's tools, or call one after its policies agreed."""
        answered_by_consumer()


class PolicyEvaluation(APIView):
    """The runner's questions to the policies."""

    @describes(input_shapes.PolicyVerdict, body=input_shapes.PolicyQuestion, is_keyed=False)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Evaluate the session's policies for one action."""
        answered_by_consumer()
