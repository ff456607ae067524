"""Typed readers of environment variables that gather bad values instead of raising."""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

Number = TypeVar("Number", int, float)

TRUE = frozenset({"1", "true", "yes", "on"})
FALSE = frozenset({"0", "false", "no", "off"})


@dataclass(frozen=True, kw_only=True, slots=True)
class BadValue:
    """A variable that could not be used; its default stands in until it is corrected."""

    name: str
    problem: str
    hint: str


class Environment:
    """Reads variables; what is malformed lands in `bad_values`, which the system checks report.

    An empty variable counts as unset, so that `PORT= make run` means the default.
    """

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values
        self.bad_values: list[BadValue] = []

    def text(self, name: str, default: str = "") -> str:
        return self._values.get(name, "").strip() or default

    def flag(self, name: str, *, default: bool) -> bool:
        text = self.text(name).lower()
        if not text:
            return default
        if text not in TRUE | FALSE:
            self._refuse(name, f"{text!r} is neither true nor false", "Use true or false.")
            return default
        return text in TRUE

    def integer(self, name: str, default: int, *, minimum: int = 0, maximum: int | None = None) -> int:
        return self._number(name, default, int, minimum, maximum)

    def seconds(
        self, name: str, default: float, *, minimum: float = 0.0, maximum: float | None = None
    ) -> float:
        return self._number(name, default, float, minimum, maximum)

    def choice(self, name: str, default: str, allowed: Sequence[str]) -> str:
        text = self.text(name, default)
        if text not in allowed:
            self._refuse(name, f"{text!r} is not one of its values", f"Use one of: {', '.join(allowed)}.")
            return default
        return text

    def words(self, name: str) -> tuple[str, ...]:
        """A list separated by commas."""
        return tuple(word for part in self.text(name).split(",") if (word := part.strip()))

    def paths(self, name: str) -> tuple[Path, ...]:
        """A list separated as in `PATH`."""
        return tuple(Path(part).expanduser() for part in self.text(name).split(os.pathsep) if part)

    def _number(
        self, name: str, default: Number, kind: type[Number], minimum: Number, maximum: Number | None
    ) -> Number:
        text = self.text(name)
        if not text:
            return default
        try:
            value = kind(text)
        except ValueError:
            self._refuse(name, f"{text!r} is not a number", f"Use a number such as {default}.")
            return default
        # Written so that NaN, which compares false with everything, is refused too.
        if not (value >= minimum and (maximum is None or value <= maximum)):
            bounds = f"at least {minimum}" if maximum is None else f"between {minimum} and {maximum}"
            self._refuse(name, f"{text} is out of range", f"Use a number {bounds}.")
            return default
        return value

    def _refuse(self, name: str, problem: str, hint: str) -> None:
        self.bad_values.append(BadValue(name=name, problem=problem, hint=hint))
