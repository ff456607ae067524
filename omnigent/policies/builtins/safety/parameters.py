"""Checks of factory parameters, with errors in words."""

from collections.abc import Sequence


def whole_number(name: str, value: object, minimum: int) -> int:
    """The value as an integer of at least `minimum`; ValueError otherwise. Booleans are no numbers."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise ValueError(f"{name} must be an integer")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}")
    return value


def texts(name: str, value: object) -> tuple[str, ...]:
    """The value as texts; ValueError unless it is a list of them."""
    if isinstance(value, str) or not isinstance(value, Sequence):
        raise ValueError(f"{name} must be a list of strings")
    if not all(isinstance(item, str) for item in value):
        raise ValueError(f"{name} must be a list of strings")
    return tuple(value)


def one_of(name: str, value: object, choices: tuple[str, ...]) -> str:
    """The choice that the value names in any case; ValueError otherwise."""
    found = next((item for item in choices if isinstance(value, str) and item.lower() == value.lower()), None)
    if found is None:
        raise ValueError(f"{name} must be one of {', '.join(choices)}")
    return found
