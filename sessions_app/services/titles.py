"""Titles that no person chose: cut from the first message, then replaced by a better proposal."""

from collections.abc import Mapping
from typing import Any, Literal

import orjson

from omnigent.accounts.identity import Principal
from omnigent.protocol import items
from sessions_app.models import Item, Session
from sessions_app.services import access, changes, rules
from sessions_app.services.access import Level
from sessions_app.services.messages import short_title
from sessions_app.services.tick import tick_of

Author = Literal["client", "agent"]
SHORTEST = 2
SEEDS = 20
"""How many messages are looked at; a title is cut from the first one that has words."""


def propose_title(*, principal: Principal, session_id: str, title: str, author: Author) -> Mapping[str, Any]:
    """Give a top-level session a better title, unless a person has named it.

    A client may replace what was cut from the first message; an agent also what it or a client proposed
    before. Gives `renamed`, the `title` that stands, and the `reason` it was kept: `not_top_level`,
    `no_seed` (nothing was said yet) or `title_changed`.
    """
    found = access.require(principal, session_id, Level.EDIT)
    wanted = _one_line(title)
    with tick_of([found.pk]) as tick:
        session = tick.sessions.get(found.pk)
        if session is None:
            raise access.not_found()
        if session.parent_id is not None:
            return _kept(session, "not_top_level")
        if session.title == wanted and session.auto_title == wanted:
            return {"renamed": True, "title": wanted, "reason": None}
        seed = _seed(session)
        if not seed:
            return _kept(session, "no_seed")
        replaceable = {"", seed} | ({session.auto_title} if author == "agent" else set())
        if session.title not in replaceable:
            return _kept(session, "title_changed")
        changes.set_title(tick, session, wanted)
        session.auto_title = wanted
        session.updated_at = tick.now
    return {"renamed": True, "title": wanted, "reason": None}


def _one_line(title: str) -> str:
    wanted = title.strip(" ")
    if not wanted.isprintable():
        raise rules.invalid("title must be one line without control characters")
    if len(wanted) < SHORTEST:
        raise rules.invalid(f"title must have at least {SHORTEST} characters")
    return wanted


def _kept(session: Session, reason: str) -> Mapping[str, Any]:
    return {"renamed": False, "title": session.title or None, "reason": reason}


def _seed(session: Session) -> str:
    """What the first message of a person is cut to; empty when none has text."""
    said = Item.objects.filter(session=session, type=items.Message.type).order_by("position")
    for text in said.values_list("data", flat=True)[:SEEDS]:
        data = orjson.loads(text)
        if data.get("role") == "user" and (seed := short_title(items.text_of(data.get("content") or []))):
            return seed
    return ""
