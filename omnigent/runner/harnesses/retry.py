"""The one retry loop of the model adapters; the vendors' libraries have theirs switched off."""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Final

from omnigent.runner.harnesses.base import (
    ModelError,
    ModelSettings,
    ReasoningDelta,
    Retry,
    SampleEvent,
    TextDelta,
    ToolCall,
)
from omnigent.runner.harnesses.failures import AttemptFailed

LONGEST_WAIT_SECONDS: Final = 300.0
"""A provider that asks for more than this is not waited for; its failure is reported at once."""

Attempt = Callable[[], AsyncGenerator[SampleEvent, None]]


class RetryLoop:
    """Runs an attempt until it ends well, is not worth repeating, or has shown something.

    Waits grow exponentially from the settings' base up to their cap, shortened by up to half at random; a
    `Retry-After` is never undercut. `sleep`, `jitter` (0 up to 1) and `now` (epoch seconds) are replaceable.
    """

    def __init__(
        self,
        settings: ModelSettings,
        *,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
        jitter: Callable[[], float] = random.random,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._settings = settings
        self._sleep = sleep
        self._jitter = jitter
        self._now = now

    async def run(self, attempt: Attempt) -> AsyncGenerator[SampleEvent, None]:
        """Stream the attempt's events, and `Retry` before each wait; raises `ModelError`."""
        repeats = 0
        while True:
            shown = False
            try:
                async with aclosing(attempt()) as events:
                    async for event in events:
                        shown = shown or isinstance(event, TextDelta | ReasoningDelta | ToolCall)
                        yield event
                return
            except AttemptFailed as failure:
                limit = 0 if shown else self._limit(failure)
                delay = self._delay(repeats, failure.retry_after)
                if repeats >= limit or delay > LONGEST_WAIT_SECONDS:
                    raise ModelError(failure.code, failure.message) from failure
                repeats += 1
                retry = Retry(
                    attempt=repeats,
                    max_attempts=limit,
                    delay_seconds=delay,
                    code=failure.code,
                    message=failure.message,
                )
            yield retry
            await self._sleep(delay)

    def _limit(self, failure: AttemptFailed) -> int:
        settings = self._settings
        return min(settings.max_retries, failure.retries_among(settings.retried_statuses))

    def _delay(self, repeats: int, retry_after: str) -> float:
        settings = self._settings
        # The exponent is bounded so that a large number of retries cannot overflow.
        longest = min(settings.backoff_max_seconds, settings.backoff_base_seconds * 2.0 ** min(repeats, 32))
        asked, jitter = self._asked(retry_after), self._jitter() if settings.has_jitter else 0.0
        if asked is None:
            return longest * (1 - jitter / 2)
        return asked + jitter * min(1.0, settings.backoff_base_seconds)

    def _asked(self, retry_after: str) -> float | None:
        """Seconds that the provider asked for, from delta-seconds or an HTTP date (RFC 9110, 10.2.3)."""
        text = retry_after.strip()
        if text.replace(".", "", 1).isdecimal():
            return float(text)
        try:
            moment = parsedate_to_datetime(text)
        except ValueError:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=UTC)
        return max(0.0, moment.timestamp() - self._now())
