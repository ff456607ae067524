"""What the log keeps of an event: the digest of all of it, and a copy from which secrets are gone."""

import hashlib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.conf import settings

from policies_app.services.chain import json_text

MASK = "[redacted]"
CUT = "[cut]"
MAX_TEXT = 4096
MAX_SCANNED = 16 * 1024
MAX_KEY = 256
MAX_DEPTH = 16
MAX_MEMBERS = 200
MAX_CHARACTERS = 64 * 1024
MAX_INTEGER = 2**63 - 1
LEFT_OUT = frozenset({"llm_client"})
"""Not data."""

WORDS = (
    r"pass(?:word|wd|phrase)|pwd|secret|token|api[_-]?key|access[_-]?key|private[_-]?key|signing[_-]?key"
    r"|client[_-]?key|authorization|credential|cookie"
)
SECRET_NAME = re.compile(WORDS, re.IGNORECASE)
COUNTED = re.compile(r"tokens(?:_|$)|_count$", re.IGNORECASE)
"""Numbers under such names are usage."""

# Every repetition has a bound or cannot begin twice at one place, so that hostile text costs linear time.
SHAPES: tuple[tuple[re.Pattern[str], str], ...] = (
    (re.compile(r"-----BEGIN [A-Z0-9 ]{1,60}-----.*?(?:-----END [A-Z0-9 ]{1,60}-----|\Z)", re.DOTALL), MASK),
    (re.compile(r"\b([a-zA-Z][a-zA-Z0-9+.-]{0,20}://)[^\s/@?#]{1,512}@"), rf"\1{MASK}@"),
    (
        re.compile(
            r"\b((?:proxy-)?authorization|(?:set-)?cookie|x-api-key)(\\?[\"']?\s{0,4}[:=]\s{0,4}\\?[\"']?)"
            r"[^\r\n\"'\\]{1,4096}",
            re.IGNORECASE,
        ),
        rf"\1\2{MASK}",
    ),
    (re.compile(r"\b(bearer|basic)\s{1,4}[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE), rf"\1 {MASK}"),
    (
        re.compile(
            rf"((?:{WORDS})[\w-]{{0,20}}\\?[\"']?\s{{0,4}}[:=]\s{{0,4}})"
            r"(?:\\?\"[^\"\\]{0,4096}\\?\"?|'[^']{0,4096}'?|[^\s\"'&;,\\]{1,4096})",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (re.compile(rf"(\s--?(?:{WORDS})[\w-]{{0,20}}\s{{1,4}})[^\s-]\S{{0,4096}}", re.IGNORECASE), rf"\1{MASK}"),
    (re.compile(r"(\s(?:-u|--user)[\s=]{1,4})[^\s:]{1,256}:\S{1,4096}"), rf"\1{MASK}"),
    (re.compile(r"\b(?:AKIA|ASIA|AROA|AIDA|AGPA|ANPA)[A-Z0-9]{16}\b"), MASK),
    (re.compile(r"\b(?:gh[pousr]_|github_pat_|glpat-|npm_|hf_|og_)[A-Za-z0-9_-]{16,}"), MASK),
    (re.compile(r"\b(?:sk|rk|pk)[-_][A-Za-z0-9_-]{16,}"), MASK),
    (re.compile(r"\bxox[a-z]-[A-Za-z0-9-]{10,}"), MASK),
    (re.compile(r"\bAIza[A-Za-z0-9_-]{30,}"), MASK),
    (re.compile(r"\beyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"), MASK),
)

HINT = re.compile(
    r"pass|pwd|secret|token|key|auth|credential|cookie|bearer|basic|://|-----BEGIN|\s-u|--user|A(?:KI|SI|RO|ID|GP)A"
    r"|gh[pousr]_|github_|glpat-|npm_|hf_|og_|[srp]k[-_]|xox|AIza|eyJ",
    re.IGNORECASE,
)
"""What every shape holds; most text holds nothing of it, and is looked at once."""


def digest_of(event: Mapping[str, Any]) -> str:
    """The SHA-256 of an event as canonical JSON, hex."""
    return hashlib.sha256(json_text(_data(event)).encode()).hexdigest()


def kept_input(event: Mapping[str, Any]) -> Any:
    """What the log keeps of an event by OMNIGENT_DECISION_INPUTS: a redacted copy, or None."""
    return redacted(event) if settings.OMNIGENT_DECISION_INPUTS == "redacted" else None


def redacted(event: Mapping[str, Any]) -> Any:
    """A JSON copy without secrets. Long text, deep nesting and what is beyond 64 KiB in all are cut."""
    return _Copy().of(_data(event))


def _data(event: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in event.items() if key not in LEFT_OUT}


class _Copy:
    """One copy in progress, which knows how much room is left."""

    def __init__(self) -> None:
        self._room = MAX_CHARACTERS

    def of(self, value: Any, depth: int = 0) -> Any:
        if isinstance(value, str):
            return self._text(value, MAX_TEXT)
        if value is None or isinstance(value, bool | int | float):
            self._room -= 8
            return _number(value)
        if depth >= MAX_DEPTH or self._room <= 0:
            return CUT
        if isinstance(value, Mapping):
            return self._object(value, depth)
        if isinstance(value, Sequence | set | frozenset) and not isinstance(value, bytes | bytearray):
            return self._array(value, depth)
        return self._text(f"({type(value).__name__})", MAX_TEXT)

    def _object(self, value: Mapping[Any, Any], depth: int) -> dict[str, Any]:
        copied: dict[str, Any] = {}
        for name, member in value.items():
            if len(copied) >= MAX_MEMBERS or self._room <= 0:
                copied[CUT] = len(value) - len(copied)
                break
            key = self._text(str(name), MAX_KEY)
            copied[key] = MASK if _is_secret(str(name), member) else self.of(member, depth + 1)
        return copied

    def _array(self, value: Iterable[Any], depth: int) -> list[Any]:
        copied: list[Any] = []
        for member in value:
            if len(copied) >= MAX_MEMBERS or self._room <= 0:
                copied.append(CUT)
                break
            copied.append(self.of(member, depth + 1))
        return copied

    def _text(self, value: str, longest: int) -> str:
        limit = min(longest, max(self._room, 0))
        is_long = len(value) > MAX_SCANNED
        # A secret at the cut would lose the end that it is known by.
        scanned = re.sub(r"\S{1,512}\Z", "", value[:MAX_SCANNED]) if is_long else value
        for shape, replacement in SHAPES if HINT.search(scanned) else ():
            scanned = shape.sub(replacement, scanned)
        scanned = scanned.encode(errors="replace").decode()
        text = scanned[:limit] + (CUT if is_long or len(scanned) > limit else "")
        self._room -= len(text) + 2
        return text


def _is_secret(name: str, value: object) -> bool:
    if SECRET_NAME.search(name) is None or value is None or value == "" or isinstance(value, bool):
        return False
    return not (isinstance(value, int | float) and COUNTED.search(name))


def _number(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, int) and abs(value) > MAX_INTEGER:
        return str(value)[:MAX_KEY]
    return value
