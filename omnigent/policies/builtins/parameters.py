"""Checks of factory parameters, with errors in words; the schemas in the registry say the same beforehand."""

from collections.abc import Iterable, Sequence


def switch(name: str, value: object) -> bool:
    """A yes or no; ValueError for anything else."""
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false")
    return value


def whole_number(name: str, value: object, minimum: int) -> int:
    """The value as an integer of at least `minimum`; ValueError otherwise. Booleans are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be an integer")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}")
    return value


def sentence(name: str, value: object) -> str:
    """A text that may be empty; ValueError for anything else."""
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a text")
    return value.strip()


def texts(name: str, value: object) -> tuple[str, ...]:
    """The value as texts; ValueError unless it is a list of them."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name} must be a list of strings")
    if not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(value)


def filled_texts(name: str, values: object) -> tuple[str, ...]:
    """A list or set of texts that are not empty; ValueError for anything else."""
    is_list = isinstance(values, list | tuple | set | frozenset)
    rows = list(values) if is_list and isinstance(values, Iterable) else [None]
    known = tuple(row.strip() for row in rows if isinstance(row, str) and row.strip())
    if len(known) != len(rows):
        raise ValueError(f"{name} must be a list of texts that are not empty")
    return known


def one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    """The choice that the value names in any case; ValueError otherwise."""
    found = next((item for item in choices if isinstance(value, str) and item.lower() == value.lower()), None)
    if found is None:
        raise ValueError(f"{name} must be one of {', '.join(choices)}")
    return found
