"""What an archive is made of: names and order of its members, canonical text, and what is too much."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import orjson

FORMAT = "omnigent.session"
VERSION = 1

MANIFEST = "manifest.json"
AGENTS, SESSIONS, FILES, ITEMS, COMMENTS = "agents", "sessions", "files", "items", "comments"
POLICIES, DECISIONS = "policies", "decisions"
DOCUMENTS = (AGENTS, SESSIONS, FILES, ITEMS, COMMENTS)
"""Kinds of lines that every archive may have, in the order of its members."""
OPTIONAL = (POLICIES, DECISIONS)
"""Kinds of lines that are counted in the manifest only when there are some."""

CHUNK_ROWS = 1000
CHUNK_CHARACTERS = 1024 * 1024
"""A member of lines ends after so many of them, or once their payload has passed so many characters."""

MAX_SESSIONS = 10_000
MAX_FILES = 10_000
MAX_COMMENTS = 2000
MAX_POLICIES = 10_000
MAX_SESSION_POLICIES = 200
MAX_DEPTH = 32
MAX_MEMBERS = 60_000
MAX_MANIFEST = 16 * 1024 * 1024
MAX_LINE = 32 * 1024 * 1024
MAX_SESSION_TEXT = 32 * 1024 * 1024
"""The lines of all sessions together, which a reader holds in memory."""

_LINES = re.compile(rf"({'|'.join((*DOCUMENTS, *OPTIONAL))})/([0-9]{{6}})\.jsonl")
_BYTES = re.compile(r"(blobs/[0-9a-f]{64})|(bundles/[0-9a-f]{64}\.tar\.gz)")

FIRST_YEAR, LAST_YEAR = 1970, 9998
LAST_EPOCH = int(datetime(LAST_YEAR, 12, 31, tzinfo=UTC).timestamp())
A_MOMENT = "must be a time like 2026-01-31T23:59:59.000000Z"


class InvalidArchive(ValueError):
    """An archive that cannot be read; the text names the member and the place, and is shown to the client."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Member:
    """One file of an archive as its manifest lists it."""

    name: str
    size: int
    sha256: str


def chunk_name(kind: str, number: int) -> str:
    """The member that holds a chunk of lines; numbers start at 1."""
    return f"{kind}/{number:06}.jsonl"


def blob_member(sha256: str) -> str:
    """The member that holds the bytes of files."""
    return f"blobs/{sha256}"


def bundle_member(digest: str) -> str:
    """The member that holds an agent's bundle."""
    return f"bundles/{digest}.tar.gz"


def chunk_of(name: str) -> tuple[str, int] | None:
    """The kind and number of a member that holds lines."""
    match = _LINES.fullmatch(name)
    return (match[1], int(match[2])) if match else None


def is_blob(name: str) -> bool:
    """Whether a member holds the bytes of files."""
    match = _BYTES.fullmatch(name)
    return match is not None and match[1] is not None


def is_member(name: str) -> bool:
    """Whether an archive may have a member of this name; nothing else is ever unpacked."""
    return name == MANIFEST or chunk_of(name) is not None or _BYTES.fullmatch(name) is not None


def line(document: Mapping[str, Any]) -> str:
    """A document as one line of text, the same for equal documents."""
    return orjson.dumps(document, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()


def chunks(lines: Iterable[str]) -> Iterator[str]:
    """Lines put together to the members that hold them."""
    held: list[str] = []
    size = 0
    for text in lines:
        held.append(text)
        size += len(text)
        if len(held) >= CHUNK_ROWS or size >= CHUNK_CHARACTERS:
            yield "".join(held)
            held, size = [], 0
    if held:
        yield "".join(held)


def stamp(moment: datetime) -> str:
    """A time as text, to the microsecond and always in UTC."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="microseconds") + "Z"


def moment(text: str) -> datetime:
    """The time that a text means. Raises ValueError for any other spelling of it."""
    try:
        found = datetime.fromisoformat(text).astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(A_MOMENT) from None
    if stamp(found) != text or not FIRST_YEAR <= found.year <= LAST_YEAR:
        raise ValueError(A_MOMENT)
    return found
