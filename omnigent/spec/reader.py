"""Typed access to a mapping of untrusted data; notes every wrong shape instead of stopping at the first."""

from collections.abc import Mapping, Sequence
from typing import Any

_MAX_SHOWN = 100


class Reader:
    """Reads keys of one mapping; a value of the wrong type counts as absent and leaves a problem behind."""

    def __init__(self, data: Mapping[str, Any], path: str, problems: list[str]) -> None:
        self.data = data
        self.path = path
        self.problems = problems

    def at(self, key: str) -> str:
        """The path of a key, as problems name it."""
        shown = key if len(key) <= _MAX_SHOWN else f"{key[:_MAX_SHOWN]}..."
        return f"{self.path}.{shown}" if self.path else shown

    def complain(self, key: str, why: str) -> None:
        """Note a problem with one key."""
        self.problems.append(f"{self.at(key)}: {why}")

    def text(self, key: str) -> str | None:
        """A string; numbers and booleans are taken as the text the author typed."""
        value = self.data.get(key)
        if value is None or isinstance(value, str):
            return value
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int | float):
            return str(value)
        self.complain(key, f"must be text, got {kind(value)}")
        return None

    def flag(self, key: str, *, default: bool) -> bool:
        """A boolean; only true and false are."""
        value = self.data.get(key)
        if value is None:
            return default
        if isinstance(value, bool):
            return value
        self.complain(key, f"must be true or false, got {kind(value)}")
        return default

    def number(self, key: str, *, minimum: float | None = None) -> float | None:
        """An integer or float, optionally greater than `minimum`."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float) or value != value:
            self.complain(key, f"must be a number, got {kind(value)}")
            return None
        if minimum is not None and value <= minimum:
            self.complain(key, f"must be > {minimum:g}")
            return None
        return value

    def integer(self, key: str, *, minimum: int | None = None) -> int | None:
        """An integer, optionally at least `minimum`."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.complain(key, f"must be an integer, got {kind(value)}")
            return None
        if minimum is not None and value < minimum:
            self.complain(key, f"must be >= {minimum}")
            return None
        return value

    def choice(self, key: str, allowed: Sequence[str]) -> str | None:
        """One of some words."""
        value = self.text(key)
        if value is None or value in allowed:
            return value
        self.complain(key, f"unsupported {value[:_MAX_SHOWN]!r}, one of {', '.join(allowed)}")
        return None

    def mapping(self, key: str) -> dict[str, Any]:
        """A mapping; empty when absent."""
        value = self.data.get(key)
        if value is None:
            return {}
        if isinstance(value, dict):
            return value
        self.complain(key, f"must be a mapping, got {kind(value)}")
        return {}

    def mappings(self, key: str) -> dict[str, dict[str, Any]]:
        """A mapping whose values are mappings."""
        rows: dict[str, dict[str, Any]] = {}
        for name, value in self.mapping(key).items():
            if isinstance(value, dict):
                rows[name] = value
            else:
                self.complain(f"{key}.{name}", f"must be a mapping, got {kind(value)}")
        return rows

    def strings(self, key: str) -> dict[str, str]:
        """A mapping of scalars, each as text."""
        inner = Reader(self.mapping(key), self.at(key), self.problems)
        return {name: text for name in inner.data if (text := inner.text(name)) is not None}

    def texts(self, key: str) -> tuple[str, ...] | None:
        """A list of strings; None when absent; a single string counts as a list of one."""
        value = self.data.get(key)
        if value is None:
            return None
        if isinstance(value, str):
            return (value,)
        if not isinstance(value, list):
            self.complain(key, f"must be a list, got {kind(value)}")
            return None
        wrong = [item for item in value if not isinstance(item, str)]
        if wrong:
            self.complain(key, f"must be a list of text, got {kind(wrong[0])}")
        return tuple(item for item in value if isinstance(item, str))

    def inside(self, key: str) -> "Reader":
        """A reader of the mapping under a key."""
        return Reader(self.mapping(key), self.at(key), self.problems)


def kind(value: object) -> str:
    """The name an author knows a YAML type by."""
    names = {bool: "a boolean", int: "a number", float: "a number", str: "text", list: "a list"}
    return "nothing" if value is None else names.get(type(value), "a mapping")
