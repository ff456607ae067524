"""The files that stored messages name: fetched when a history is loaded, so that models see them again."""

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from omnigent.ids import FILE, canonical
from omnigent.protocol.attachments import MAX_BYTES, Attachment, references, with_contents
from omnigent.runner.api import ServerApi, ServerRefused

log = logging.getLogger(__name__)

Item = Mapping[str, Any]


async def with_files(api: ServerApi, session_id: str, items: Sequence[Item]) -> list[Item]:
    """The items with the bytes of uploaded files in the blocks that name them.

    The newest come first until MAX_BYTES are reached; older files, and files that are gone, stay ids, which
    the model is told are not available. Raises ServerUnreachable.
    """
    fetched: dict[str, Attachment] = {}
    missing: set[str] = set()
    left = MAX_BYTES
    filled: list[Item] = []
    for item in reversed(items):
        content = item.get("content")
        for _, _, file_id in references(content):
            if file_id in fetched or file_id in missing:
                continue
            file = await _fetch(api, session_id, file_id, left)
            if file is None:
                missing.add(file_id)
            else:
                fetched[file_id] = file
                left -= len(file.data)
        names_files = isinstance(content, list) and any(references(content))
        filled.append({**item, "content": with_contents(content or [], fetched)} if names_files else item)
    return filled[::-1]


async def _fetch(api: ServerApi, session_id: str, file_id: str, left: int) -> Attachment | None:
    """A file of at most `left` bytes."""
    public_id = canonical(FILE, file_id)
    if public_id is None:
        return None
    try:
        facts = await api.file(session_id, public_id)
        if not isinstance(facts.get("bytes"), int) or facts["bytes"] > left:
            return None
        content = await api.file_content(session_id, public_id)
    except ServerRefused as error:
        log.info("file not available", extra={"session": session_id, "file": public_id, "error": str(error)})
        return None
    name = str(facts.get("filename") or file_id)
    return Attachment(filename=name, media_type=content.media_type, data=content.data)
