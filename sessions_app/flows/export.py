"""An export on its way out: lines from the database and bytes from the storage, packed on other threads."""

import time
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import TYPE_CHECKING, Any, TypeVar

from django.conf import settings
from django.core.files.storage import default_storage
from django.utils import timezone

from agents_app.storage import bundle_name
from omnigent.accounts.identity import Principal
from omnigent.version import VERSION
from sessions_app.files import blobs
from sessions_app.files.workshop import Workshop
from sessions_app.portable import layout
from sessions_app.portable.packing import Packer
from sessions_app.services import access
from sessions_app.services.export_rows import Export
from sessions_app.services.export_text import transcript
from sessions_app.services.exporting import Plan

if TYPE_CHECKING:
    from sessions_app.process import Process

T = TypeVar("T")

PIECE = 256 * 1024
RECHECK_SECONDS = 5.0
WITHHELD = "only administrators and auditors may read decisions, so those that there are were left out"
UNFIT = "their rows in the log are not as they were written"


class Exporter:
    """One export. It ends with an error, and so without its end, when the caller may not read any more."""

    def __init__(self, process: "Process", workshop: Workshop, principal: Principal, plan: Plan) -> None:
        self._process = process
        self._workshop = workshop
        self._principal = principal
        self._plan = plan
        self._checked_at = time.monotonic()

    async def archive(self) -> AsyncGenerator[bytes, None]:
        """The archive in pieces, some of them empty."""
        packer = Packer()
        counts = dict.fromkeys(layout.DOCUMENTS, 0)
        numbers = dict.fromkeys(layout.DOCUMENTS, 0)
        missing: list[dict[str, Any]] = []
        export = Export(self._plan)
        async with aclosing(self._steps(export.chunks())) as chunks:
            async for kind, text in chunks:
                numbers[kind] = numbers.get(kind, 0) + 1
                counts[kind] = counts.get(kind, 0) + text.count("\n")
                name = layout.chunk_name(kind, numbers[kind])
                yield await self._workshop.run(packer.add, name, text.encode())
        for digest, size in sorted({bundle.digest: bundle.size for bundle in self._bundles}.items()):
            if size is not None:
                name = layout.bundle_member(digest)
                async with aclosing(self._stored(packer, name, bundle_name(digest), size)) as pieces:
                    async for data in pieces:
                        yield data
        for digest, size in sorted({row["blob_id"]: row["blob__size"] for row in self._plan.files}.items()):
            if not await self._workshop.run(blobs.is_complete, digest, size):
                missing += self._lost_files(digest)
                continue
            name = layout.blob_member(digest)
            async with aclosing(self._stored(packer, name, blobs.blob_name(digest), size)) as pieces:
                async for data in pieces:
                    yield data
        missing = [*self._lost_agents(), *missing, *self._lost_decisions(export)]
        yield await self._workshop.run(packer.finish, self._facts(counts, missing))

    async def markdown(self) -> AsyncGenerator[bytes, None]:
        """The transcript in pieces."""
        async with aclosing(self._steps(transcript(self._plan))) as texts:
            async for text in texts:
                yield text.encode()

    async def _steps(self, parts: Iterator[T]) -> AsyncGenerator[T, None]:
        """What an iterator that reads the database gives; each step is one hop."""
        while True:
            await self._recheck()
            found = await self._process.pool.run(next, parts, None)
            if found is None:
                return
            yield found

    async def _stored(
        self, packer: Packer, name: str, stored_as: str, size: int
    ) -> AsyncGenerator[bytes, None]:
        """A member whose bytes lie in the storage. Fails when they vanish meanwhile."""
        content = await self._workshop.run(default_storage.open, stored_as)
        try:
            yield packer.begin(name, size)
            while data := await self._workshop.run(content.read, PIECE):
                yield await self._workshop.run(packer.feed, data)
                await self._recheck()
            yield packer.end()
        finally:
            content.close()

    async def _recheck(self) -> None:
        """A slow reader whose grant is withdrawn gets no more."""
        now = time.monotonic()
        if now < self._checked_at + min(RECHECK_SECONDS, settings.OMNIGENT_ACCESS_RECHECK_SECONDS):
            return
        self._checked_at = now
        if not await self._process.pool.run(access.may_read, self._principal, self._plan.session_id):
            raise access.not_found()

    @property
    def _bundles(self) -> list[Any]:
        return list(self._plan.bundles.values())

    def _lost_files(self, digest: str) -> list[dict[str, Any]]:
        return [
            _missing("file", f"f{at}", row["filename"], "its bytes were not in the store of files")
            for at, row in enumerate(self._plan.files, start=1)
            if row["blob_id"] == digest
        ]

    def _lost_agents(self) -> list[dict[str, Any]]:
        return [
            _missing("agent", f"a{at}", row["agent__name"], "its bundle was not in the store of bundles")
            for at, row in enumerate(self._plan.agents, start=1)
            if row["agent_id"] in self._plan.bundles and self._plan.bundles[row["agent_id"]].size is None
        ]

    def _lost_decisions(self, export: Export) -> list[dict[str, Any]]:
        if self._plan.decisions is None:
            return [_missing("decisions", None, None, WITHHELD)]
        return [_missing("decisions", None, None, f"{export.unfit} of them: {UNFIT}")] if export.unfit else []

    def _facts(self, counts: dict[str, int], missing: list[dict[str, Any]]) -> dict[str, Any]:
        return {
            "created_at": layout.stamp(timezone.now()),
            "server_version": VERSION,
            "source_ids": {
                f"s{session.number}": session.columns["public_id"] for session in self._plan.sessions
            },
            "counts": counts,
            "missing": missing,
        }


def _missing(kind: str, name: str | None, shown: str | None, reason: str) -> dict[str, Any]:
    return {"kind": kind, "id": name, "name": shown, "reason": reason}
