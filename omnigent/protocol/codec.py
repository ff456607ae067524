"""One codec between JSON and dataclasses, compiled once per class, for frames, events and items alike."""

import dataclasses
import functools
import math
import types
import typing
from collections.abc import Callable, Mapping
from operator import attrgetter
from typing import Any, Literal, TypeVar, Union

from omnigent.protocol.jsontext import FrameError, MissingField, check_depth, decode, encode

T = TypeVar("T")
Convert = Callable[[Any], Any]

__all__ = [
    "FrameError",
    "MissingField",
    "check_depth",
    "decode",
    "dump",
    "encode",
    "load",
    "plan_of",
]


@dataclasses.dataclass(frozen=True, slots=True)
class Shape:
    """What a type accepts: values of exactly these classes pass as they are, others through `convert`."""

    words: str
    exact: frozenset[type]
    convert: Convert
    dump: Convert | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Plan:
    """How one dataclass is read and written. `reads` rows are (attribute, key, exact, convert, required)."""

    reads: tuple[tuple[str, str, frozenset[type], Convert, bool], ...]
    keys: tuple[str, ...]
    values: Callable[[Any], tuple[Any, ...]]
    dumps: tuple[tuple[str, Convert], ...]
    omit: tuple[str, ...]


def load(cls: type[T], mapping: Mapping[str, Any]) -> T:
    """Build `cls` from decoded JSON. Unknown keys are ignored; null is absence where there is a default."""
    kwargs: dict[str, Any] = {}
    get = mapping.get
    for name, key, exact, convert, required in plan_of(cls).reads:
        value = get(key, dataclasses.MISSING)
        if value.__class__ in exact:
            kwargs[name] = value
        elif value is dataclasses.MISSING:
            if required:
                raise MissingField(f"{key}: is required")
        elif value is not None or required:
            try:
                kwargs[name] = convert(value)
            except FrameError as error:
                raise FrameError(f"{key}: {error}") from None
    return cls(**kwargs)


def dump(obj: Any) -> dict[str, Any]:
    """The JSON object of a dataclass instance, in field order, nulls included unless the class omits them."""
    plan = plan_of(obj.__class__)
    result = dict(zip(plan.keys, plan.values(obj), strict=True))
    for key, convert in plan.dumps:
        result[key] = convert(result[key])
    for key in plan.omit:
        if result[key] is None:
            del result[key]
    return result


def compile_plan(cls: type) -> Plan:
    """Compile a dataclass. A class variable `omit_null` names the keys that are left out when null.

    The key is the field's name without a trailing underscore, or its metadata `key`.
    """
    hints = typing.get_type_hints(cls)
    reads, keys, dumps = [], [], []
    names: list[str] = []
    for field in dataclasses.fields(cls):
        key = field.metadata.get("key", field.name.removesuffix("_"))
        shape = shape_of(hints[field.name])
        required = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        reads.append((field.name, key, shape.exact, shape.convert, required))
        names.append(field.name)
        keys.append(key)
        if shape.dump is not None:
            dumps.append((key, shape.dump))
    return Plan(
        reads=tuple(reads),
        keys=tuple(keys),
        values=values_getter(names),
        dumps=tuple(dumps),
        omit=tuple(getattr(cls, "omit_null", ())),
    )


plan_of: Callable[[type], Plan] = functools.cache(compile_plan)
"""The plan of a dataclass, compiled once."""


def values_getter(names: list[str]) -> Callable[[Any], tuple[Any, ...]]:
    """A fast function from an object to the tuple of these attributes."""
    if len(names) > 1:
        return attrgetter(*names)
    if not names:
        return lambda obj: ()
    only = attrgetter(names[0])
    return lambda obj: (only(obj),)


def refuse(words: str) -> Convert:
    """The converter of a type that accepts nothing but its exact classes."""

    def convert(value: Any) -> Any:
        raise FrameError(f"must be {words}, not {json_word(value)}")

    return convert


def json_word(value: Any) -> str:
    """How a person calls this JSON value's type."""
    words = {dict: "an object", list: "an array", str: "a string", bool: "a boolean", int: "an integer"}
    return "null" if value is None else words.get(type(value), type(value).__name__)


def scalar(words: str, cls: type) -> Shape:
    return Shape(words, frozenset((cls,)), refuse(words))


