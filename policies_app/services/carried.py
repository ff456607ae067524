"""Decisions in archives: rows of the log that an export takes along, and rows that an import brought.

What an import brings is somebody's word: it is kept beside this server's log, never in it. A row is carried
as the canonical text that it had in its own log, so that whoever holds it can still check its hashes.
"""

import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

from django.conf import settings
from django.db.models import Max, QuerySet
from django.utils import timezone
from django.utils.crypto import salted_hmac

from policies_app.models import Decision, ImportedDecision
from policies_app.services import chain
from policies_app.services.verification import AT, SELECTED

ROWS = 250
"""So many are read with one statement."""
PRUNE_ROWS = 5000
MAX_TEXT = 1024 * 1024
"""Characters of a row's text; those of a log are far below it."""
MAX_NAMED = 1000
"""So many sessions are named in a statement; of more, the whole tree is read."""
ORIGIN_SALT = "policies_app.decision_origin"


@dataclass(frozen=True, kw_only=True, slots=True)
class Carried:
    """A decision in an archive: of which session here, of which log, and its row's text in that log."""

    session_id: str
    origin: str
    text: str
    is_whole: bool = True


@dataclass(frozen=True, kw_only=True, slots=True)
class Span:
    """What there was of a tree's decisions when its export began: up to `imported` by key, `own` by `seq`."""

    root_session_id: str
    imported: int
    own: int


class Link(NamedTuple):
    """A row's place in the chain of its log."""

    origin: str
    seq: int
    prev_hash: str
    hash: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Findings:
    """What there is of imported decisions: rows, runs of rows that follow each other, the first fault."""

    rows: int
    runs: int
    fault: str | None


def origin() -> str:
    """A name for this server's log that tells nothing of its key; another SECRET_KEY is another name."""
    digest = salted_hmac(ORIGIN_SALT, "", secret=settings.SECRET_KEY, algorithm="sha256").hexdigest()
    return f"log_{digest[:32]}"


def text_of(values: Mapping[str, Any]) -> str:
    """A row as canonical text. Raises ValueError unless its hash is the one that it must have."""
    rest = {name: value for name, value in values.items() if name != "hash"}
    found = hashlib.sha256(f"{values['prev_hash']}{chain.json_text(rest)}".encode()).hexdigest()
    if values["hash"] != found:
        raise ValueError("hash: it does not fit the decision")
    text = chain.json_text(values)
    if len(text) > MAX_TEXT:
        raise ValueError(f"decision: has more than {MAX_TEXT} characters")
    return text


def link_of(origin: str, values: Mapping[str, Any]) -> Link:
    """The place of a row."""
    return Link(origin, values["seq"], values["prev_hash"], values["hash"])


def is_torn(before: Link | None, row: Link) -> bool:
    """Whether two neighbours of one log are not linked by their hashes, so that one of them was exchanged."""
    return before is not None and _follows(before, row) and before.hash != row.prev_hash


def _follows(before: Link, row: Link) -> bool:
    return (before.origin, before.seq + 1) == (row.origin, row.seq)


def span(root_session_id: str) -> Span:
    """What there is now of a tree; two statements."""
    own = Decision.objects.aggregate(last=Max("seq"))["last"]
    imported = ImportedDecision.objects.aggregate(last=Max("pk"))["last"]
    return Span(root_session_id=root_session_id, imported=imported or 0, own=own or 0)


