"""The page of a session's workspace: its frame. What it shows, its script asks the public API for."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from sessions_app import snapshot
from sessions_app.views.answering import page, principal_of
from sessions_app.views.sessions import read


@require_safe
@page
def session_files(request: HttpRequest, session_id: str) -> HttpResponse:
    """Changes and files of a session that the caller may read; who may see what, the API decides."""
    session, _ = read(principal_of(request), session_id, wanted=snapshot.NO_ITEMS)
    context = {"session": session, "after": session["resume_after"]}
    return render(request, "sessions/files.html", context)
