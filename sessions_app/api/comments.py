"""/v1/sessions/{id}/comments."""

from typing import Annotated, Self

from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict, Field, model_validator
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.schema.models import reference
from omnigent.api.validation import parse, parse_query
from sessions_app.api.answers import caller, json_answer
from sessions_app.api.shapes import resources as shapes
from sessions_app.api.writing import answer, once
from sessions_app.services import comments
from sessions_app.services.receipts import Answer

LARGEST_INDEX = 2**53
"""What numbers in JSON are good for."""

Index = Annotated[int, Field(strict=True, ge=0, le=LARGEST_INDEX)]
Body = Annotated[str, Field(min_length=1, max_length=65536)]


class ListComments(BaseModel):
    """GET: `path` narrows the list to one file."""

    model_config = ConfigDict(extra="ignore")

    path: str | None = None


class AddComment(BaseModel):
    """POST; unknown keys are ignored."""

    model_config = ConfigDict(extra="ignore")

    path: Annotated[str, Field(min_length=1, max_length=4096)]
    start_index: Index
    end_index: Index
    body: Body
    anchor_content: Annotated[str, Field(max_length=65536)] | None = None

    @model_validator(mode="after")
    def _runs_forward(self) -> Self:
        if self.end_index < self.start_index:
            raise ValueError("end_index must not be before start_index")
        return self


class ChangeComment(BaseModel):
    """PATCH; what is left out or null stays."""

    model_config = ConfigDict(extra="forbid")

    body: Body | None = None
    status: str | None = None


class SendComments(BaseModel):
    """POST …/send. With `mark_addressed` false the comments stay drafts until the caller settles them."""

    model_config = ConfigDict(extra="ignore")

    comment_ids: Annotated[
        list[Annotated[str, Field(max_length=64)]], Field(min_length=1, max_length=comments.MAX_COMMENTS)
    ]
    instruction: Annotated[str, Field(max_length=65536)] | None = None
    mark_addressed: Annotated[bool, Field(strict=True)] = True


COMMENT = reference(shapes.CommentShape)


class CommentCollection(APIView):
    """The comments of a session."""

    @describes({"type": "array", "items": COMMENT}, query=ListComments)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """All of them as a bare array, oldest first."""
        asked = parse_query(ListComments, request.META["QUERY_STRING"])
        return json_answer(
            comments.list_comments(principal=caller(request), session_id=session_id, path=asked.path)
        )

    @describes(shapes.CommentShape, body=AddComment)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """Write one; 200 with the comment."""
        body = parse(AddComment, request.body)

        def work() -> Answer:
            added = comments.add_comment(
                principal=caller(request),
                session_id=session_id,
                path=body.path,
                start_index=body.start_index,
                end_index=body.end_index,
                body=body.body,
                anchor_content=body.anchor_content,
            )
            return answer(added)

        return once(request, work)


class CommentResource(APIView):
    """One comment."""

    @describes(shapes.CommentShape, body=ChangeComment)
    def patch(self, request: Request, session_id: str, comment_id: str) -> HttpResponse:
        """Reword it, or settle it."""
        body = parse(ChangeComment, request.body)

        def work() -> Answer:
            changed = comments.change_comment(
                principal=caller(request),
                session_id=session_id,
                comment_id=comment_id,
                body=body.body,
                status=body.status,
            )
            return answer(changed)

        return once(request, work)

    @describes(shapes.DeletedComment)
    def delete(self, request: Request, session_id: str, comment_id: str) -> HttpResponse:
        """Delete it."""

        def work() -> Answer:
            comments.delete_comment(principal=caller(request), session_id=session_id, comment_id=comment_id)
            return answer({"deleted": True})

        return once(request, work)


class SentComments(APIView):
    """Comments on their way to the agent."""

    @describes(shapes.SentCommentsMessage, body=SendComments)
    def post(self, request: Request, session_id: str) -> HttpResponse:
        """The message to post for these comments, which count as addressed from now on."""
        body = parse(SendComments, request.body)

        def work() -> Answer:
            sent = comments.send_comments(
                principal=caller(request),
                session_id=session_id,
                comment_ids=body.comment_ids,
                instruction=body.instruction,
                marks_addressed=body.mark_addressed,
            )
            return answer(sent)

        return once(request, work)
