"""Ids inside of texts: how an archive spells the ids of what it holds, and the new ids that replace them.

`$ref:i3$` stands for the third item, wherever its id stood; text that looks like that is written `$ref::…`.
"""

import hashlib
import re
import secrets
from collections.abc import Callable, Mapping

from omnigent.ids import FILE, ITEM, SESSION
from sessions_app.portable.layout import InvalidArchive

PREFIXES: Mapping[str, str] = {"s": SESSION, "i": ITEM, "f": FILE}
ID = re.compile(rf"(?:{'|'.join(PREFIXES.values())})_[0-9a-f]{{32}}")

_MARK = "$ref:"
_OUTWARD = re.compile(rf"{re.escape(_MARK)}|{ID.pattern}")
_INWARD = re.compile(rf"{re.escape(_MARK)}(?:(:)|([sif])([1-9][0-9]{{0,9}})\$)?")


def outward(text: str, names: Mapping[str, str]) -> str:
    """The text with the ids among `names` replaced by references to those names; others stay."""

    def spelled(found: re.Match[str]) -> str:
        if found[0] == _MARK:
            return f"{_MARK}:"
        name = names.get(found[0])
        return found[0] if name is None else f"{_MARK}{name}$"

    return _OUTWARD.sub(spelled, text)


def inward(text: str, id_of: Callable[[str, int], str]) -> str:
    """The text with each reference replaced by what `id_of` says of its kind and number."""
    if _MARK not in text:
        return text

    def meant(found: re.Match[str]) -> str:
        if found[1]:
            return _MARK
        if found[2] is None:
            raise InvalidArchive(f"'{_MARK}' is followed by neither a name nor ':'")
        return id_of(found[2], int(found[3]))

    return _INWARD.sub(meant, text)


class NewIds:
    """The ids that one import gives out: random, and known of an item before that item is read."""

    def __init__(self, *, sessions: int, items: int, files: int) -> None:
        self._counts = {"s": sessions, "i": items, "f": files}
        self._secret = secrets.token_bytes(32)

    def id_of(self, kind: str, number: int) -> str:
        """The new id of the session, item or file with this number. Raises InvalidArchive without one."""
        if not 1 <= number <= self._counts[kind]:
            raise InvalidArchive(f"{kind}{number} is named, which the archive does not hold")
        digest = hashlib.blake2b(f"{kind}{number}".encode(), key=self._secret, digest_size=16)
        return f"{PREFIXES[kind]}_{digest.hexdigest()}"
