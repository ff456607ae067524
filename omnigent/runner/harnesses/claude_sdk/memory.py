"""What an engine has been told of its conversation, to be compared with what the history says now."""

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import Any, Final

from omnigent.runner.harnesses.conversation import Call, Document, Entry, Image, Message, text_of

_FILE: Final = "conversation.json"
_VERSION: Final = 1


@dataclass(slots=True)
class Mark:
    """One message of the user, or all that followed it: its text without white space, and its calls."""

    is_user: bool
    text: str
    calls: list[str] = field(default_factory=list)

    def begins(self, other: "Mark") -> bool:
        """Whether the other is this one, or goes on after it."""
        if self.is_user or other.is_user:
            return self == other
        return other.text.startswith(self.text) and _contains(other.calls, self.calls)


@dataclass(slots=True)
class Memory:
    """The conversation with one session of the program. Kept as a file, so that another process can go on."""

    session_id: str
    marks: list[Mark] = field(default_factory=list)

    def tell(self, entries: Sequence[Entry]) -> None:
        """The program has been given these."""
        self.marks += [mark for mark, _ in _marked(entries)]

    def hear(self, text: str) -> None:
        """The program said this."""
        self._reply().text += _squeezed(text)

    def saw_call(self, name: str) -> None:
        """The program called this tool, and the call is in the history."""
        calls = self._reply().calls
        calls.append(name)
        calls.sort()

    def untold(self, entries: Sequence[Entry]) -> list[Entry] | None:
        """What of a history the program does not know yet; None when it knows another conversation.

        A reply that goes on after what the program knows of it is given as a whole.
        """
        theirs = _marked(entries)
        ours = [mark for mark in self.marks if mark.is_user or mark.text or mark.calls]
        if not ours or len(ours) > len(theirs):
            return None
        if any(mine != mark for mine, (mark, _) in zip(ours[:-1], theirs, strict=False)):
            return None
        last, (mark, _) = ours[-1], theirs[len(ours) - 1]
        if not last.begins(mark):
            return None
        known = len(ours) if last == mark else len(ours) - 1
        return [entry for _, group in theirs[known:] for entry in group]

    def save(self, folder: Path) -> None:
        marks = [{"user": mark.is_user, "text": mark.text, "calls": mark.calls} for mark in self.marks]
        document = {"version": _VERSION, "session_id": self.session_id, "marks": marks}
        folder.mkdir(parents=True, exist_ok=True)
        draft = folder / f"{_FILE}.new"
        draft.write_text(json.dumps(document))
        draft.replace(folder / _FILE)

    def _reply(self) -> Mark:
        if not self.marks or self.marks[-1].is_user:
            self.marks.append(Mark(is_user=False, text=""))
        return self.marks[-1]


def load(folder: Path) -> Memory | None:
    """What was saved there; None when there is nothing, or nothing that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        document: Any = json.loads((folder / _FILE).read_text())
        if document["version"] == _VERSION:
            marks = [
                Mark(is_user=bool(each["user"]), text=str(each["text"]), calls=list(map(str, each["calls"])))
                for each in document["marks"]
            ]
            return Memory(session_id=str(document["session_id"]), marks=marks)
    return None


def forget(folder: Path) -> None:
    """While a turn runs, and after one that ended badly, nothing on disk says what the program knows."""
    (folder / _FILE).unlink(missing_ok=True)


def _marked(entries: Sequence[Entry]) -> list[tuple[Mark, list[Entry]]]:
    return list(_marks(entries))


def _marks(entries: Sequence[Entry]) -> Iterator[tuple[Mark, list[Entry]]]:
    for is_user, group in groupby(entries, key=_is_users):
        if is_user:
            for entry in group:
                yield Mark(is_user=True, text=_fingerprint(entry)), [entry]
            continue
        reply = list(group)
        text = "".join(_squeezed(text_of(entry)) for entry in reply)
        calls = sorted(entry.name for entry in reply if isinstance(entry, Call))
        if text or calls:
            yield Mark(is_user=False, text=text, calls=calls), reply


def _is_users(entry: Entry) -> bool:
    return isinstance(entry, Message) and entry.role == "user"


def _fingerprint(entry: Entry) -> str:
    """Of a user's message: its text and what is attached, in a form that shows nobody what it said."""
    parts = entry.parts if isinstance(entry, Message) else ()
    attached = "".join(part.url for part in parts if isinstance(part, Image | Document))
    return sha256(f"{_squeezed(text_of(entry))}\0{attached}".encode("utf-8", "replace")).hexdigest()


def _squeezed(text: str) -> str:
    """Blanks at the seams of streamed text are not kept everywhere, so that none are compared."""
    return "".join(text.split())


def _contains(whole: Sequence[str], part: Sequence[str]) -> bool:
    rest = list(whole)
    for name in part:
        if name not in rest:
            return False
        rest.remove(name)
    return True
