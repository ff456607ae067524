"""From the server's JSON to frozen dataclasses, which keep what they do not know."""

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, dataclass, field, fields
from functools import cache
from typing import Any, TypeVar, Union, get_args, get_origin, get_type_hints

from omnigent_client.errors import InvalidAnswerError

Reader = Callable[[Any], Any]  # from a JSON value to the declared type


class Mismatch(ValueError):
    """A JSON value is not of the declared type."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """Something the server sent. `raw` is all of it; `record["member"]` reads it by the server's own name."""

    raw: Mapping[str, Any] = field(default_factory=dict, repr=False, compare=False)

    @property
    def extra(self) -> dict[str, Any]:
        """The members that this version of the package has no field for."""
        known = {member.name for member in fields(self)}
        return {name: value for name, value in self.raw.items() if name not in known}

    def __getitem__(self, name: str) -> Any:  # a member of the JSON object, of any JSON type
        return self.raw[name]


RecordT = TypeVar("RecordT", bound=Record)


@dataclass(frozen=True, slots=True)
class Member:
    """One field of a record class and how its value is read."""

    name: str
    read: Reader
    is_required: bool


def read(cls: type[RecordT], value: object) -> RecordT:
    """A JSON object as a record. Raises InvalidAnswerError when a member is missing or of another type."""
    try:
        return build(cls, value)
    except Mismatch as error:
        raise InvalidAnswerError(f"not a {cls.__name__}: {error}") from error


def build(cls: type[RecordT], value: object, **given: Any) -> RecordT:  # `given` fills fields beside the JSON
    """The same, raising Mismatch. Null stands for the default of a field that has one."""
    if not isinstance(value, Mapping):
        raise Mismatch(f"expected an object, got {type(value).__name__}")
    members: dict[str, Any] = {"raw": value, **given}
    for member in members_of(cls):  # type: ignore[arg-type]  # a class is hashable; its metaclass says so
        if member.name in members:
            continue
        found = value.get(member.name)
        if found is None and not member.is_required:
            continue
        if found is None and member.name not in value:
            raise Mismatch(f"{member.name} is missing")
        try:
            members[member.name] = member.read(found)
        except Mismatch as error:
            raise Mismatch(f"{member.name}: {error}") from error
    return cls(**members)


@cache
def members_of(cls: type[Record]) -> tuple[Member, ...]:
    """The fields of a class that come from JSON."""
    hints = get_type_hints(cls)
    return tuple(
        Member(
            one.name,
            reader_of(hints[one.name]),
            one.default is MISSING and one.default_factory is MISSING,
        )
        for one in fields(cls)
        if one.name != "raw"
    )


def reader_of(hint: Any) -> Reader:  # any type annotation
    """How a value of this annotation is read."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint is Any:
        return _anything
    if origin in (Union, types.UnionType):
        return _union_reader(arguments)
    if origin is tuple:
        return _tuple_reader(reader_of(arguments[0]))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        return _mapping_reader(reader_of(arguments[1]))
    if isinstance(hint, type) and issubclass(hint, Record):
        return lambda value: build(hint, value)
    if hint in _PLAIN:
        return _plain_reader(hint)
    raise TypeError(f"no way to read {hint!r}")


_PLAIN = (str, int, float, bool)


def _anything(value: Any) -> Any:  # handed through as it is
    return value


def _plain_reader(kind: type) -> Reader:
    accepted = (int, float) if kind is float else (kind,)

    def plain(value: Any) -> Any:  # one of the four plain types
        if isinstance(value, accepted) and (kind is bool or not isinstance(value, bool)):
            return value
        raise Mismatch(f"expected {kind.__name__}, got {type(value).__name__}")

    return plain


def _union_reader(arguments: tuple[Any, ...]) -> Reader:
    readers = [reader_of(argument) for argument in arguments if argument is not type(None)]

    def union(value: Any) -> Any:  # whichever member of the union fits first
        if value is None and type(None) in arguments:
            return None
        problems = []
        for one in readers:
            try:
                return one(value)
            except Mismatch as error:
                problems.append(str(error))
        raise Mismatch(" or ".join(problems))

    return union


def _tuple_reader(one: Reader) -> Reader:
    def many(value: Any) -> tuple[Any, ...]:  # of the element's type
        if not isinstance(value, list):
            raise Mismatch(f"expected a list, got {type(value).__name__}")
        return tuple(one(element) for element in value)

    return many


def _mapping_reader(one: Reader) -> Reader:
    def mapping(value: Any) -> dict[str, Any]:  # of the value's type
        if not isinstance(value, Mapping):
            raise Mismatch(f"expected an object, got {type(value).__name__}")
        return {key: one(member) for key, member in value.items()}

    return mapping
