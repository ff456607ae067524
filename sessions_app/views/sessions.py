"""The pages that show sessions: the list, one session, and the fragments that keep it current."""

from typing import Any

import orjson
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.http import urlencode
from django.views.decorators.http import require_safe

from omnigent.accounts.identity import Principal
from omnigent.api.pagination import PageQuery
from omnigent.ids import ITEM, SESSION, mint
from sessions_app import listing, snapshot, transcript
from sessions_app.services import access
from sessions_app.views import entries, panels, questions, stored
from sessions_app.views.answering import page, plain, principal_of
from sessions_app.views.family import Family, family_of
from sessions_app.views.picking import hosts_of

PAGE = 40
TAIL = 200
STRIPS = {"idle": "Ready.", "running": "Working…"}
UNSENT = "The first message could not be sent yet. It is kept below; send it again."
NEWEST_FIRST = listing.Filters(sort_by="updated_at")

Shown = dict[str, Any]  # an answer of the API, read back


@require_safe
@page
def session_list(request: HttpRequest) -> HttpResponse:
    """The caller's sessions, the most recently changed first."""
    principal = principal_of(request)
    after = request.GET.get("after")
    ask = PageQuery(limit=PAGE, after=after).page(SESSION)
    shown = plain(listing.read(_viewer(principal), NEWEST_FIRST, ask))
    own = reverse("session-list")
    older = f"{own}?{urlencode({'after': shown['last_id']})}" if shown["has_more"] else ""
    context = {
        "nav": "list",
        "rows": shown["data"],
        "older_url": older,
        "newest_url": own if after else "",
        "hosts": _hosts_online(principal),
    }
    return render(request, "sessions/list.html", context)


@require_safe
@page
def session_detail(request: HttpRequest, session_id: str) -> HttpResponse:
    """One session: its transcript, live; with `?before=<item>` an earlier part of it, at rest."""
    before = request.GET.get("before")
    if before:
        return _earlier(request, session_id, before)
    draft = request.GET.get("draft", "")
    return live_page(request, session_id, notice=UNSENT if draft else "", draft=draft)


def live_page(
    request: HttpRequest,
    session_id: str,
    *,
    notice: str = "",
    draft: str = "",
    key: str = "",
    status: int = 200,
) -> HttpResponse:
    """The session with its newest items; `notice` says why what was posted was not taken."""
    session, pk = read(principal_of(request), session_id)
    items = session["items"]
    calls = stored.calls_under_way(pk, seq=session["resume_after"]) if session["status"] == "running" else []
    active = session["active_response_id"]
    beside = panels.context(pk, seq=session["resume_after"])
    has_earlier = len(items) == transcript.SNAPSHOT_ITEMS
    context = {
        **_common(session),
        **beside,
        "entries": entries.build(items, active_response_id=active),
        "under_way": entries.running(calls),
        "questions": questions.questions(session["pending_elicitations"], session["id"]),
        "after": session["resume_after"],
        "is_live": True,
        "earlier_url": _earlier_url(session["id"], items[0]["id"]) if has_earlier else "",
        "strip": _strip(session, beside["family"]),
        "notice": notice,
        "draft": draft,
        "key": key or mint("key"),
        "interrupt_key": mint("key"),
    }
    return render(request, "sessions/detail.html", context, status=status)


def _earlier(request: HttpRequest, session_id: str, before: str) -> HttpResponse:
    session, pk = read(principal_of(request), session_id, wanted=snapshot.NO_ITEMS)
    ask = PageQuery(limit=transcript.SNAPSHOT_ITEMS, after=before, order="desc").page(ITEM)
    older = orjson.loads(transcript.page(pk, ask))
    items = older["data"][::-1]
    context = {
        **_common(session),
        **panels.context(pk, seq=session["resume_after"]),
        "entries": entries.build(items),
        "is_live": False,
        "earlier_url": _earlier_url(session["id"], items[0]["id"]) if older["has_more"] else "",
    }
    return render(request, "sessions/detail.html", context)


@require_safe
@page
def item_fragment(request: HttpRequest, session_id: str, item_id: str) -> HttpResponse:
    """One entry of the transcript."""
    way = access.require(principal_of(request), session_id, access.Level.READ)
    return _fragment(request, way.public_id, stored.item_with_partner(way.pk, item_id))


@require_safe
@page
def call_fragment(request: HttpRequest, session_id: str, call_id: str) -> HttpResponse:
    """The card of a tool call, with its output when that is there."""
    way = access.require(principal_of(request), session_id, access.Level.READ)
    return _fragment(request, way.public_id, stored.call_with_output(way.pk, call_id))


