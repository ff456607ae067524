"""Files in messages: which blocks name one by its id, and the same blocks with the file's bytes inside."""

import base64
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

MAX_BYTES = 48 * 1024 * 1024
"""So much may go with one message, and into the history of one model: with base64 it fits into a frame."""

_DATA_MEMBER: Mapping[str, str] = {"input_image": "image_url", "input_file": "file_data"}


@dataclass(frozen=True, kw_only=True, slots=True)
class Attachment:
    """The bytes of a file, and what a block says of it."""

    filename: str
    media_type: str
    data: bytes

    @property
    def data_uri(self) -> str:
        """The bytes as a `data:` address."""
        return f"data:{self.media_type};base64,{base64.b64encode(self.data).decode()}"


def references(content: Any) -> Iterator[tuple[int, str, str]]:
    """Place, block type and file id of each block of a message that gets its bytes from an uploaded file."""
    if not isinstance(content, Sequence) or isinstance(content, str):
        return
    for place, block in enumerate(content):
        if not isinstance(block, Mapping):
            continue
        member = _DATA_MEMBER.get(block.get("type", "")) if isinstance(block.get("type"), str) else None
        file_id = block.get("file_id")
        if member is not None and isinstance(file_id, str) and block.get(member) is None:
            yield place, block["type"], file_id


def with_contents(content: Sequence[Any], files: Mapping[str, Attachment]) -> list[Any]:
    """The blocks with the bytes of these files (by the id that the block names) inside; others unchanged."""
    filled = list(content)
    for place, kind, file_id in references(content):
        file = files.get(file_id)
        if file is not None:
            block = {**content[place], _DATA_MEMBER[kind]: file.data_uri}
            if kind == "input_file" and not block.get("filename"):
                block["filename"] = file.filename
            filled[place] = block
    return filled
