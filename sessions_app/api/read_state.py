"""PUT /v1/sessions/{id}/read-state."""

from typing import Annotated

from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from sessions_app.api.answers import caller
from sessions_app.api.writing import NOTHING, once
from sessions_app.services import read_state
from sessions_app.services.receipts import Answer

LATEST = 2**53
"""What numbers in JSON are good for."""


class SetReadState(BaseModel):
    """`last_seen` in epoch seconds; `unread` marks the session to come back to."""

    model_config = ConfigDict(extra="forbid")

    last_seen: Annotated[int, Field(strict=True, ge=0, le=LATEST)]
    unread: Annotated[bool, Field(strict=True)]


class ReadStateMark(APIView):
    """How far the caller has read a session."""

    @describes({204: None}, body=SetReadState)
    def put(self, request: Request, session_id: str) -> HttpResponse:
        """Keep the caller's mark; 204."""
        body = parse(SetReadState, request.body)

        def work() -> Answer:
            read_state.set_read_state(
                principal=caller(request),
                session_id=session_id,
                last_seen=body.last_seen,
                unread=body.unread,
            )
            return NOTHING

        return once(request, work)
