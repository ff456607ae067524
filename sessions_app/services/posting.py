"""Posted inputs on their way through the writer: what arrives together is committed together."""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import InterfaceError, OperationalError, connection
from django.utils import timezone

from omnigent.accounts.identity import Principal
from omnigent.errors import OmnigentError
from omnigent.protocol import inputs as protocol
from sessions_app.services import additions, inputs
from sessions_app.services.access import Access, Level, not_found, require
from sessions_app.services.additions import Addition
from sessions_app.services.durability import durable_transaction

logger = logging.getLogger(__name__)

ATTEMPTS = 3
TROUBLES = (OperationalError, InterfaceError)
"""What the database may get over: lost connections, deadlocks, a busy file."""


LARGEST = 65536
"""Bytes of a request body; what is larger would hold up what it is committed with."""


def is_gathered(event: protocol.SessionEvent, *, size: int) -> bool:
    """Whether an input of a body of `size` bytes may go with others; its request must have no key."""
    return event.type in additions.KINDS and size <= LARGEST


@dataclass(kw_only=True, slots=True)
class PostUnit:
    """One posted input that only adds to its session. `outcome` belongs to the loop that waits for it."""

    principal: Principal
    session_id: str
    event: protocol.SessionEvent
    outcome: "asyncio.Future[inputs.Posted]"
    posted: inputs.Posted | None = None
    error: BaseException | None = None

    @property
    def is_awaited(self) -> bool:
        """A client waits for its answer."""
        return True

    def settle(self, error: BaseException | None) -> None:
        """Give the answer to whoever posted, if that is still there."""
        if self.outcome.done():
            return
        if error is not None:
            self.outcome.set_exception(error)
        elif self.posted is not None:
            self.outcome.set_result(self.posted)


@dataclass(frozen=True, slots=True)
class Reading:
    """What a unit's input comes to, before anybody has looked whether its caller may post it."""

    addition: Addition | None
    flaw: OmnigentError | None


def commit(units: Sequence[PostUnit]) -> None:
    """Commit all of them with one transaction; each has its answer or its error afterwards.

    The database's own troubles are tried again. When anything else goes wrong each is committed by itself.
    """
    now = timezone.now()
    readings = [_read(unit, now) for unit in units]
    try:
        _persist(units, readings, now)
    except TROUBLES as error:
        logger.exception("posts_failed", extra={"units": len(units)})
        for unit in units:
            unit.error = error
    except Exception:
        logger.warning("posts_taken_apart", extra={"units": len(units)}, exc_info=True)
        for unit, reading in zip(units, readings, strict=True):
            _commit_alone(unit, reading, now)


def _read(unit: PostUnit, now: datetime) -> Reading:
    try:
        payload = inputs.read_payload(unit.event)
        return Reading(additions.read(unit.event, payload, now), None)
    except OmnigentError as flaw:
        return Reading(None, flaw)


def _persist(units: Sequence[PostUnit], readings: Sequence[Reading], now: datetime) -> None:
    for attempt in range(ATTEMPTS):
        try:
            with durable_transaction():
                _write(units, readings, now)
            return
        except TROUBLES:
            if attempt + 1 == ATTEMPTS:
                raise
            logger.warning("posts_repeated", extra={"units": len(units)}, exc_info=True)
            connection.close_if_unusable_or_obsolete()


def _commit_alone(unit: PostUnit, reading: Reading, now: datetime) -> None:
    try:
        _persist([unit], [reading], now)
    except Exception as error:
        logger.exception("post_failed", extra={"type": unit.event.type})
        unit.error = error


def _write(units: Sequence[PostUnit], readings: Sequence[Reading], now: datetime) -> None:
    seen: dict[tuple[Principal, str], Access] = {}
    taken: list[PostUnit] = []
    wanted: list[tuple[int, Addition]] = []
    for unit, reading in zip(units, readings, strict=True):
        unit.error = unit.posted = None
        key = (unit.principal, unit.session_id)
        try:
            access = seen.get(key) or require(*key, Level.EDIT)
            seen[key] = access
            wanted.append((access.pk, _admitted(unit, reading, access)))
            taken.append(unit)
        except OmnigentError as error:
            unit.error = error
    answers = additions.write(wanted, now)
    for unit, (session_pk, _), answer in zip(taken, wanted, answers, strict=True):
        if answer is None:
            unit.error = not_found()
        else:
            unit.posted = inputs.Posted(answer=answer, session_pk=session_pk)


def _admitted(unit: PostUnit, reading: Reading, access: Access) -> Addition:
    if reading.addition is None:
        raise reading.flaw or not_found()
    inputs.check_rights(unit.event, access)
    return reading.addition
