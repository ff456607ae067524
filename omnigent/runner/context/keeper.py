"""Keeps what a session sends to its model within the context window, at the least cost that does it."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

from omnigent.protocol.events import CompactionCompleted, CompactionFailed, CompactionInProgress
from omnigent.runner.api import ServerApi, ServerRefused, ServerUnreachable
from omnigent.runner.context import condensing, layers
from omnigent.runner.context.sizes import Scale, items_tokens, overhead_tokens, window_of
from omnigent.runner.harnesses.base import ModelError, ModelRequest
from omnigent.runner.history import Item, compacted
from omnigent.runner.summaries import Summary
from omnigent.runner.uplink import Uplink
from omnigent.spec.types import AgentSpec, Compaction

log = logging.getLogger(__name__)

DELIVERY_SECONDS: Final = 30.0
SUMMARY_SHARE: Final = 0.6
"""Of the window, for the request that asks for a summary."""
REST_SHARE: Final = 0.5
"""Of the threshold, for what is left beside a summary: the next compaction shall not come at once."""

Summarise = Callable[[Sequence[Mapping[str, Any]]], Awaitable[Summary]]
Reload = Callable[[Sequence[Item]], Awaitable[Sequence[Mapping[str, Any]]]]


class ContextKeeper:
    """One session's; `scale` learns from all of its turns."""

    def __init__(self, *, session_id: str, api: ServerApi, uplink: Uplink) -> None:
        self.session_id = session_id
        self.api = api
        self.scale = Scale()
        self._uplink = uplink

    async def fit(
        self,
        request: ModelRequest,
        spec: AgentSpec,
        summarise: Summarise,
        reload: Reload,
        *,
        overflowed: bool,
    ) -> ModelRequest:
        """The request as it may be sent; with `overflowed` the model has just refused it as too long.
        `summarise` asks the model, `reload` makes stored items the history and gives what is sent of them.

        First large outputs before the last steps are left out of what is sent. If that does not do, the
        older part of the history is condensed into a stored summary. What still does not fit is dropped
        from the request, oldest first.
        """
        bounds = _Bounds(request, spec, self.scale, overflowed=overflowed)
        if bounds.fits(request.items) and not overflowed:
            return request
        light = layers.lightened(request.items, spec.compaction.recent_window)
        if bounds.fits(light):
            return replace(request, items=light)
        items = await self._condense(bounds, spec.compaction, summarise, reload)
        items = items if items is not None else light
        if not bounds.fits(items):
            items = layers.lightened(items, spec.compaction.recent_window)
        return replace(request, items=layers.dropped(items, bounds.fits))

    async def _condense(
        self, bounds: "_Bounds", settings: Compaction, summarise: Summarise, reload: Reload
    ) -> Sequence[Mapping[str, Any]] | None:
        """The shorter history; None when nothing could be condensed."""
        try:
            async with asyncio.timeout(DELIVERY_SECONDS):
                await self._uplink.delivered()
            stored = await self.api.items(self.session_id)
        except (ServerRefused, ServerUnreachable, TimeoutError):
            log.warning("history not condensed", extra={"session": self.session_id})
            return None
        known = compacted([dict(item) for item in stored])
        edge = layers.cut(known, settings.recent_window, bounds.fits_as_rest)
        older = [item for item in known[:edge] if item.get("id")]
        if not older:
            return None
        self._uplink.put(CompactionInProgress(started_at=int(time.time())))
        try:
            summary = await summarise(condensing.asked(known[:edge], bounds.fits_as_prompt))
            await self._store(summary, str(older[-1]["id"]))
        except (ModelError, ServerRefused, ServerUnreachable) as exc:
            log.warning("no summary", extra={"session": self.session_id, "error": str(exc)})
            self._uplink.put(CompactionFailed())
            return None
        except asyncio.CancelledError:
            self._uplink.put(CompactionFailed())
            raise
        text = {"type": "compaction", "summary": summary.text, "last_item_id": older[-1]["id"]}
        items = await reload([*(dict(item) for item in stored), text])
        total = self.scale.of(items_tokens(items))
        self._uplink.put(
            CompactionCompleted(total_tokens=total, summary=summary.text, summary_model=summary.model)
        )
        return items

    async def _store(self, summary: Summary, last_item_id: str) -> None:
        data = {
            "summary": summary.text,
            "last_item_id": last_item_id,
            "model": summary.model,
            "token_count": summary.token_count,
        }
        await self.api.post_event(self.session_id, {"type": "compaction", "data": data})


class _Bounds:
    """How much of what may be sent; a refusal for length shows that the window is smaller than thought."""

    def __init__(self, request: ModelRequest, spec: AgentSpec, scale: Scale, *, overflowed: bool) -> None:
        self._scale = scale
        window = window_of(request.model, spec.context_window)
        overhead = scale.of(overhead_tokens(request))
        if overflowed:
            window = min(window, overhead + scale.of(items_tokens(request.items)))
        self._limit = max(int(window * spec.compaction.trigger_threshold) - overhead, 1)
        self._prompt = int(window * SUMMARY_SHARE)

    def fits(self, items: Sequence[Mapping[str, Any]]) -> bool:
        return self._scale.of(items_tokens(items)) <= self._limit

    def fits_as_rest(self, items: Sequence[Mapping[str, Any]]) -> bool:
        return self._scale.of(items_tokens(items)) <= self._limit * REST_SHARE

    def fits_as_prompt(self, items: Sequence[Mapping[str, Any]]) -> bool:
        return self._scale.of(items_tokens(items)) <= self._prompt
