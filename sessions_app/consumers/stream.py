"""`GET /v1/sessions/{id}/stream`: the session's log as server-sent events, resumable anywhere."""

import time
from urllib.parse import parse_qs

from django.conf import settings

from omnigent.api.asgi import header_values
from omnigent.api.body import Disconnected
from omnigent.api.consumer import HttpConsumer
from omnigent.protocol import sse
from sessions_app.events.broker import Subscription
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import streaming
from sessions_app.watching.viewers import Seat


class StreamConsumer(HttpConsumer):
    """One reader. It is sent what is committed, from the live feed or, when it is behind, from the log."""

    async def handle(self) -> None:
        process = running_process()
        opening = await process.pool.run(
            streaming.open_stream,
            principal=self.principal,
            session_id=str(self.kwargs["session_id"]),
            cursor=self._cursor(),
            broker=process.broker,
        )
        seat = self._sit_down(process, opening)
        try:
            await self.start(
                200,
                [
                    (b"content-type", b"text/event-stream; charset=utf-8"),
                    (b"cache-control", b"no-cache"),
                    (b"x-accel-buffering", b"no"),
                    (b"x-content-type-options", b"nosniff"),
                    (b"x-omnigent-stream-epoch", str(opening.epoch).encode()),
                ],
            )
            await self.unless_disconnected(self._pump(process, opening))
        except Disconnected:
            return
        finally:
            process.broker.leave(opening.subscription)
            if seat is not None:
                process.viewers.leave(seat)

    def _sit_down(self, process: Process, opening: streaming.Opening) -> Seat | None:
        """A person's stream shows that they are there; programs that act for them are nobody."""
        if self.principal.kind != "user":
            return None
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        return process.viewers.join(
            root=opening.root_pk,
            session_id=opening.session_id,
            user_id=self.principal.user_id,
            idle=query.get("idle", [""])[-1].lower() in ("true", "1"),
            subscription=opening.subscription,
        )

    def _cursor(self) -> str | None:
        query = parse_qs(self.scope.get("query_string", b"").decode("latin-1"))
        for value in header_values(self.scope, b"last-event-id"):
            return value.decode("latin-1")
        return query["after"][-1] if "after" in query else None

    async def _pump(self, process: Process, opening: streaming.Opening) -> None:
        subscription = opening.subscription
        await self._feed(subscription, opening.preamble)
        checked_at = time.monotonic()
        while not subscription.is_closed:
            now = time.monotonic()
            quiet_until = subscription.fed_at + settings.OMNIGENT_HEARTBEAT_SECONDS
            recheck_at = checked_at + settings.OMNIGENT_ACCESS_RECHECK_SECONDS
            if subscription.is_doubted or now >= recheck_at:
                if not await self._may_go_on(process, opening):
                    await self.write(sse.DONE)
                    break
                checked_at = now
            elif subscription.behind:
                await self._catch_up(process, subscription)
            elif aside := subscription.aside:
                subscription.aside = b""
                await self._feed(subscription, aside)
            elif data := subscription.take():
                await self._feed(subscription, data)
            elif now >= quiet_until:
                await self._feed(subscription, streaming.heartbeat_frame())
                subscription.doubt()
            else:
                await subscription.wait(self.write_at_once, min(quiet_until, recheck_at) - now)
        await self.finish()

    async def _feed(self, subscription: Subscription, data: bytes) -> None:
        await self.write(data)
        subscription.fed_at = time.monotonic()

    async def _catch_up(self, process: Process, subscription: Subscription) -> None:
        subscription.rejoin()
        page = await process.pool.run(streaming.catch_up, subscription)
        if page.data:
            await self._feed(subscription, page.data)
            subscription.cursor = page.cursor
        if not page.is_last:
            subscription.lag()

    async def _may_go_on(self, process: Process, opening: streaming.Opening) -> bool:
        opening.subscription.is_doubted = False
        may_read, head = await process.pool.run(
            streaming.may_still_read,
            principal=self.principal,
            session_id=opening.session_id,
            subscription=opening.subscription,
        )
        if may_read and head > opening.subscription.cursor:
            opening.subscription.lag()
        return may_read
