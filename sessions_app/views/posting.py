"""What the session page's forms do: the same inputs as the public API, answered by going back to the page."""

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.views.decorators.http import require_POST

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol.inputs import SessionEvent
from sessions_app.services import requesting
from sessions_app.services.policing.chains import chains_here
from sessions_app.services.receipts import Receipts
from sessions_app.views import questions, sessions
from sessions_app.views.answering import page, principal_of


@require_POST
@page
def post_message(request: HttpRequest, session_id: str) -> HttpResponse:
    """A message; one that cannot be taken comes back in the form, with the reason."""
    text = request.POST.get("text", "").strip()
    key = request.POST.get("key", "")
    if not text:
        return _back(session_id)
    content = [{"type": "input_text", "text": text}]
    try:
        _post(request, session_id, "message", {"role": "user", "content": content}, key)
    except OmnigentError as error:
        if error.code == ErrorCode.NOT_FOUND:
            raise
        return sessions.live_page(
            request, session_id, notice=error.message, draft=text, key=key, status=error.status
        )
    return _back(session_id)


@require_POST
@page
def interrupt(request: HttpRequest, session_id: str) -> HttpResponse:
    """Stop the turn that runs."""
    _post(request, session_id, "interrupt", {}, request.POST.get("key", ""))
    return _back(session_id)


@require_POST
@page
def answer_question(request: HttpRequest, session_id: str, elicitation_id: str) -> HttpResponse:
    """The verdict on a pending question; one that no longer waits is left as it is."""
    action = request.POST.get("action", "")
    if action not in questions.ACTIONS:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "Choose whether to approve or to decline.")
    question, _ = sessions.pending(principal_of(request), session_id, elicitation_id)
    if question is not None:
        verdict: dict[str, Any] = {"elicitation_id": elicitation_id, "action": action}
        if action == "accept":
            verdict["content"] = questions.content_of(question, request.POST.dict())
        _post(request, session_id, "approval", verdict, "")
    return _back(session_id)


def _post(request: HttpRequest, session_id: str, kind: str, data: dict[str, Any], key: str) -> None:
    asked_for = f"form {kind} {session_id} ".encode() + orjson.dumps(data)
    event = SessionEvent(type=kind, data=data)
    requesting.post_unattended(
        principal_of(request),
        session_id,
        event,
        Receipts(key or None, asked_for),
        chains_here(),
    )


def _back(session_id: str) -> HttpResponse:
    return HttpResponseRedirect(f"{reverse('session-detail', args=[session_id])}#composer")