def shape_of(hint: Any) -> Shape:
    """The shape of a type hint; the supported ones are those that JSON has."""
    origin = typing.get_origin(hint)
    if hint in SCALARS:
        return SCALARS[hint]
    if origin in (Union, types.UnionType):
        return union_shape([shape_of(arg) for arg in typing.get_args(hint)])
    if origin is Literal:
        return literal_shape(typing.get_args(hint))
    if origin in (dict, Mapping):
        return mapping_shape(shape_of(typing.get_args(hint)[1]))
    if origin is list:
        return list_shape(shape_of(typing.get_args(hint)[0]))
    if origin is tuple:
        return tuple_shape(typing.get_args(hint))
    if dataclasses.is_dataclass(hint) and isinstance(hint, type):
        return dataclass_shape(hint)
    raise TypeError(f"no JSON shape for {hint!r}")


def load_float(value: Any) -> float:
    if value.__class__ in (int, float) and math.isfinite(value):
        return float(value)
    raise FrameError(f"must be a finite number, not {json_word(value)}")


SCALARS: Mapping[Any, Shape] = types.MappingProxyType(
    {
        str: scalar("a string", str),
        int: scalar("an integer", int),
        bool: scalar("a boolean", bool),
        types.NoneType: scalar("null", types.NoneType),
        float: Shape("a number", frozenset(), load_float),
        Any: Shape("any value", frozenset(), lambda value: value),
    }
)


def literal_shape(choices: tuple[Any, ...]) -> Shape:
    words = "one of " + ", ".join(map(str, choices))

    def convert(value: Any) -> Any:
        if value.__class__ is str and value in choices:
            return value
        raise FrameError(f"must be {words}")

    return Shape(words, frozenset(), convert)


def union_shape(members: list[Shape]) -> Shape:
    words = " or ".join(member.words for member in members)
    exact = frozenset().union(*(member.exact for member in members))
    partial = [
        member for member in members if member.words not in ("null", "a string", "an integer", "a boolean")
    ]
    writers = [member.dump for member in members if member.dump is not None]
    if len(writers) > 1:
        raise TypeError(f"a union of several classes cannot be told apart: {words}")

    def convert(value: Any) -> Any:
        for member in partial:
            if value.__class__ in member.exact:
                return value
            if len(partial) == 1:
                return member.convert(value)
            try:
                return member.convert(value)
            except FrameError:
                continue
        raise FrameError(f"must be {words}, not {json_word(value)}")

    def write(value: Any) -> Any:
        return None if value is None else writers[0](value)

    return Shape(words, exact, convert, write if writers else None)


def mapping_shape(values: Shape) -> Shape:
    refuse_it = refuse("an object")
    free = values is SCALARS[Any]

    def convert(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return refuse_it(value)
        return {
            key: one if one.__class__ in values.exact else values.convert(one) for key, one in value.items()
        }

    return Shape("an object", frozenset((dict,)) if free else frozenset(), convert)


def list_shape(values: Shape) -> Shape:
    as_tuple = tuple_of(values)
    exact = frozenset((list,)) if values is SCALARS[Any] else frozenset()
    return Shape("an array", exact, lambda value: list(as_tuple(value)))


def tuple_of(values: Shape) -> Convert:
    refuse_it = refuse("an array")
    exact, inner = values.exact, values.convert

    def convert(value: Any) -> Any:
        if value.__class__ is not list and value.__class__ is not tuple:
            return refuse_it(value)
        return tuple([one if one.__class__ in exact else inner(one) for one in value])

    return convert


def tuple_shape(args: tuple[Any, ...]) -> Shape:
    """`tuple[X, ...]` is an array of any length, `tuple[X, X]` of exactly that; both are written as lists."""
    values = shape_of(args[0])
    convert_all = tuple_of(values)
    write = values.dump
    length = None if args[-1] is Ellipsis else len(args)
    if length is not None and any(arg is not args[0] for arg in args):
        raise TypeError("an array's elements are of one type")

    def convert(value: Any) -> Any:
        result = convert_all(value)
        if length is not None and len(result) != length:
            raise FrameError(f"must be an array of {length} elements")
        return result

    return Shape(
        "an array", frozenset(), convert, list if write is None else lambda value: [write(v) for v in value]
    )


def dataclass_shape(cls: type) -> Shape:
    refuse_it = refuse("an object")

    def convert(value: Any) -> Any:
        return load(cls, value) if isinstance(value, Mapping) else refuse_it(value)

    return Shape("an object", frozenset(), convert, dump)
