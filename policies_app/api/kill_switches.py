"""/v1/kill-switches, for administrators."""

from typing import Annotated, Any, Literal

from django.http import HttpResponse
from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.api.pagination import Keyset, PageQuery, cut, envelope
from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse, parse_query
from omnigent.ids import KILL_SWITCH
from policies_app.api import shapes
from policies_app.api.writing import Answer, answer, caller, deleted, once
from policies_app.models import KillSwitch
from policies_app.services import kill_switches

ORDER = Keyset(id_column="public_id", columns=("created_at", "id"))


def _is_a_name(text: str) -> str:
    if text != text.strip() or not text.isprintable():
        raise ValueError("an id has no control characters and no space at its ends")
    return text


class CreateKillSwitch(BaseModel):
    """Stop whatever `target`, the id of an agent, a person or a host, would do."""

    model_config = ConfigDict(extra="forbid")

    kind: Literal["agent", "user", "host"]
    target: Annotated[str, Field(min_length=1, max_length=150), AfterValidator(_is_a_name)]
    reason: Annotated[str, Field(max_length=2000)] = ""


class KillSwitches(APIView):
    """What is stopped."""

    @describes(shapes.KillSwitchPage, query=PageQuery)
    def get(self, request: Request) -> Response:
        """The newest first."""
        page = parse_query(PageQuery, request.META["QUERY_STRING"]).page(KILL_SWITCH)
        listed = KillSwitch.objects.all()
        rows, has_more = cut(list(ORDER.apply(listed, page, ORDER.positions(listed, page))), page)
        ids = [row.public_id for row in rows]
        return Response(envelope([switch_object(row) for row in rows], ids, has_more=has_more))

    @describes(shapes.KillSwitchShape, body=CreateKillSwitch)
    def post(self, request: Request) -> HttpResponse:
        """Stop an agent, a person or a host: every action of theirs is denied from now on."""
        body = parse(CreateKillSwitch, request.body)

        def work() -> Answer:
            thrown = kill_switches.throw_switch(
                principal=caller(request), kind=body.kind, target=body.target, reason=body.reason
            )
            return answer(switch_object(thrown))

        return once(request, work)


class OneKillSwitch(APIView):
    """One of them."""

    @describes({200: shapes.Deleted, 204: None})
    def delete(self, request: Request, kill_switch_id: str) -> HttpResponse:
        """Take it back: 200, or 204 when it was gone already."""

        def work() -> Answer:
            return deleted(was_there=kill_switches.take_back(switch_id=kill_switch_id))

        return once(request, work)


def switch_object(switch: KillSwitch) -> dict[str, Any]:
    """A kill switch as administrators see it."""
    return {
        "id": switch.public_id,
        "object": "kill_switch",
        "kind": switch.kind,
        "target": switch.target,
        "reason": switch.reason,
        "created_by": switch.created_by or None,
        "created_at": int(switch.created_at.timestamp()),
    }
