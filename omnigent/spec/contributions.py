"""Harnesses that other packages bring, found by their entry points."""

import logging
import re
from collections.abc import Collection, Iterable
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Final, Protocol

if TYPE_CHECKING:
    from omnigent.spec.capabilities import Capabilities

log = logging.getLogger(__name__)

GROUP: Final = "omnigent.harnesses"
_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


class Contribution(Protocol):
    """What an entry point loads to, as far as servers look at it; runners know more of it.

    Names have lower-case letters, digits and hyphens; spellings with underscores are accepted for each.
    `setup_steps` tell what has to be done where the host runs.
    """

    @property
    def name(self) -> str: ...

    @property
    def label(self) -> str: ...

    @property
    def aliases(self) -> tuple[str, ...]: ...

    @property
    def capabilities(self) -> "Capabilities": ...

    @property
    def setup_steps(self) -> tuple[str, ...]: ...


class _Unusable(ValueError):
    """A contribution cannot be taken; the message says why."""


def discover(found: Iterable[EntryPoint], *, taken: Collection[str]) -> tuple[Contribution, ...]:
    """Load the contributions, in the order of their names. A broken one, and one that uses a name that is
    `taken`, is logged and left out.
    """
    names = set(taken)
    usable: list[Contribution] = []
    for entry_point in sorted(found, key=lambda each: (each.name, each.value)):
        try:
            contribution = _checked(entry_point.load(), names)
        except Exception as problem:  # noqa: BLE001  the code is somebody else's, and must not stop the start
            fields = {"entry_point": entry_point.name, "value": entry_point.value, "reason": repr(problem)}
            log.error("harness left out", extra=fields)
            continue
        names |= {contribution.name, *contribution.aliases}
        usable.append(contribution)
    return tuple(usable)


def _checked(loaded: object, names: Collection[str]) -> Contribution:
    spellings = [getattr(loaded, "name", None), *getattr(loaded, "aliases", ())]
    for spelling in spellings:
        if not isinstance(spelling, str) or not _NAME.fullmatch(spelling):
            raise _Unusable(f"{spelling!r} is no name for a harness")
        if spelling in names:
            raise _Unusable(f"there is a harness {spelling!r} already")
    if not all(hasattr(loaded, part) for part in ("label", "capabilities", "setup_steps")):
        raise _Unusable("it is no harness contribution")
    contribution: Contribution = loaded  # type: ignore[assignment]  # its parts were looked at above
    return contribution
