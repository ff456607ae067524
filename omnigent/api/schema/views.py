"""`/openapi.json` and `/docs`."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from omnigent.api.schema.browsing import chapters
from omnigent.api.schema.document import document
from omnigent.version import VERSION


@require_safe
def openapi(request: HttpRequest) -> HttpResponse:
    """The description of every route, in OpenAPI 3.1."""
    return HttpResponse(document(), content_type="application/json")


@require_safe
def docs(request: HttpRequest) -> HttpResponse:
    """The same to read; a page of our own, so that nothing is loaded from elsewhere."""
    return render(request, "docs.html", {"chapters": chapters(), "version": VERSION})
