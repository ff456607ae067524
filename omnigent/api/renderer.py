"""JSON out: orjson for DRF responses and for plain Django views."""

from collections.abc import Iterable, Mapping
from typing import Any

import orjson
from django.http import HttpResponse
from rest_framework.negotiation import BaseContentNegotiation
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request

from omnigent.api.errors import error_body


class OrjsonRenderer(BaseRenderer):
    """Renders plain data; `orjson.Fragment` members splice stored JSON without parsing it."""

    media_type = "application/json"
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,  # whatever JSON a view answers
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else orjson.dumps(data)


class AlwaysJson(BaseContentNegotiation):
    """The API speaks JSON whatever `Accept` says; released clients send odd ones."""

    def select_parser(self, request: Request, parsers: Iterable[BaseParser]) -> BaseParser | None:
        content_type = request.content_type.partition(";")[0].strip().lower()
        for parser in parsers:
            if parser.media_type in (content_type, "*/*"):
                return parser
        return None

    def select_renderer(
        self, request: Request, renderers: Iterable[BaseRenderer], format_suffix: str | None = None
    ) -> tuple[BaseRenderer, str]:
        renderer = next(iter(renderers))
        return renderer, str(renderer.media_type)


def json_response(
    body: object, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> HttpResponse:
    return HttpResponse(
        orjson.dumps(body), status=status, content_type="application/json", headers=dict(headers or {})
    )


def json_error(exc: BaseException) -> HttpResponse:
    status, body, headers = error_body(exc)
    return json_response(body, status=status, headers=headers)
