"""How bad a command is, and why."""

from dataclasses import dataclass
from enum import IntEnum


class Harm(IntEnum):
    """From nothing to see, over what may be a matter of taste, to what is never right."""

    NONE = 0
    RISKY = 1
    UNREADABLE = 2
    CATASTROPHIC = 3


@dataclass(frozen=True, slots=True)
class Finding:
    """A degree of harm, with its cause in words that follow 'This command'."""

    harm: Harm
    why: str = ""


HARMLESS = Finding(Harm.NONE)


def worst(*findings: Finding) -> Finding:
    """The first of those with the highest harm."""
    return max(findings, key=lambda finding: finding.harm, default=HARMLESS)


def is_computed(word: str) -> bool:
    """Whether the shell writes something else in its place: variables, substitutions, braces."""
    return any(sign in word for sign in ("$", "`", "{"))
