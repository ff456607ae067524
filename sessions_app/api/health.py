"""GET /health: whether the server is there, and with a question about sessions, whether theirs are."""

from django.http import HttpResponse
from pydantic import BaseModel, ConfigDict
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.views import APIView

from omnigent.accounts.authentication import principal_of
from omnigent.accounts.identity import Principal
from omnigent.accounts.rights import check_rights, unauthorized
from omnigent.api.schema.describing import describes
from omnigent.api.schema.shapes import Shape
from omnigent.api.validation import ValidationFailed, parse_query, problem
from sessions_app.api.answers import json_answer
from sessions_app.services.liveness import liveness

MAX_SESSIONS = 500
LIST = "/v1/sessions"


class AskHealth(BaseModel):
    """`session_id` asks for one session, `session_ids` for several, separated by commas."""

    model_config = ConfigDict(extra="ignore")

    session_id: str | None = None
    session_ids: str | None = None


class SessionLiveness(Shape):
    """Whether a session's runner and host are connected; null where it has no host."""

    id: str
    runner_online: bool
    host_online: bool | None
    host_version: str | None


class HealthAnswer(Shape):
    """The process answers; of sessions only when they were asked for."""

    status: str
    session: SessionLiveness | None = None
    sessions: dict[str, SessionLiveness] | None = None


class Health(APIView):
    """Open to everybody, but for what is asked about sessions. The router answers a bare probe itself."""

    permission_classes = (AllowAny,)

    @describes(HealthAnswer, query=AskHealth, refuses=(401,))
    def get(self, request: Request) -> HttpResponse:
        """`{"status": "ok"}`; sessions that the caller may not read are reported offline."""
        asked = parse_query(AskHealth, request.META["QUERY_STRING"])
        answer: dict[str, object] = {"status": "ok"}
        ids = [each for each in (asked.session_ids or "").split(",") if each]
        if len(ids) > MAX_SESSIONS:
            limit = f"session_ids should name at most {MAX_SESSIONS} sessions"
            raise ValidationFailed([problem("too_long", ("query", "session_ids"), limit)])
        one = [asked.session_id] if asked.session_id is not None else []
        if asked.session_ids is None and not one:
            return json_answer(answer)
        found = liveness(entitled(request), [*one, *ids])
        if asked.session_id is not None:
            answer["session"] = found[asked.session_id]
        if asked.session_ids is not None:
            answer["sessions"] = {each: found[each] for each in ids}
        return json_answer(answer)


def entitled(request: Request) -> Principal:
    """The caller, who must be somebody that may list sessions: the path itself is open to all."""
    principal = principal_of(request)
    if principal is None:
        raise unauthorized()
    if principal.via != "machine":
        check_rights(principal, "GET", LIST)
    return principal
