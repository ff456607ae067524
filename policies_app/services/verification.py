"""Reading the whole decision log again, to see whether it is as it was written."""

from collections.abc import Iterator
from typing import Any

from django.db.models import OuterRef, Subquery, TextField
from django.db.models.functions import Cast

from policies_app.models import Decision, DecisionHead
from policies_app.services import chain

READ_ROWS = 1000
ATTEMPTS = 5
AT = {name: place for place, name in enumerate(chain.COLUMNS)}
SELECTED = tuple(Cast(name, TextField()) if name in chain.JSON_COLUMNS else name for name in chain.COLUMNS)


class _Moved(Exception):
    """The log's beginning was forgotten while it was read."""


def verify() -> str | None:
    """The first fault of the log in words, None when there is none. Streams; others may append meanwhile."""
    for _ in range(ATTEMPTS):
        try:
            return _verify_once()
        except _Moved:
            continue
    return "the beginning of the log moves faster than it can be read"


def rows_between(after: int, last: int) -> Iterator[tuple[Any, ...]]:
    """The rows with `after` < seq <= `last` in order, their JSON columns as text, a page at a time."""
    while after < last:
        wanted = Decision.objects.filter(seq__gt=after, seq__lte=last).order_by("seq")
        page = list(wanted.values_list(*SELECTED)[:READ_ROWS])
        yield from page
        if len(page) < READ_ROWS:
            return
        after = page[-1][0]


def _verify_once() -> str | None:
    head = DecisionHead.objects.filter(pk=1).first()
    if head is None:
        is_empty = not Decision.objects.exists()
        return None if is_empty else "the head of the log is missing, so nobody can tell where it ends"
    if not chain.is_sealed(head):
        return "the seal does not fit the head of the log: it was changed, or made with another SECRET_KEY"
    fault = _fault_in_rows(head) or _fault_at_end()
    if fault and DecisionHead.objects.filter(pk=1).exclude(floor_seq=head.floor_seq).exists():
        raise _Moved
    return fault


def _fault_in_rows(head: DecisionHead) -> str | None:
    seq, hash_before = head.floor_seq, head.floor_hash
    for row in rows_between(head.floor_seq, head.seq):
        if row[0] != seq + 1:
            return _missing(seq + 1, row[0] - 1, is_first=seq == head.floor_seq)
        if chain.hash_of(row) != row[AT["hash"]] or row[AT["prev_hash"]] != hash_before:
            return f"row {row[0]} was edited: its hash does not fit"
        seq, hash_before = row[0], row[AT["hash"]]
    if seq != head.seq:
        return f"the end of the log is cut off: it stops at row {seq}, and {head.seq} were written"
    if hash_before != head.hash:
        return f"row {seq} was edited: it is not the one that the head of the log names"
    return None


def _missing(first: int, last: int, *, is_first: bool) -> str:
    rows = f"row {first} is" if first == last else f"rows {first} to {last} are"
    return f"the beginning of the log is cut off: {rows} missing" if is_first else f"{rows} missing"


def _fault_at_end() -> str | None:
    """Rows outside what the head says, by one statement, which sees one moment."""
    head = DecisionHead.objects.filter(pk=1)
    beyond = Decision.objects.filter(seq__gt=OuterRef("seq")).order_by("seq").values("seq")[:1]
    before = Decision.objects.filter(seq__lte=OuterRef("floor_seq")).order_by("seq").values("seq")[:1]
    found = head.values_list(Subquery(beyond), Subquery(before)).first()
    for seq in found or ():
        if seq is not None:
            return f"row {seq} was put in: the head of the log does not know of it"
    return None
