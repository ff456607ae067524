"""POST /v1/sessions/{id}/model-override/reset."""

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
from sessions_app.services import updating
from sessions_app.services.receipts import Answer


class ResetModelOverride(BaseModel):
    """The override that the caller saw."""

    model_config = ConfigDict(extra="forbid")

    expected_model_override: Annotated[str, Field(max_length=256)] | None


class ModelOverrideReset(APIView):
    """Back to the agent's own model."""

    @describes(shapes.ModelReset, body=ResetModelOverride)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Clear the override if nobody has changed it since."""
        body = parse(ResetModelOverride, request.body)

        def work() -> Answer:
            was_reset = updating.reset_model_override(
                principal=caller(request),
                session_id=session_id,
                expected=body.expected_model_override or "",
            )
            return answer({"reset": was_reset})

        return once(request, work)
