"""What outlives the runner: which conversation a session has, how far it was mirrored, what was typed."""

import json
import os
from collections import Counter
from collections.abc import Callable, Mapping
from copy import deepcopy
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

_FILE: Final = "mirror.json"


@dataclass(kw_only=True, slots=True)
class Typed:
    """A prompt of the session's, from before it is typed until the server knows that it was seen.

    `item_id` is its item, when the server stores prompts at once, and `pending_id` its name when it waits for
    the transcript to bring them. `seen` is the mark at which the transcript had it; 0 until then.
    """

    text: str
    item_id: str = ""
    pending_id: str = ""
    seen: int = 0


@dataclass(kw_only=True, slots=True)
class Progress:
    """How far a conversation was read. `offset` counts bytes of the file `transcript`."""

    transcript: str = ""
    offset: int = 0
    open_calls: dict[str, str] = field(default_factory=dict)
    """Calls without an output, with the response that each belongs to."""
    counted: dict[str, int] = field(default_factory=dict)
    """Tokens of all answers of the model but the last, by what they are."""
    last_answer: dict[str, Any] = field(default_factory=dict)

    def count(self, answer_id: str, tokens: Mapping[str, int]) -> Mapping[str, int]:
        """The totals with this answer, which replaces what was told of it before."""
        if self.last_answer and self.last_answer["id"] != answer_id:
            self.counted = dict(Counter(self.counted) + Counter(self.last_answer["tokens"]))
        self.last_answer = {"id": answer_id, "tokens": dict(tokens)}
        return Counter(self.counted) + Counter(tokens)


class Memory:
    """`progress` is where reading is; the file has it as of the last mark that the server has caught up with,
    so that a successor reads again what may not have arrived. Used by one thread, since each call of `save`
    writes the same file.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / _FILE
        self.conversation = ""
        self.progress = Progress()
        self.typed: list[Typed] = []
        self._mark = 1
        self._load()
        self._kept = deepcopy(self.progress)

    def _load(self) -> None:
        try:
            known = json.loads(self._path.read_text())
            progress = Progress(**known["progress"])
            typed = [Typed(**{**each, "seen": 0}) for each in known["typed"]]
            self.conversation, self.progress, self.typed = str(known["conversation"]), progress, typed
        except (OSError, ValueError, TypeError, KeyError):
            return

    def save(self) -> None:
        """Put it on the disk, whole or not at all."""
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        known = {
            "conversation": self.conversation,
            "progress": asdict(self._kept),
            "typed": [asdict(each) for each in self.typed],
        }
        new = self._path.with_suffix(".new")
        with new.open("w") as file:
            json.dump(known, file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self._path)

    def mark(self) -> Callable[[], None]:
        """What has to be done when the server has all that was read up to now."""
        mark, progress = self._mark, deepcopy(self.progress)
        self._mark += 1

        def reached() -> None:
            self._kept = progress
            self.typed = [each for each in self.typed if not 0 < each.seen <= mark]
            self.save()

        return reached

    @property
    def waiting(self) -> list[Typed]:
        """What was typed and is not in the transcript yet."""
        return [each for each in self.typed if not each.seen]

    def awaits(self, prompt: Typed) -> bool:
        """Whether a predecessor was given this prompt and typed it, and it is not in the transcript yet."""
        names = {prompt.item_id, prompt.pending_id} - {""}
        return any(not names.isdisjoint((each.item_id, each.pending_id)) for each in self.waiting)

    def will_type(self, prompt: Typed) -> None:
        self.typed.append(prompt)
        self.save()

    def knows(self, text: str) -> bool:
        """Whether a prompt of the session's reads so."""
        return any(_letters(prompt.text) == _letters(text) for prompt in self.typed)

    def take(self, text: str) -> Typed | None:
        """The first prompt that waits and reads so; it waits no more."""
        wanted = _letters(text)
        for prompt in self.waiting:
            if _letters(prompt.text) == wanted:
                prompt.seen = self._mark
                return prompt
        return None

    def drop(self, text: str = "") -> None:
        """What reads so waits no more, because the program gave it back; everything when it is empty."""
        for prompt in self.waiting:
            if not text or _letters(prompt.text) == _letters(text):
                prompt.seen = self._mark


def _letters(text: str) -> str:
    """A text without its whitespace, which programs change."""
    return "".join(text.split())
