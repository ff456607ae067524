"""Exactly-once writes: the answer to a request is kept under its caller's key and given again on a retry.

A write of one transaction is wrapped in `once`. A write that waits on a tunnel in between calls `look` first,
`take` with the id of what it makes in the transaction that commits it, and `settle` when its answer is known;
a retry that finds the maker gone gets that id and goes on from there.
"""

import hashlib
import string
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from functools import cache
from typing import Any

import orjson
from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.models import Receipt

MAX_KEY = 255
VISIBLE = frozenset(string.printable) - frozenset(string.whitespace)


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """One request under a key: who sends it, and a digest of what it asks for."""

    caller: str
    key: str
    fingerprint: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What a request is answered with; `body` is JSON text."""

    status: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a claim: its answer, or what an abandoned attempt has made, or neither."""

    answer: Answer | None = None
    resource: str = ""


UNKNOWN = Known()


def claim(principal: Principal, key: str | None, *, asked_for: bytes) -> Claim | None:
    """The claim that a key makes; None without one. `asked_for` holds method, path and body."""
    if key is None:
        return None
    if not 0 < len(key) <= MAX_KEY or not VISIBLE.issuperset(key):
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, f"Idempotency-Key must be 1 to {MAX_KEY} visible ASCII characters"
        )
    caller = f"{principal.user_id}/{principal.runner_id}" if principal.runner_id else principal.user_id
    return Claim(caller=caller, key=key, fingerprint=hashlib.sha256(asked_for).hexdigest())


def once(claimed: Claim | None, work: Callable[[], Answer]) -> Answer:
    """Do `work` in a transaction together with its receipt, or give the answer it gave before."""
    with transaction.atomic():
        if claimed is None:
            return work()
        known = take(claimed)
        if known.answer is not None:
            return known.answer
        answer = work()
        settle(claimed, answer)
        return answer


def look(claimed: Claim | None) -> Known:
    """What earlier attempts left. Raises when the key was used for something else, or is in use right now."""
    if claimed is None:
        return UNKNOWN
    receipt = Receipt.objects.filter(caller=claimed.caller, key=claimed.key).first()
    return UNKNOWN if receipt is None else _known(claimed, receipt)


def take(claimed: Claim, *, resource: str = "") -> Known:
    """Hold the key from now on, inside the caller's transaction, which makes `resource`."""
    now = timezone.now()
    with connection.cursor() as cursor:
        stamp = connection.ops.adapt_datetimefield_value(now)
        row = (claimed.caller, claimed.key, claimed.fingerprint, "", resource, stamp)
        cursor.execute(_insert_text(), row)
        if cursor.fetchone() is not None:
            return UNKNOWN
    receipt = Receipt.objects.select_for_update().get(caller=claimed.caller, key=claimed.key)
    known = _known(claimed, receipt)
    if known.answer is None:
        receipt.created_at = now
        receipt.resource = receipt.resource or resource
        receipt.save(update_fields=["created_at", "resource"])
    return known


def settle(claimed: Claim | None, answer: Answer) -> None:
    """Keep the answer."""
    if claimed is not None:
        Receipt.objects.filter(caller=claimed.caller, key=claimed.key).update(
            status=answer.status, answer=answer.body.decode()
        )


def hold_term() -> timedelta:
    """How long an attempt without an answer counts as under way: longer than a launch may take."""
    return timedelta(seconds=settings.OMNIGENT_LAUNCH_SECONDS)


def release_all() -> None:
    """Let unanswered attempts be taken up at once; only for the start of a server that is alone."""
    Receipt.objects.filter(status__isnull=True).update(created_at=timezone.now() - hold_term())


def _known(claimed: Claim, receipt: Receipt) -> Known:
    if receipt.fingerprint != claimed.fingerprint:
        raise OmnigentError(
            ErrorCode.IDEMPOTENCY_MISMATCH, "This Idempotency-Key was used for a different request"
        )
    if receipt.status is not None:
        return Known(Answer(receipt.status, receipt.answer.encode()))
    if receipt.created_at > timezone.now() - hold_term():
        raise OmnigentError(
            ErrorCode.IDEMPOTENCY_IN_FLIGHT,
            "A request with this Idempotency-Key is under way",
            headers={"Retry-After": "1"},
        )
    return Known(resource=receipt.resource)


@cache
def _insert_text() -> str:
    table = connection.ops.quote_name(Receipt._meta.db_table)
    columns = "caller, key, fingerprint, answer, resource, created_at"
    return (
        f"INSERT INTO {table} ({columns}) VALUES (%s, %s, %s, %s, %s, %s) "
        "ON CONFLICT (caller, key) DO NOTHING RETURNING id"
    )


class Receipts:
    """The receipt of one write whose answer is a JSON object, for services that open their own transaction.

    with receipts.replayed(principal) as replay:
        if replay is None:
            …
            receipts.record(202, answer)

    A write that goes on after the transaction records its answer when it is done, or releases the key. It may
    note what it has made by then: `resource` is what an attempt that came to no end has noted.
    `part` counts the writes of a batch: the first one holds the key itself, the others keys made of it.
    """

    def __init__(self, key: str | None, asked_for: bytes, *, part: int = 0) -> None:
        self._key = key
        self._asked_for = asked_for
        self._part = part
        self._claimed: Claim | None = None
        self.resource = ""

    @contextmanager
    def replayed(self, principal: Principal) -> Iterator[Mapping[str, Any] | None]:
        """A transaction that holds the key; gives the answer of an earlier request under it, if any."""
        with transaction.atomic():
            self._claimed = self._claim(principal)
            known = UNKNOWN if self._claimed is None else take(self._claimed)
            self.resource = known.resource
            yield None if known.answer is None else orjson.loads(known.answer.body)

    def is_answered(self, principal: Principal) -> bool:
        """Whether an earlier request under the key was answered. Raises as `look` does."""
        claimed = self._claim(principal)
        return look(claimed).answer is not None

    def name(self, principal: Principal) -> str:
        """The key with its caller, as one word for both; empty without a key."""
        claimed = self._claim(principal)
        return "" if claimed is None else f"{claimed.caller} {claimed.key}"

    def _claim(self, principal: Principal) -> Claim | None:
        claimed = claim(principal, self._key, asked_for=self._asked_for)
        return _part_of(claimed, self._part) if claimed is not None and self._part else claimed

    def record(self, status: int, answer: Mapping[str, Any]) -> None:
        """Keep the answer."""
        settle(self._claimed, Answer(status, orjson.dumps(answer)))

    def note(self, resource: str) -> None:
        """Keep the name of what the caller's transaction makes, for a retry after a crash."""
        if self._claimed is not None:
            Receipt.objects.filter(caller=self._claimed.caller, key=self._claimed.key).update(
                resource=resource
            )

    def renew(self) -> None:
        """The write is still under way: it counts as such for another while."""
        if self._claimed is not None:
            Receipt.objects.filter(
                caller=self._claimed.caller, key=self._claimed.key, status__isnull=True
            ).update(created_at=timezone.now())

    def release(self) -> None:
        """The write has failed after all: a retry starts again."""
        if self._claimed is not None:
            Receipt.objects.filter(
                caller=self._claimed.caller, key=self._claimed.key, status__isnull=True
            ).delete()


def _part_of(whole: Claim, part: int) -> Claim:
    digest = hashlib.sha256(whole.key.encode()).hexdigest()
    return replace(whole, key=f"{digest}#{part}")