@require_safe
@page
def tail_fragment(request: HttpRequest, session_id: str) -> HttpResponse:
    """Everything that is stored past `?after=<item>`."""
    way = access.require(principal_of(request), session_id, access.Level.READ)
    ask = PageQuery(limit=TAIL, after=request.GET.get("after") or None, order="asc").page(ITEM)
    return _fragment(
        request, way.public_id, orjson.loads(transcript.page(way.pk, ask))["data"], may_be_empty=True
    )


@require_safe
@page
def family_fragment(request: HttpRequest, session_id: str) -> HttpResponse:
    """The list of the session's sub-agents."""
    way = access.require(principal_of(request), session_id, access.Level.READ)
    return render(request, "sessions/partials/family.html", {"family": family_of(way.pk)})


@require_safe
@page
def agent_fragment(request: HttpRequest, session_id: str) -> HttpResponse:
    """The panel of the session's agent."""
    session, pk = read(principal_of(request), session_id, wanted=snapshot.NO_ITEMS)
    context = {**_common(session), "agent": panels.beside(pk).agent}
    return render(request, "sessions/partials/agent.html", context)


@require_safe
@page
def item_output(request: HttpRequest, session_id: str, item_id: str) -> HttpResponse:
    """The whole output of a tool call, as plain text."""
    way = access.require(principal_of(request), session_id, access.Level.READ)
    text = stored.output_text(way.pk, item_id)
    if text is None:
        raise access.not_found()
    return HttpResponse(text, content_type="text/plain; charset=utf-8")


@require_safe
@page
def question_fragment(request: HttpRequest, session_id: str, elicitation_id: str) -> HttpResponse:
    """The card of one pending question."""
    question, _ = pending(principal_of(request), session_id, elicitation_id)
    if question is None:
        raise access.not_found()
    return render(request, "sessions/partials/elicitation.html", {"question": question})


@require_safe
@page
def approve(request: HttpRequest, session_id: str, elicitation_id: str) -> HttpResponse:
    """The page that an approval's link opens."""
    question, public_id = pending(principal_of(request), session_id, elicitation_id)
    return render(request, "sessions/approve.html", {"question": question, "session_id": public_id})


def read(
    principal: Principal, session_id: str, *, wanted: snapshot.Wanted = snapshot.EVERYTHING
) -> tuple[Shown, int]:
    """The snapshot of a session that the caller may read, and its key. Raises 404."""
    way = access.require(principal, session_id, access.Level.READ)
    found = snapshot.read(way.pk, permission_level=way.level, wanted=wanted)
    if found is None:
        raise access.not_found()
    return plain(found), way.pk


def pending(
    principal: Principal, session_id: str, elicitation_id: str
) -> tuple[questions.Question | None, str]:
    """The card of a question that waits in the session or below it, and the session's id."""
    session, _ = read(principal, session_id, wanted=snapshot.NO_ITEMS)
    public_id = str(session["id"])
    return questions.find(session["pending_elicitations"], public_id, elicitation_id), public_id


def _hosts_online(principal: Principal) -> int:
    return sum(host.is_online for host in hosts_of(principal))


def _viewer(principal: Principal) -> listing.Viewer:
    is_single = access.is_single_user()
    return listing.Viewer(
        user_id=principal.user_id, sees_all=is_single or principal.sees_everything, shows_level=not is_single
    )


def _common(session: Shown) -> Shown:
    used, size = session["last_total_tokens"], session["context_window"]
    context = "" if used is None else f"{used:,} of {size:,} tokens" if size else f"{used:,} tokens"
    return {
        "session": session,
        "session_id": session["id"],
        "model": session["model_override"] or session["llm_model"] or "",
        "context": context,
    }


def _strip(session: Shown, family: Family) -> str:
    if session["status"] == "waiting":
        return family.waiting_line
    if session["status"] != "failed":
        return STRIPS.get(session["status"], "")
    message = (session["last_task_error"] or {}).get("message")
    return f"The last turn failed: {message}" if message else "The last turn failed."


def _earlier_url(session_id: str, item_id: str) -> str:
    return f"{reverse('session-detail', args=[session_id])}?{urlencode({'before': item_id})}"


def _fragment(
    request: HttpRequest, session_id: str, items: list[Shown], *, may_be_empty: bool = False
) -> HttpResponse:
    if not items and not may_be_empty:
        raise access.not_found()
    context = {"entries": entries.build(items), "session_id": session_id}
    return render(request, "sessions/partials/entries.html", context)
