"""The agents page: what there is to start sessions with; people upload and delete their own."""

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_http_methods, require_POST

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.ids import mint
from sessions_app.services import agent_writing, receipts
from sessions_app.views.answering import page, principal_of
from sessions_app.views.picking import agents_of, hosts_of

NO_FILE = "Choose the bundle of an agent first, a .tar.gz archive."
NAMED = 3


@require_http_methods(["GET", "HEAD", "POST"])
@page
def agent_list(request: HttpRequest) -> HttpResponse:
    """The operator's agents and the caller's own; a posted bundle becomes one more of these."""
    return _upload(request) if request.method == "POST" else _page(request)


@require_POST
@page
def delete_agent(request: HttpRequest, agent_id: str) -> HttpResponse:
    """Delete one's own agent; one that sessions are bound to only when that has been confirmed."""
    principal = principal_of(request)
    is_forced = request.POST.get("force") == "true"
    asked_for = f"form delete {agent_id} {is_forced}".encode()
    try:
        claimed = receipts.claim(principal, request.POST.get("key") or None, asked_for=asked_for)
        agent_writing.delete_agent(principal, agent_id, claimed, is_forced=is_forced)
    except OmnigentError as error:
        if error.code != ErrorCode.AGENT_IN_USE:
            raise
        bound = error.detail["sessions"] if isinstance(error.detail, dict) else []
        in_use = {"agent_id": agent_id, "count": len(bound), "sessions": bound[:NAMED]}
        return _page(request, in_use=in_use, status=error.status)
    return HttpResponseRedirect(reverse("agent-list"))


def _upload(request: HttpRequest) -> HttpResponse:
    principal = principal_of(request)
    try:
        made = _kept(principal, request)
    except OmnigentError as error:
        return _page(request, upload_error=error.message, status=error.status)
    if request.POST.get("back") == "new":
        return HttpResponseRedirect(f"{reverse('session-new')}?{urlencode({'agent': made['id']})}")
    return HttpResponseRedirect(f"{reverse('agent-list')}#agent-{made['id']}")


def _kept(principal: Principal, request: HttpRequest) -> dict[str, Any]:
    file = request.FILES.get("bundle")
    if file is None:
        raise OmnigentError(ErrorCode.INVALID_INPUT, NO_FILE)
    data = file.read()
    claimed = receipts.claim(principal, request.POST.get("key") or None, asked_for=b"form agent " + data)
    made: dict[str, Any] = orjson.loads(agent_writing.post_agent(principal, data, claimed).body)
    return made


def _page(
    request: HttpRequest,
    *,
    upload_error: str = "",
    in_use: dict[str, Any] | None = None,
    status: int = 200,
) -> HttpResponse:
    hosts = hosts_of(principal_of(request))
    own, builtin = agents_of(principal_of(request), hosts)
    in_question = in_use and next((agent for agent in own if agent.id == in_use["agent_id"]), None)
    context = {
        "nav": "agents",
        "own": own,
        "builtin": builtin,
        "online_hosts": sum(host.is_online for host in hosts),
        "upload_error": upload_error,
        "in_use": in_use and {**in_use, "agent": in_question},
        "key": mint("key"),
    }
    return render(request, "sessions/agents.html", context, status=status)
