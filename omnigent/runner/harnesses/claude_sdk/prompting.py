"""What the program is sent as the user's message: content blocks of Anthropic's API."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from omnigent.runner.harnesses.conversation import (
    Call,
    Document,
    Entry,
    Image,
    Message,
    Part,
    Result,
    Text,
    entries_of,
)
from omnigent.runner.history import CURRENT_TURN

Block = dict[str, Any]

_OPENING: Final = (
    "<conversation_so_far>\n"
    "This is what was said before in this conversation, in which you are the assistant. The tools it names "
    "have run already. Go on from here: the user's next message follows after it.\n"
)
_CLOSING: Final = "</conversation_so_far>"


def parted(items: Sequence[Mapping[str, Any]]) -> tuple[list[Entry], list[Entry]]:
    """The entries before the current turn, and those of it."""
    before = [item for item in items if CURRENT_TURN not in item]
    return entries_of(before), entries_of([item for item in items if CURRENT_TURN in item])


def blocks_of(untold: Sequence[Entry], new: Sequence[Entry]) -> list[Block]:
    """What the program does not know yet of the history, then the messages of this turn.

    Notes and messages that only the user wrote are given as they are; of anything else a report is written.
    """
    if all(isinstance(entry, Message) and entry.role == "user" for entry in untold):
        blocks = [_block(part) for entry in untold for part in _parts(entry)]
    else:
        blocks = list(_report(untold))
    blocks += [_block(part) for entry in new for part in _parts(entry)]
    return blocks or [{"type": "text", "text": "Continue."}]


def message_of(blocks: Sequence[Block]) -> dict[str, Any]:
    """The blocks as the program reads them from its input."""
    return {
        "type": "user",
        "message": {"role": "user", "content": list(blocks)},
        "parent_tool_use_id": None,
        "session_id": "default",
    }


def _report(entries: Sequence[Entry]) -> Iterator[Block]:
    """One text of everything that was said, and the pictures and files that were shown in it."""
    shown: list[Part] = []
    lines = [_OPENING]
    for entry in entries:
        match entry:
            case Message():
                speaker = "User" if entry.role == "user" else "Assistant"
                lines += [f"{speaker}: {_told(part, shown)}" for part in entry.parts]
            case Call():
                lines.append(f"Assistant called the tool {entry.name} with {entry.arguments}")
            case Result():
                lines.append(f"The tool gave: {entry.output}")
    yield {"type": "text", "text": "\n".join([*lines, _CLOSING])}
    yield from (_block(part) for part in shown)


def _told(part: Part, shown: list[Part]) -> str:
    if isinstance(part, Text):
        return part.text
    shown.append(part)
    return f"[attachment {len(shown)}, which follows below]"


def _parts(entry: Entry) -> tuple[Part, ...]:
    return entry.parts if isinstance(entry, Message) else ()


def _block(part: Part) -> Block:
    match part:
        case Text():
            return {"type": "text", "text": part.text}
        case Document():
            source = {"type": "base64", "media_type": "application/pdf", "data": part.data}
            return {"type": "document", "title": part.filename, "source": source}
        case Image():
            if not part.data:
                return {"type": "image", "source": {"type": "url", "url": part.url}}
            source = {"type": "base64", "media_type": part.media_type, "data": part.data}
            return {"type": "image", "source": source}
