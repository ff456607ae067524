"""GET /v1/sessions/{id}/items."""

from django.http import HttpResponse
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse_query
from omnigent.ids import ITEM
from sessions_app import transcript
from sessions_app.api.answers import caller, json_bytes
from sessions_app.api.shapes import sessions as shapes
from sessions_app.bodies import ListItems
from sessions_app.services import forgetful
from sessions_app.services.access import Level, require


class ItemCollection(APIView):
    """The committed items of a session."""

    @describes(shapes.ItemPage, query=ListItems)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """A page of items in their order, oldest first unless asked otherwise."""
        asked = parse_query(ListItems, request.META["QUERY_STRING"])
        found = require(caller(request), session_id, Level.READ)
        is_forgetful = found.is_bound_runner and forgetful.is_forgetful(found.runner_id)
        return json_bytes(transcript.page(found.pk, asked.page(ITEM), is_forgetful=is_forgetful))
