"""The options and the operands of a command, as git and gh read them."""

from collections.abc import Sequence, Set
from dataclasses import dataclass, field


@dataclass(slots=True)
class Options:
    """What stands behind a subcommand. `named` are options with their value, `unknown` those nobody knows."""

    named: list[tuple[str, str]] = field(default_factory=list)
    operands: list[str] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    def has(self, names: Set[str] | Sequence[str]) -> bool:
        """Whether one of the options is given."""
        return any(name in names for name, _ in self.named)

    def values(self, names: Set[str] | Sequence[str]) -> list[str]:
        """The values given to these options, in order."""
        return [value for name, value in self.named if name in names]


def read_options(
    words: Sequence[str], *, valued: Set[str], plain: Set[str], can_shorten: bool = False
) -> Options:
    """Options and operands in any order. `can_shorten` accepts the beginning of a long name, as git does."""
    found, rest = Options(), list(words)
    while rest:
        word = rest.pop(0)
        if word == "--":
            found.operands += rest
            break
        if word.startswith("--"):
            _long(found, word, rest, valued, _known(word, valued | plain, can_shorten=can_shorten))
        elif word.startswith("-") and len(word) > 1:
            _short(found, word, rest, valued, plain)
        else:
            found.operands.append(word)
    return found


def _known(word: str, names: Set[str], *, can_shorten: bool) -> str | None:
    name = word.partition("=")[0]
    if name in names or not can_shorten:
        return name if name in names else None
    likely = [item for item in names if item.startswith(name)]
    return likely[0] if len(likely) == 1 else None


def _long(found: Options, word: str, rest: list[str], valued: Set[str], name: str | None) -> None:
    _, has_value, value = word.partition("=")
    if name is None:
        found.unknown.append(word)
        return
    if name in valued and not has_value:
        value = rest.pop(0) if rest else ""
    found.named.append((name, value))


def _short(found: Options, word: str, rest: list[str], valued: Set[str], plain: Set[str]) -> None:
    """Letters behind one dash; the first that takes a value takes what is left of the word."""
    for place, letter in enumerate(word[1:], 1):
        name = f"-{letter}"
        if name in valued:
            value = word[place + 1 :].removeprefix("=")
            found.named.append((name, value or (rest.pop(0) if rest else "")))
            return
        if name not in plain:
            found.unknown.append(word)
            return
        found.named.append((name, ""))
