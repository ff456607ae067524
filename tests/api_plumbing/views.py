"""Views of the plumbing's tests: one for each thing that a request can do to a handler."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator

from django.db import connection, transaction
from django.http import FileResponse, Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.urls import path, re_path
from django.utils import translation
from django.views.decorators.csrf import csrf_exempt
from pydantic import BaseModel, ConfigDict, Field
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.accounts.authentication import principal_of
from omnigent.accounts.models import User
from omnigent.accounts.views import Me
from omnigent.api import views
from omnigent.api.permissions import IsAdminOrReadOnly
from omnigent.api.renderer import json_response
from omnigent.api.validation import parse
from omnigent.errors import ErrorCode, OmnigentError

DOWNLOAD_SIZE = 32 * 1024 * 1024


class Note(BaseModel):
    model_config = ConfigDict(extra="forbid")

    title: str = Field(max_length=20)
    count: int = Field(default=0, ge=0, le=10)
    labels: dict[str, str] = {}


class Notes(APIView):
    """Parses a body and says what it understood."""

    permission_classes = (AllowAny,)

    def post(self, request: Request) -> Response:
        return Response(parse(Note, request.body).model_dump(), status=201)


class Operators(APIView):
    permission_classes = (IsAdminOrReadOnly,)

    def get(self, request: Request) -> Response:
        return Response({})

    def post(self, request: Request) -> Response:
        return Response({})


class Refusing(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        raise OmnigentError(ErrorCode.CONFLICT, "busy", detail="later", headers={"Retry-After": "3"})


class Failing(APIView):
    permission_classes = (AllowAny,)

    def get(self, request: Request) -> Response:
        raise RuntimeError("a secret of the server")


def hello(request: HttpRequest) -> HttpResponse:
    return HttpResponse("hello")


def count_users(request: HttpRequest) -> HttpResponse:
    return json_response({"users": User.objects.count(), "thread": threading.current_thread().name})


@csrf_exempt
def echo(request: HttpRequest) -> HttpResponse:
    response = HttpResponse(request.body, content_type="application/octet-stream")
    response["X-Method"] = request.method or ""
    response["X-Query"] = request.META["QUERY_STRING"]
    response.set_cookie("one", "1")
    response.set_cookie("two", "2")
    return response


@csrf_exempt
def upload(request: HttpRequest) -> HttpResponse:
    return json_response({name: file.size for name, file in request.FILES.items()})


def whoami(request: HttpRequest) -> HttpResponse:
    principal = principal_of(request)
    assert principal is not None
    return json_response({"user": principal.user_id, "runner": principal.runner_id})


def large(request: HttpRequest) -> HttpResponse:
    return HttpResponse(b"x" * DOWNLOAD_SIZE, content_type="application/octet-stream")


def download(request: HttpRequest) -> FileResponse:
    return FileResponse(open(__file__, "rb"), as_attachment=True, filename="views.py")


def endless(request: HttpRequest) -> StreamingHttpResponse:
    def content() -> Iterator[bytes]:
        while True:
            yield b"y" * 65536

    return StreamingHttpResponse(content())


def ticking(request: HttpRequest) -> StreamingHttpResponse:
    async def content() -> AsyncIterator[bytes]:
        for number in range(3):
            await asyncio.sleep(0)
            yield f"tick {number}\n".encode()

    return StreamingHttpResponse(content(), content_type="text/plain")


def breaking(request: HttpRequest) -> StreamingHttpResponse:
    async def content() -> AsyncIterator[bytes]:
        yield b"first"
        raise RuntimeError("broke off")

    return StreamingHttpResponse(content())


def leaking(request: HttpRequest) -> HttpResponse:
    """Leaves a transaction open and a language switched on, as a faulty view might."""
    translation.activate("de")
    transaction.set_autocommit(False)
    return HttpResponse(connection.vendor)


def language(request: HttpRequest) -> HttpResponse:
    return HttpResponse(f"{translation.get_language()} {transaction.get_autocommit()}")


def missing(request: HttpRequest) -> HttpResponse:
    raise Http404("nothing to see")


urlpatterns = [
    path("hello", hello),
    path("v1/users", count_users),
    path("v1/echo", echo),
    path("v1/upload", upload),
    path("v1/whoami", whoami),
    path("v1/notes", Notes.as_view()),
    path("v1/operators", Operators.as_view()),
    path("v1/refusing", Refusing.as_view()),
    path("v1/failing", Failing.as_view()),
    path("v1/missing", missing),
    path("v1/leaking", leaking),
    path("v1/language", language),
    path("large", large),
    path("download", download),
    path("endless", endless),
    path("ticking", ticking),
    path("breaking", breaking),
    path("c/conv_1", hello),
    path("health", views.Health.as_view()),
    path("api/version", views.Version.as_view()),
    path("v1/info", views.Info.as_view()),
    path("v1/me", Me.as_view()),
    re_path(r"^(v1|api|internal)(/.*)?$", views.unknown_api_path),
]
handler400 = views.bad_request
handler403 = views.permission_denied
handler404 = views.page_not_found
handler500 = views.server_error
