"""`WS /v1/sessions/updates`: rows of many sessions, kept current on one connection."""

import asyncio
import logging
import time

import orjson
from django.conf import settings

from omnigent.api.consumer import SocketConsumer
from sessions_app.process import Process
from sessions_app.running import running_process
from sessions_app.services import watching
from sessions_app.watching.feed import Watch

logger = logging.getLogger(__name__)

MAX_WATCHED = 500
MAX_FRAME = 256 * 1024
MAX_ID = 128
HEARTBEAT = b'{"type":"heartbeat"}'

NOT_ALLOWED = 1008
GOING_AWAY = 1012
TRY_LATER = 1013


class UpdatesConsumer(SocketConsumer):
    """One client. It says what it watches; its own task sends it what changes."""

    watch: Watch | None = None
    sending: "asyncio.Task[None] | None" = None

    @property
    def process(self) -> Process:
        """What this server process has once."""
        return running_process()

    async def on_connect(self) -> None:
        # For good, should the process be exchanged: the watch belongs to its watcher.
        self.watcher = self.process.watcher
        self.pool = self.process.pool
        watch = await self.watcher.join(watching.viewer_of(self.principal))
        try:
            await self.accept()
        except BaseException:
            self.watcher.leave(watch)
            raise
        self.watch = watch
        self.sending = asyncio.create_task(self._send_news(watch))

    async def on_text(self, text: str) -> None:
        ids = watched_ids(text)
        if ids is not None and self.watch is not None:
            await self.watch.replace(ids)

    async def on_disconnect(self, code: int) -> None:
        if self.watch is not None:
            self.watcher.leave(self.watch)
        if self.sending is not None:
            self.sending.cancel()
            await asyncio.gather(self.sending, return_exceptions=True)

    async def _send_news(self, watch: Watch) -> None:
        try:
            await self._follow(watch)
        except OSError:
            # The client went away while it was sent something.
            return
        except Exception:
            logger.exception("updates_failed")
            await self.close(1011, "internal_error")

    async def _follow(self, watch: Watch) -> None:
        sent_at = checked_at = time.monotonic()
        while not self.is_closed:
            now = time.monotonic()
            quiet_until = sent_at + settings.OMNIGENT_UPDATES_HEARTBEAT_SECONDS
            recheck_at = checked_at + settings.OMNIGENT_ACCESS_RECHECK_SECONDS
            if watch.is_closed:
                await self.close(GOING_AWAY, "server restart")
            elif watch.is_slow:
                await self.close(TRY_LATER, "too slow")
            elif watch.is_doubted or now >= recheck_at:
                watch.is_doubted, checked_at = False, now
                if not await self.pool.run(watching.is_still, self.principal, watch.feed.viewer):
                    await self.close(NOT_ALLOWED, "the credentials are no longer valid")
            elif frames := watch.take():
                for frame in frames:
                    await self.send_text(frame.decode())
                sent_at = time.monotonic()
            elif now >= quiet_until:
                await self.send_text(HEARTBEAT.decode())
                sent_at = now
            else:
                await watch.wait(min(quiet_until, recheck_at) - now)


def watched_ids(text: str) -> list[str] | None:
    """The ids of a `watch` frame, as far as they can be ids at all; None for any other frame."""
    if len(text) > MAX_FRAME:
        return None
    try:
        frame = orjson.loads(text)
    except ValueError:
        return None
    if not isinstance(frame, dict) or frame.get("type") != "watch":
        return None
    ids = frame.get("session_ids")
    if not isinstance(ids, list):
        return None
    wanted = [each for each in ids if isinstance(each, str) and len(each) <= MAX_ID]
    return list(dict.fromkeys(wanted))[:MAX_WATCHED]
