"""/v1/users for administrators, and PUT /v1/password for everybody who has one."""

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.api import bodies, shapes
from omnigent.accounts.api.answers import answer, caller, person_row, require_accounts
from omnigent.accounts.principal import Principal
from omnigent.accounts.services import passwords, people
from omnigent.api.pagination import Keyset, Page, PageQuery, cut, envelope
from omnigent.api.schema.describing import describes
from omnigent.api.validation import parse, parse_query
from omnigent.errors import ErrorCode, OmnigentError

ORDER = Keyset(id_column="username", columns=("id",))


def administrator(principal: Principal) -> Principal:
    """The caller. Raises 403 for anybody but an administrator, 404 where there are no accounts."""
    require_accounts()
    if not principal.is_admin:
        raise OmnigentError(ErrorCode.FORBIDDEN, "Only administrators manage people")
    return principal


class UserCollection(APIView):
    """Everybody who has an account."""

    @describes(shapes.UserList, query=PageQuery, refuses=(404,))
    def get(self, request: Request) -> Response:
        """The newest first; a cursor is a user's id."""
        administrator(caller(request))
        asked = parse_query(PageQuery, request.META["QUERY_STRING"])
        page = Page(
            limit=asked.limit,
            after=asked.after or None,
            before=asked.before or None,
            descending=asked.order == "desc",
        )
        scope = people.people()
        rows, has_more = cut(list(ORDER.apply(scope, page, ORDER.positions(scope, page))), page)
        return answer(
            envelope([person_row(row) for row in rows], [row.username for row in rows], has_more=has_more)
        )


class UserResource(APIView):
    """One of them."""

    @describes(shapes.UserShape, body=bodies.ChangedUser, is_keyed=False)
    def patch(self, request: Request, user_id: str) -> Response:
        """Lock somebody out or let them in again, make them an administrator or an auditor."""
        principal = administrator(caller(request))
        body = parse(bodies.ChangedUser, request._request.body)
        change = people.Change(is_active=body.is_active, is_staff=body.is_staff, is_auditor=body.is_auditor)
        return answer(person_row(people.change(principal=principal, username=user_id, change=change)))


class Password(APIView):
    """The caller's own password."""

    @describes({204: None}, body=bodies.NewPassword, is_keyed=False, refuses=(404, 409, 429))
    def put(self, request: Request) -> Response:
        """Needs the present one; ends every other login of the caller."""
        require_accounts()
        body = parse(bodies.NewPassword, request._request.body)
        passwords.change(
            request._request,
            principal=caller(request),
            present=body.password,
            wanted=body.new_password,
        )
        return answer(None, 204)
