"""POST /v1/sessions/{id}/auto-title and /agent-title."""

from typing import Annotated

from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse
from sessions_app.api.answers import caller
from sessions_app.api.shapes import sessions as shapes
from sessions_app.api.writing import answer, once
from sessions_app.services import titles
from sessions_app.services.receipts import Answer


class ProposedTitle(BaseModel):
    """A title of one line."""

    model_config = ConfigDict(extra="forbid")

    title: Annotated[str, Field(min_length=2, max_length=100)]


def propose(request: Request, session_id: str, author: titles.Author) -> HttpResponse:
    """Offer a title; the answer says whether it was taken."""
    body = parse(ProposedTitle, request.body)

    def work() -> Answer:
        outcome = titles.propose_title(
            principal=caller(request), session_id=session_id, title=body.title, author=author
        )
        return answer(outcome)

    return once(request, work)


class AutoTitle(APIView):
    """A better title than the first message's beginning, made by a client."""

    @describes(shapes.TitleOutcome, body=ProposedTitle)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Rename the session while its title is still the first message's."""
        return propose(request, session_id, "client")


class AgentTitle(APIView):
    """The agent's own idea of what the session is about."""

    @describes(shapes.TitleOutcome, body=ProposedTitle)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Rename the session unless a person has."""
        return propose(request, session_id, "agent")
