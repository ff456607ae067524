"""Which of Codex's threads holds which conversation."""

import contextlib
import hashlib
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from omnigent.runner.harnesses.base import ModelRequest
from omnigent.runner.harnesses.conversation import Image, Message, Text, entries_of
from omnigent.runner.history import CURRENT_TURN, INTERRUPTED

Item = Mapping[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Thread:
    """A thread that Codex keeps: `lines` is the digest of what was said in it, `offer` of what can only be
    told at its start, instructions and tools.
    """

    thread_id: str
    offer: str
    lines: str


class Memory:
    """The thread of a session, in a file that outlives the process."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def read(self) -> Thread | None:
        """None when there is none, or when its record cannot be read."""
        try:
            return Thread(**json.loads(self._file.read_text()))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, thread: Thread) -> None:
        new = self._file.with_suffix(".new")
        new.write_text(json.dumps(asdict(thread)))
        os.replace(new, self._file)

    def forget(self) -> None:
        with contextlib.suppress(FileNotFoundError):
            self._file.unlink()


class Transcript:
    """What was said in a thread, in a form in which our history and Codex's events can be compared.

    Tool calls are left out, whose results our policies may have changed, and the spaces of what the assistant
    said, which are lost where its text is divided.
    """

    def __init__(self, items: Iterable[Item] = ()) -> None:
        self._lines: list[str] = []
        self._said = ""
        self.add(items)

    def add(self, items: Iterable[Item]) -> None:
        """Messages, of both sides."""
        for entry in entries_of(list(items)):
            if not isinstance(entry, Message):
                continue
            text = "\n".join(part.text for part in entry.parts if isinstance(part, Text))
            if entry.role == "assistant":
                self.said(text)
            elif text != INTERRUPTED:
                pictures = "".join(part.url for part in entry.parts if isinstance(part, Image))
                self._flush()
                self._lines.append(_digest("user", text, pictures))

    def said(self, text: str) -> None:
        """More text of the assistant's."""
        self._said += "".join(text.split())

    def digest(self) -> str:
        self._flush()
        return _digest(*self._lines)

    def _flush(self) -> None:
        if self._said:
            self._lines.append(_digest("assistant", self._said))
        self._said = ""


def offer_of(request: ModelRequest) -> str:
    """The digest of what a thread is told at its start only."""
    tools = [[tool.name, tool.description, dict(tool.parameters)] for tool in request.tools]
    return _digest(request.instructions, json.dumps(tools, sort_keys=True))


def divided(items: Sequence[Item]) -> tuple[list[Item], list[Item]]:
    """What was said before the current turn, and what is new."""
    return (
        [item for item in items if CURRENT_TURN not in item],
        [item for item in items if CURRENT_TURN in item],
    )


def _digest(*parts: str) -> str:
    digest = hashlib.sha256()
    for part in parts:
        data = part.encode(errors="surrogatepass")
        digest.update(b"%d:" % len(data))
        digest.update(data)
    return digest.hexdigest()
