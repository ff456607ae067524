"""An upload on its way into a session: parsed and stored on threads of its own, then committed."""

from collections.abc import Callable
from pathlib import Path
from typing import IO, TYPE_CHECKING

from omnigent.accounts.identity import Principal
from omnigent.errors import ErrorCode, OmnigentError
from sessions_app.files import blobs, images, intake
from sessions_app.files.intake import Upload
from sessions_app.files.workshop import Workshop
from sessions_app.services import files, receipts
from sessions_app.services.blobs import BlobLost, release
from sessions_app.services.files import Stored
from sessions_app.services.receipts import Answer, Claim

if TYPE_CHECKING:
    from sessions_app.process import Process

ATTEMPTS = 3
Claiming = Callable[[bytes], Claim | None]


async def upload(
    process: "Process",
    workshop: Workshop,
    principal: Principal,
    session_id: str,
    content_type: str,
    body: IO[bytes],
    claiming: Claiming,
) -> Answer:
    """Take the file of a multipart body. A failure leaves nothing, in the database or on the disk."""
    directory = await workshop.run(blobs.incoming)
    received = await workshop.run(_received, content_type, body, directory)
    made = {received.path}
    try:
        claimed = claiming(received.asked_for)
        known = await process.pool.run(receipts.look, claimed)
        if known.answer is not None:
            return known.answer
        ready = await workshop.run(images.fitted, received, directory)
        made.add(ready.path)
        return await _commit(process, workshop, principal, session_id, ready, claimed)
    finally:
        await workshop.run(_remove, made)


def _received(content_type: str, body: IO[bytes], directory: Path) -> Upload:
    length = body.seek(0, 2)
    body.seek(0)
    return intake.receive(content_type, body, length, directory)


def _remove(paths: set[Path]) -> None:
    for path in paths:
        path.unlink(missing_ok=True)


async def _commit(
    process: "Process",
    workshop: Workshop,
    principal: Principal,
    session_id: str,
    ready: Upload,
    claimed: Claim | None,
) -> Answer:
    stored = Stored(
        filename=ready.filename, content_type=ready.kind.media_type, digest=ready.digest, size=ready.size
    )
    is_added = False
    try:
        for _ in range(ATTEMPTS):
            await workshop.run(blobs.keep, ready.digest, ready.size, ready.path)
            try:
                answer = await process.pool.run(files.add_file, principal, session_id, stored, claimed)
            except BlobLost:
                # The last use of the same content was deleted at this very moment.
                continue
            is_added = True
            return answer
        raise OmnigentError(ErrorCode.CONFLICT, "The file is being deleted elsewhere; send it again")
    finally:
        if not is_added:
            await process.pool.run(release, [ready.digest])
