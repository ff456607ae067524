"""Sessions as files: what the consumers of these routes answer, declared for its documentation."""

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import MULTIPART, describes
from sessions_app.api.answers import answered_by_consumer
from sessions_app.api.shapes import portable as shapes

BYTES = {"type": "string", "format": "binary"}
EXPORTED = (
    OpenApiParameter("format", str, enum=("archive", "markdown")),
    OpenApiParameter("children", bool),
)
IMPORTED = (OpenApiParameter("dry_run", bool), OpenApiParameter("agent_id", str))
UPLOAD = {
    "type": "object",
    "required": ["archive"],
    "properties": {"archive": BYTES, "dry_run": {"type": "string"}, "agent_id": {"type": "string"}},
}


class SessionExport(APIView):
    """A session with its sub-agents as one file."""

    @describes(BYTES, headers=EXPORTED, media=("application/gzip", "text/markdown"), refuses=(422,))
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """A gzipped tar archive, or with `format=markdown` the transcript; `children=false` leaves out
        sub-agents.
        """
        answered_by_consumer()


class SessionImport(APIView):
    """Sessions from an archive."""

    @describes(
        {200: shapes.Imported, 201: shapes.Imported},
        body={"application/gzip": BYTES, MULTIPART: UPLOAD},
        headers=IMPORTED,
        refuses=(404, 413, 415),
    )
    def post(self, request: Request) -> HttpResponse:
        """Restore an archive, the body itself or its `archive` part; 201 with the new ids, and with
        `dry_run=true` 200 and nothing stored. `agent_id` stands in for agents that are not here.
        """
        answered_by_consumer()
