"""/v1/sessions/{id}/permissions."""

from typing import Annotated

from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict, Field, field_validator
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse, parse_query
from sessions_app.api.answers import caller, json_answer
from sessions_app.api.shapes import resources as shapes
from sessions_app.api.writing import NOTHING, answer, once
from sessions_app.services import permissions
from sessions_app.services.receipts import Answer


class ListPermissions(BaseModel):
    """GET: `cursor` is the `next_cursor` of the page before."""

    model_config = ConfigDict(extra="ignore")

    limit: int = Field(default=100, ge=1, le=1000)
    cursor: str | None = None


class GrantPermission(BaseModel):
    """PUT: 1 read, 2 edit, 3 manage. A session has one owner, who stays, and may let others approve."""

    model_config = ConfigDict(extra="forbid")

    user_id: Annotated[str, Field(min_length=1, max_length=permissions.MAX_USER_ID)]
    level: Annotated[int, Field(strict=True, ge=1, le=3)]
    may_approve: Annotated[bool, Field(strict=True)] | None = None

    @field_validator("user_id")
    @classmethod
    def _is_a_name(cls, text: str) -> str:
        if text != text.strip() or not text.isprintable():
            raise ValueError("a user id has no control characters and no space at its ends")
        return text


class Permissions(APIView):
    """Who may do what with a session."""

    @describes(shapes.GrantPage, query=ListPermissions)
    def get(self, request: Request, session_id: str) -> HttpResponse:
        """A page of grants; a sub-agent shows those of its root."""
        asked = parse_query(ListPermissions, request.META["QUERY_STRING"])
        page = permissions.list_permissions(
            principal=caller(request), session_id=session_id, limit=asked.limit, cursor=asked.cursor or None
        )
        return json_answer({"permissions": page.rows, "next_cursor": page.next_cursor})

    @describes(shapes.GrantShape, body=GrantPermission)
    def put(self, request: Request, session_id: str) -> HttpResponse:
        """Give a person, or `__public__`, a level; 200 with the grant."""
        body = parse(GrantPermission, request.body)

        def work() -> Answer:
            granted = permissions.grant_permission(
                principal=caller(request),
                session_id=session_id,
                user_id=body.user_id,
                level=body.level,
                may_approve=body.may_approve,
            )
            return answer(granted)

        return once(request, work)


class Permission(APIView):
    """One person's grant."""

    @describes({204: None})
    def delete(self, request: Request, session_id: str, user_id: str) -> HttpResponse:
        """Withdraw it, or leave; 204 whether there was one or not."""

        def work() -> Answer:
            permissions.revoke_permission(principal=caller(request), session_id=session_id, user_id=user_id)
            return NOTHING

        return once(request, work)
