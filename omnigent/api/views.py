"""What every deployment answers about itself, and the answers to what does not exist."""

from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.module_loading import import_string
from django.views.decorators.csrf import csrf_exempt
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from omnigent.api.asgi import Receive, Scope, Send, send_error, send_json
from omnigent.api.errors import internal_error, not_found
from omnigent.api.renderer import json_error
from omnigent.api.schema import server as shapes
from omnigent.api.schema.describing import describes
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.version import VERSION

HEALTH_BODY = b'{"status":"ok"}'
API_ROOTS = ("/v1", "/api", "/internal", "/health")


async def health(scope: Scope, receive: Receive, send: Send) -> None:
    """`/health` without Django, for the router: the answer of a process whose loop still turns."""
    if scope["method"] in ("GET", "HEAD"):
        await send_json(send, 200, HEALTH_BODY)
    else:
        await send_error(send, not_found())


class Health(APIView):
    """The same answer in the URLconf, where the documentation and the access table see it."""

    permission_classes = (AllowAny,)

    @describes(shapes.HealthShape)
    def get(self, request: Request) -> Response:
        """Whether this process answers."""
        return Response({"status": "ok"})


class Version(APIView):
    """Which version this is."""

    permission_classes = (AllowAny,)

    @describes(shapes.VersionShape)
    def get(self, request: Request) -> Response:
        """The server's version."""
        return Response({"version": VERSION})


class Info(APIView):
    """What clients ask before they log in: how to, and which features to offer."""

    permission_classes = (AllowAny,)

    @describes(shapes.InfoShape)
    def get(self, request: Request) -> Response:
        """The facts that decide how a client begins."""
        return Response(
            {
                "accounts_enabled": False,
                "single_user": settings.OMNIGENT_AUTH_MODE == "single-user",
                "needs_setup": False,
                "login_url": None,
                "server_version": VERSION,
                "managed_sandboxes_enabled": False,
                "sandbox_provider": None,
                "sandbox_providers": [],
                "enabled_connections": [],
                "features": {},
                "harness_install_enabled": False,
                "agent_install": True,
                "installable_harnesses": [],
                "dictation_available": False,
                "smart_routing_enabled": False,
                "databricks_features": False,
                "branding": None,
                **self.of_applications(),
            }
        )

    def of_applications(self) -> dict[str, Any]:
        """What the applications above say of themselves; the settings name them."""
        parts = [import_string(path)() for path in settings.OMNIGENT_INFO]
        return {name: value for part in parts for name, value in part.items()}


@csrf_exempt
def unknown_api_path(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """The last route under an API prefix."""
    return json_error(not_found())


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    if is_api(request.path):
        return json_error(not_found())
    return render(request, "404.html", status=404)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    return json_error(exception)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponse:
    return json_error(exception)


def csrf_failure(request: HttpRequest, reason: str = "") -> HttpResponse:
    return json_error(OmnigentError(ErrorCode.FORBIDDEN, "Form expired: reload the page and try again"))


def server_error(request: HttpRequest) -> HttpResponse:
    if is_api(request.path):
        return json_error(internal_error())
    # No context processors: whatever broke may be among what they need.
    return render(None, "500.html", status=500)


def is_api(path: str) -> bool:
    return any(path == root or path.startswith(f"{root}/") for root in API_ROOTS)