def read(asked: Span, session_ids: Collection[str]) -> Iterator[Carried]:
    """The decisions of these sessions of a tree, a page at a time: imported ones first, as they came."""
    wanted: dict[str, Any] = {"root_session_id": asked.root_session_id}
    if len(session_ids) <= MAX_NAMED:
        wanted["session_id__in"] = list(session_ids)
    brought = ImportedDecision.objects.filter(**wanted, pk__lte=asked.imported).order_by("pk")
    for _, session_id, log, text in _pages(brought, ("pk", "session_id", "origin", "text"), asked.imported):
        if session_id in session_ids:
            yield Carried(session_id=session_id, origin=log, text=text, is_whole=_values(text) is not None)
    here = origin()
    logged = Decision.objects.filter(**wanted, seq__lte=asked.own).order_by("seq")
    for row in _pages(logged, SELECTED, asked.own):
        if row[AT["session_id"]] in session_ids:
            text = chain.row_text(row, with_hash=True)
            is_whole = chain.hash_of(row) == row[AT["hash"]] and len(text) <= MAX_TEXT
            yield Carried(session_id=row[AT["session_id"]], origin=here, text=text, is_whole=is_whole)


def store(rows: Sequence[Carried], *, root_session_id: str, by: str) -> None:
    """Keep what an archive has brought, in its order, inside the transaction of the import."""
    now = timezone.now()
    ImportedDecision.objects.bulk_create(
        ImportedDecision(
            session_id=row.session_id,
            root_session_id=root_session_id,
            origin=row.origin,
            text=row.text,
            imported_at=now,
            imported_by=by,
            **_columns(json.loads(row.text)),
        )
        for row in rows
    )


def prune(before: datetime) -> int:
    """Forget what was imported before; returns how many."""
    removed = 0
    old = ImportedDecision.objects.filter(imported_at__lt=before)
    while pks := list(old.values_list("pk", flat=True)[:PRUNE_ROWS]):
        removed += ImportedDecision.objects.filter(pk__in=pks).delete()[0]
    return removed


def inspect() -> Findings:
    """Read all imported decisions again: whether each is as its log had it, and linked to its neighbours."""
    rows = runs = 0
    fault: str | None = None
    tree, before = "", None
    for row in _in_trees():
        values = _values(row.text)
        if values is None or any(getattr(row, name) != value for name, value in _columns(values).items()):
            return Findings(rows=rows, runs=runs, fault=f"imported decision {row.imported_id} was edited")
        here = link_of(row.origin, values)
        if row.root_session_id != tree:
            tree, before = row.root_session_id, None
        if is_torn(before, here):
            fault = fault or f"imported decision {row.imported_id} does not follow the one before it"
        runs += before is None or not _follows(before, here)
        rows, before = rows + 1, here
    return Findings(rows=rows, runs=runs, fault=fault)


def _in_trees() -> Iterator[ImportedDecision]:
    """All of them, tree by tree in their order, a page at a time."""
    tree, last = "", 0
    while True:
        rest = ImportedDecision.objects.filter(root_session_id=tree, pk__gt=last).order_by("pk")
        page = list(rest[:ROWS])
        yield from page
        if len(page) == ROWS:
            last = page[-1].pk
            continue
        later = ImportedDecision.objects.filter(root_session_id__gt=tree).order_by("root_session_id")
        following = later.values_list("root_session_id", flat=True).first()
        if following is None:
            return
        tree, last = following, 0


def _pages(rows: QuerySet[Any], columns: Sequence[Any], last: int) -> Iterator[tuple[Any, ...]]:
    """All rows, which are in the order of their key, the first column, and end with `last` at the latest."""
    after = 0
    while after < last:
        page = list(rows.filter(pk__gt=after).values_list(*columns)[:ROWS])
        yield from page
        if len(page) < ROWS:
            return
        after = page[-1][0]


def _values(text: str) -> dict[str, Any] | None:
    """The row that a text is; None when it is not one any more."""
    try:
        values: dict[str, Any] = json.loads(text)
        return values if text_of(values) == text else None
    except (ValueError, KeyError, TypeError, AttributeError):
        return None


def _columns(values: Mapping[str, Any]) -> dict[str, Any]:
    """What lists find a row by."""
    named = {name: values[name] or "" for name in ("actor", "phase", "verdict", "policy_id")}
    return {**named, "created_at": datetime.fromtimestamp(values["created_at"], tz=UTC)}
