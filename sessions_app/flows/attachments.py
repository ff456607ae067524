"""The files of a message on its way to the runner: their bytes go along, as data URIs."""

import asyncio
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from omnigent.protocol import attachments
from omnigent.protocol.attachments import Attachment
from sessions_app.files import blobs, kinds
from sessions_app.models import File
from sessions_app.services import files

if TYPE_CHECKING:
    from sessions_app.process import Process

logger = logging.getLogger(__name__)


async def with_files(process: "Process", session_pk: int, body: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a runner is told, with the bytes of the session's files in the blocks that name them.

    A file that was deleted meanwhile stays an id, which the runner shows the model as missing.
    """
    named = [file_id for _, _, file_id in attachments.references(body.get("content"))]
    if not named:
        return body
    found = await process.pool.run(files.attached, session_pk, named)
    loaded = await asyncio.to_thread(_load, found)
    return {**body, "content": attachments.with_contents(body["content"], loaded)}


def _load(found: Mapping[str, File]) -> dict[str, Attachment]:
    loaded: dict[str, Attachment] = {}
    for file_id, file in found.items():
        try:
            data = blobs.read(file.blob_id)
        except FileNotFoundError:
            logger.error("blob_missing", extra={"file": file.public_id, "digest": file.blob_id})
            continue
        media_type = kinds.served_type(file.content_type).partition(";")[0]
        loaded[file_id] = Attachment(filename=file.filename, media_type=media_type, data=data)
    return loaded
