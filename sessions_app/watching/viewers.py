"""Who watches which tree of sessions, in all processes: `session.presence`. Kept in memory only."""

import asyncio
import time
from collections.abc import Iterable
from dataclasses import dataclass

import orjson
from django.conf import settings

from omnigent.protocol import events, sse
from sessions_app.events.announcer import Announcer
from sessions_app.events.broker import Subscription

PAUSE_SECONDS = 0.05
"""Comings and goings together are told together."""

RENEW_SECONDS = 20.0
TRUST_SECONDS = 65.0
"""What another process has told counts for so long unless it tells it again."""

ASK_SECONDS = 5.0
MAX_TOLD = 40
"""A bell names no more viewers than fit."""

Told = list[tuple[str, int, bool]]  # user id, since when, whether idle


@dataclass(eq=False, slots=True)
class Seat:
    """One open stream of this process."""

    root: int
    session_id: str
    user_id: str
    joined_at: int
    idle: bool
    subscription: Subscription | None
    is_told: bool = False


class Viewers:
    """Everything happens on the loop. `replica_id` tells this process's news from that of others."""

    def __init__(self, *, announcer: Announcer, replica_id: str) -> None:
        self._announcer = announcer
        self._replica_id = replica_id
        self._seats: dict[int, set[Seat]] = {}
        self._away: dict[int, dict[str, tuple[float, Told]]] = {}
        self._shown: dict[int, Told] = {}
        self._announced: dict[int, Told] = {}
        self._due: set[int] = set()
        self._asked_at = -ASK_SECONDS
        announcer.on("presence", self._hear)
        announcer.on("presence asked", self._answer)

    def join(
        self, *, root: int, session_id: str, user_id: str, idle: bool, subscription: Subscription
    ) -> Seat:
        """Somebody opened a stream; they are told who is there, and the others that they came."""
        seat = Seat(root, session_id, user_id, int(time.time()), idle, subscription)
        self._seats.setdefault(root, set()).add(seat)
        self._soon(root)
        return seat

    def leave(self, seat: Seat) -> None:
        """Their stream has ended. That is told late: who reloads a page has not gone."""
        seat.subscription = None
        asyncio.get_running_loop().call_later(settings.OMNIGENT_PRESENCE_LEAVE_SECONDS, self._drop, seat)

    async def renew(self) -> None:
        """Say again who is here, and forget what processes that are silent have said."""
        self._answer(())
        oldest = time.monotonic() - TRUST_SECONDS
        for root, away in list(self._away.items()):
            for replica_id, (heard_at, _) in list(away.items()):
                if heard_at < oldest:
                    del away[replica_id]
            self._soon(root)

    def _drop(self, seat: Seat) -> None:
        seats = self._seats.get(seat.root, set())
        seats.discard(seat)
        if not seats:
            self._seats.pop(seat.root, None)
        self._soon(seat.root)

    def _soon(self, root: int) -> None:
        """Shortly see whether there is anything to tell."""
        if root not in self._due:
            self._due.add(root)
            asyncio.get_running_loop().call_later(PAUSE_SECONDS, self._show, root)

    def _show(self, root: int) -> None:
        self._due.discard(root)
        now, before = self._everybody(root), self._shown.pop(root, [])
        if now:
            self._shown[root] = now
        if self._here(root) != self._announced.get(root, []):
            self._announce(root)
        for seat in self._seats.get(root, ()):
            if now != before or not seat.is_told:
                seat.is_told = True
                self._tell(seat, now)

    def _here(self, root: int) -> Told:
        return _merged((seat.user_id, seat.joined_at, seat.idle) for seat in self._seats.get(root, ()))

    def _everybody(self, root: int) -> Told:
        away = [each for _, told in self._away.get(root, {}).values() for each in told]
        return _merged([*self._here(root), *away])

    def _tell(self, seat: Seat, viewers: Told) -> None:
        if seat.subscription is None:
            return
        event = events.SessionPresence(
            conversation_id=seat.session_id,
            viewers=tuple(
                events.Viewer(user_id=user_id, joined_at=joined_at, idle=idle)
                for user_id, joined_at, idle in viewers
            ),
        )
        seat.subscription.put_aside(sse.encode(event.type, events.to_json(event)))

    def _announce(self, root: int) -> None:
        here = self._here(root)
        if here:
            self._announced[root] = here
        else:
            self._announced.pop(root, None)
        told = orjson.dumps(here[:MAX_TOLD]).decode()
        self._announcer.bell("presence", (self._replica_id, str(root), told))

    def _answer(self, keys: tuple[str, ...]) -> None:
        for root in list(self._seats):
            self._announce(root)

    def _hear(self, keys: tuple[str, ...]) -> None:
        if not keys:
            self._ask()
            return
        replica_id, key, told = keys
        if replica_id == self._replica_id:
            return
        root = int(key)
        viewers: Told = [
            (str(user_id), int(since), bool(idle)) for user_id, since, idle in orjson.loads(told)
        ]
        away = self._away.setdefault(root, {})
        if viewers:
            away[replica_id] = (time.monotonic(), viewers)
        else:
            away.pop(replica_id, None)
        if not away:
            del self._away[root]
        self._soon(root)

    def _ask(self) -> None:
        """News was lost: tell ours and ask for theirs, though not again and again."""
        if (now := time.monotonic()) >= self._asked_at + ASK_SECONDS:
            self._asked_at = now
            self._announcer.bell("presence asked")


def _merged(viewers: Iterable[tuple[str, int, bool]]) -> Told:
    """Everybody once: since the first of their streams, idle when all of them are."""
    found: dict[str, tuple[int, bool]] = {}
    for user_id, joined_at, idle in viewers:
        since, is_idle = found.get(user_id, (joined_at, True))
        found[user_id] = (min(since, joined_at), is_idle and idle)
    return sorted(((user_id, *seen) for user_id, seen in found.items()), key=lambda each: (each[1], each[0]))
