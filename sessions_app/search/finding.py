"""Which sessions hold a text: from the index when few do, by walking the caller's own list when many do."""

import itertools
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from sessions_app.models import Item, SearchText, Session
from sessions_app.search import indexing
from sessions_app.search.limits import Deadline, TimeIsUpError, limited
from sessions_app.search.words import folded, snippet, spoken
from sessions_app.statements import Row, query

FEW = 1000
"""Up to so many hits the index names the sessions."""

TRIGRAM = 3
CHUNKS = (64, 256, 1024, 4096, 16384)
"""How many sessions are walked at a time: more and more, so that there are few statements for a long list."""

SHARE = 0.5
"""Of the time that is left: what catching up may take, and then the index."""
SNIPPET_SECONDS = 0.25

ITEM, TEXT, SESSION = Item._meta.db_table, SearchText._meta.db_table, Session._meta.db_table
ESCAPED = r"\\\1"
WILDCARDS = re.compile(r"([%_\\])")

Chunk = Callable[[str | None, int], Sequence[Row]]
"""The next sessions of the caller's list after a public id: (key, public id, whether it holds the text)."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Found:
    """Keys of sessions that hold the text, enough for a page; `is_partial` when the time was up before."""

    keys: Sequence[int]
    is_partial: bool


@dataclass(frozen=True, slots=True)
class _Probe:
    """The first hits of the index in items and in titles, and whether it misses items."""

    is_behind: bool
    in_items: Sequence[int]
    in_titles: Sequence[int]

    @property
    def is_complete(self) -> bool:
        return max(len(self.in_items), len(self.in_titles)) <= FEW


def find(text: str, wanted: int, chunk: Chunk) -> Found:
    """Sessions that hold the text anywhere, whoever may read them; or, when there are many of them, the first
    `wanted` of the list that `chunk` reads.
    """
    budget: float = settings.OMNIGENT_SEARCH_SECONDS
    deadline = Deadline(budget)
    needle = folded(text)
    is_current = True
    try:
        probe, is_current = _looked_up(needle, deadline)
        if len(needle) >= TRIGRAM and probe.is_complete:
            return Found(keys=sorted({*probe.in_items, *probe.in_titles}), is_partial=not is_current)
    except TimeIsUpError:
        # What the index cannot tell in time may stand at the head of the list.
        pass
    keys, is_finished = _walk(chunk, wanted, deadline)
    is_enough = len(keys) >= wanted
    return Found(keys=keys, is_partial=not (is_enough or (is_finished and is_current)))


def _looked_up(needle: str, deadline: Deadline) -> tuple[_Probe, bool]:
    """What the index knows once it is up to date, or when it could not be brought there: false."""
    probe = _probe(needle, deadline)
    if not probe.is_behind:
        return probe, True
    is_current = indexing.catch_up(Deadline(deadline.left * SHARE))
    try:
        return _probe(needle, deadline), is_current
    except TimeIsUpError:
        return probe, False


def _walk(chunk: Chunk, wanted: int, deadline: Deadline) -> tuple[list[int], bool]:
    """The first hits of the list, and whether it was read to its end or far enough."""
    hits: dict[int, None] = {}
    sizes = itertools.chain([size for size in CHUNKS if size >= wanted], itertools.repeat(CHUNKS[-1]))
    after = None
    while len(hits) < wanted:
        size = next(sizes)
        try:
            with limited(deadline):
                rows = chunk(after, size)
        except TimeIsUpError:
            return list(hits), False
        hits.update((row[0], None) for row in rows if row[2])
        if len(rows) < size:
            return list(hits), True
        after = rows[-1][1]
    return list(hits), True


def id_list(keys: Sequence[int]) -> str:
    """Keys as the one parameter that `KEYS_FROM` reads."""
    inner = ",".join(map(str, keys))
    return f"{{{inner}}}" if connection.vendor == "postgresql" else f"[{inner}]"


def keys_from() -> str:
    """A table expression with the column `value`, out of what `id_list` made."""
    if connection.vendor == "postgresql":
        return "unnest(%s::bigint[]) AS chosen(value)"
    return "json_each(%s) AS chosen"


def snippets(text: str, keys: Sequence[int]) -> dict[int, str]:
    """The earliest hit in each session's items, with its surroundings, where that is more than blanks.

    Raises `TimeIsUpError`.
    """
    place = "STRPOS" if connection.vendor == "postgresql" else "INSTR"
    earliest = (
        f"SELECT t.item_id FROM {TEXT} t WHERE t.session_id = chosen.value AND {place}(t.text, %s) > 0 "
        "ORDER BY t.item_id LIMIT 1"
    )
    sql = (
        "SELECT hit.session_id, item.data FROM "
        f"(SELECT chosen.value AS session_id, ({earliest}) AS item_id FROM {keys_from()}) hit "
        f"JOIN {ITEM} item ON item.id = hit.item_id"
    )
    with limited(Deadline(SNIPPET_SECONDS)):
        rows = query(sql, [folded(text), id_list(keys)])
    shown = ((session, snippet(spoken(data), text)) for session, data in rows)
    return {session: words for session, words in shown if words}


def _probe(needle: str, deadline: Deadline) -> _Probe:
    """One statement. For a needle too short for trigrams it only says whether items are missing.

    PostgreSQL may read all texts instead, when it lacks the index or the needle has no letter that it knows.
    """
    behind = f"SELECT -1, CASE WHEN {indexing.is_behind()} THEN 1 ELSE 0 END"
    with limited(Deadline(deadline.left * SHARE)):
        if len(needle) < TRIGRAM:
            rows = query(behind, [])
        elif connection.vendor == "postgresql":
            pattern = f"%{WILDCARDS.sub(ESCAPED, needle)}%"
            items = f"SELECT session_id FROM {TEXT} WHERE text LIKE %s LIMIT {FEW + 1}"
            titles = f"SELECT id FROM {SESSION} WHERE folded_title LIKE %s LIMIT {FEW + 1}"
            rows = query(
                f"{behind} UNION ALL (SELECT 0, session_id FROM ({items}) i) "
                f"UNION ALL (SELECT 1, id FROM ({titles}) t)",
                [pattern, pattern],
            )
        else:
            match = '"' + needle.replace('"', '""') + '"'
            items = (
                f"SELECT session_id FROM {TEXT} WHERE item_id IN (SELECT rowid FROM sessions_app_searchindex "
                f"WHERE sessions_app_searchindex MATCH %s LIMIT {FEW + 1})"
            )
            titles = f"SELECT id FROM {SESSION} WHERE INSTR(folded_title, %s) > 0 LIMIT {FEW + 1}"
            rows = query(
                f"{behind} UNION ALL SELECT 0, session_id FROM ({items}) "
                f"UNION ALL SELECT 1, id FROM ({titles})",
                [match, needle],
            )
    return _Probe(
        is_behind=any(kind == -1 and value for kind, value in rows),
        in_items=[value for kind, value in rows if kind == 0],
        in_titles=[value for kind, value in rows if kind == 1],
    )
