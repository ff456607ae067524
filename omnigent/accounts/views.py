"""Who the caller is."""

from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.authentication import principal_of

LOGIN_URL = "/admin/login/"


class Me(APIView):
    """The caller. Without one the answer says where to log in."""

    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        principal = principal_of(request)
        if principal is None:
            return Response({"user_id": None, "login_url": LOGIN_URL}, status=401)
        return Response({"user_id": principal.user_id, "is_admin": principal.is_admin})
