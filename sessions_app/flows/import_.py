"""An archive on its way in: unpacked and checked on threads of their own, then stored at once."""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

import orjson
from django.conf import settings

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.files import blobs
from sessions_app.files.workshop import Workshop
from sessions_app.portable import layout
from sessions_app.portable.checked import Checked
from sessions_app.portable.checking import check
from sessions_app.portable.documents import AgentLine
from sessions_app.portable.layout import InvalidArchive
from sessions_app.portable.unpacking import Unpacked, unpack
from sessions_app.services import importing, receipts, restoring, rules
from sessions_app.services.blobs import BlobLost, release
from sessions_app.services.importing import Restoring
from sessions_app.services.receipts import Answer, Claim

if TYPE_CHECKING:
    from sessions_app.process import Process

ATTEMPTS = 3
PIECE = 1024 * 1024
Claiming = Callable[[bytes], Claim | None]


@dataclass(frozen=True, kw_only=True, slots=True)
class Asked:
    """An import: the archive as it came, the agent that stands in for missing ones, and whether to store."""

    archive: IO[bytes]
    agent_id: str
    is_dry_run: bool


async def run(
    process: "Process", workshop: Workshop, principal: Principal, asked: Asked, claiming: Claiming
) -> Answer:
    """Import an archive. A failure leaves nothing, in the database or on the disk."""
    claimed = None
    if not asked.is_dry_run:
        claimed = claiming(await workshop.run(_fingerprint, asked))
        known = await process.pool.run(receipts.look, claimed)
        if known.answer is not None:
            return known.answer
    archive = await workshop.run(_unpacked, asked.archive)
    try:
        checked = await workshop.run(_checked, archive)
        try:
            wanted = Restoring(
                checked=checked, replacement=asked.agent_id, read_bundle=lambda line: _bundle(archive, line)
            )
            bindings = await process.pool.run(importing.bind, principal, wanted)
            if asked.is_dry_run:
                shown = importing.report(checked, bindings, is_stored=False)
                return Answer(200, orjson.dumps(shown))
            return await _store(process, workshop, principal, archive, wanted, claimed)
        finally:
            await workshop.run(checked.close)
    finally:
        await workshop.run(archive.close)


def _fingerprint(asked: Asked) -> bytes:
    """What a retry under the same key must have in common; the boundary of a multipart body differs."""
    digest = hashlib.sha256()
    while data := asked.archive.read(PIECE):
        digest.update(data)
    asked.archive.seek(0)
    return f"{asked.agent_id}\0{digest.hexdigest()}".encode()


def _unpacked(archive: IO[bytes]) -> Unpacked:
    try:
        return unpack(archive, blobs.incoming(), limit=settings.OMNIGENT_IMPORT_UNPACKED_LIMIT)
    except InvalidArchive as error:
        raise _invalid(error) from None


def _checked(archive: Unpacked) -> Checked:
    try:
        checked = check(archive, bundle_limit=settings.OMNIGENT_UPLOAD_LIMIT)
    except InvalidArchive as error:
        raise _invalid(error) from None
    try:
        importing.check_settings(checked)
    except OmnigentError:
        checked.close()
        raise
    return checked


def _invalid(error: InvalidArchive) -> OmnigentError:
    return rules.invalid(f"The archive is not valid: {error}")


def _bundle(archive: Unpacked, line: AgentLine) -> bytes:
    return archive.read(layout.bundle_member(line.digest))


async def _store(
    process: "Process",
    workshop: Workshop,
    principal: Principal,
    archive: Unpacked,
    wanted: Restoring,
    claimed: Claim | None,
) -> Answer:
    is_stored = False
    try:
        for _ in range(ATTEMPTS):
            await workshop.run(_keep_blobs, archive)
            try:
                answer = await process.pool.run(restoring.restore, principal, wanted, claimed)
            except BlobLost:
                # The last use of the same content was deleted at this very moment.
                continue
            is_stored = True
            return answer
        raise OmnigentError(ErrorCode.CONFLICT, "A file is being deleted elsewhere; send the archive again")
    finally:
        if not is_stored:
            digests = [part.sha256 for part in archive.parts.values() if part.path is not None]
            await process.pool.run(release, digests)


def _keep_blobs(archive: Unpacked) -> None:
    for part in archive.parts.values():
        if part.path is not None:
            with part.path.open("rb") as file:
                os.fsync(file.fileno())
            blobs.keep(part.sha256, part.size, part.path)
