"""The codec: what it accepts, what it refuses and in which words, and that it loses nothing."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from omnigent.protocol import codec
from omnigent.protocol.codec import FrameError, MissingField


@dataclass(frozen=True, kw_only=True, slots=True)
class Part:
    name: str
    size: int = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Sample:
    omit_null: ClassVar[tuple[str, ...]] = ("note",)

    id_: str
    count: int
    ratio: float = 0.0
    on: bool = False
    mode: Literal["fast", "slow"] = "fast"
    label: str | None = None
    note: str | None = None
    pairs: tuple[tuple[str, str], ...] = ()
    parts: tuple[Part, ...] = ()
    best: Part | None = None
    free: dict[str, Any] = field(default_factory=dict)
    flags: Mapping[str, bool | str] | None = None
    anything: Any = None
    agent: str | None = field(default=None, metadata={"key": "model"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Single:
    only: list[Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Empty:
    pass


WIRE = {
    "id": "s1",
    "count": 3,
    "ratio": 0.5,
    "on": True,
    "mode": "slow",
    "label": None,
    "note": "n",
    "pairs": [["a", "b"], ["c", "d"]],
    "parts": [{"name": "p", "size": 1}, {"name": "q", "size": 0}],
    "best": {"name": "r", "size": 2},
    "free": {"deep": [1, {"x": None}]},
    "flags": {"codex": True, "pi": "needs-auth"},
    "anything": [1, "two"],
    "model": "plain",
}
OBJECT = Sample(
    id_="s1",
    count=3,
    ratio=0.5,
    on=True,
    mode="slow",
    note="n",
    pairs=(("a", "b"), ("c", "d")),
    parts=(Part(name="p", size=1), Part(name="q")),
    best=Part(name="r", size=2),
    free={"deep": [1, {"x": None}]},
    flags={"codex": True, "pi": "needs-auth"},
    anything=[1, "two"],
    agent="plain",
)


def test_an_object_and_its_json_are_the_same_both_ways() -> None:
    assert codec.load(Sample, WIRE) == OBJECT
    assert codec.dump(OBJECT) == WIRE


def test_members_keep_their_order_and_nulls_unless_the_class_omits_them() -> None:
    dumped = codec.dump(Sample(id_="x", count=1))

    assert list(dumped) == [key for key in WIRE if key != "note"]
    assert dumped["label"] is None


def test_classes_with_one_field_or_none_work() -> None:
    assert codec.dump(Single(only=[1])) == {"only": [1]}
    assert codec.load(Single, {"only": [{"a": 1}]}) == Single(only=[{"a": 1}])
    assert codec.dump(Empty()) == {}
    assert codec.load(Empty, {"x": 1}) == Empty()


def test_unknown_members_are_ignored_and_null_is_absence_where_there_is_a_default() -> None:
    loaded = codec.load(Sample, {"id": "x", "count": 1, "new": 1, "pairs": None, "on": None, "mode": None})

    assert loaded == Sample(id_="x", count=1)


def test_an_integer_is_a_number() -> None:
    assert codec.load(Sample, {"id": "x", "count": 1, "ratio": 2}).ratio == 2.0


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"count": "3"}, "count: must be an integer, not a string"),
        ({"count": True}, "count: must be an integer, not a boolean"),
        ({"count": 1.5}, "count: must be an integer, not float"),
        ({"count": None}, "count: must be an integer, not null"),
        ({"id": 5}, "id: must be a string, not an integer"),
        ({"on": 1}, "on: must be a boolean, not an integer"),
        ({"ratio": float("nan")}, "ratio: must be a finite number, not float"),
        ({"ratio": True}, "ratio: must be a finite number, not a boolean"),
        ({"mode": "medium"}, "mode: must be one of fast, slow"),
        ({"mode": ["fast"]}, "mode: must be one of fast, slow"),
        ({"label": 1}, "label: must be a string or null, not an integer"),
        ({"pairs": [["a"]]}, "pairs: must be an array of 2 elements"),
        ({"pairs": [["a", 1]]}, "pairs: must be a string, not an integer"),
        ({"pairs": {"a": "b"}}, "pairs: must be an array, not an object"),
        ({"parts": [{"size": 1}]}, "parts: name: is required"),
        ({"parts": ["p"]}, "parts: must be an object, not a string"),
        ({"best": 1}, "best: must be an object, not an integer"),
        ({"best": {"name": None}}, "best: name: must be a string, not null"),
        ({"free": []}, "free: must be an object, not an array"),
        ({"flags": {"a": 1}}, "flags: must be a boolean or a string, not an integer"),
        ({"flags": []}, "flags: must be an object, not an array"),
    ],
)
def test_a_wrong_type_is_refused_by_name(change: dict[str, Any], words: str) -> None:
    with pytest.raises(FrameError) as caught:
        codec.load(Sample, {**WIRE, **change})

    assert str(caught.value) == words


def test_a_missing_member_is_refused_by_name() -> None:
    with pytest.raises(MissingField, match=r"^count: is required$"):
        codec.load(Sample, {"id": "x"})


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nonsense",
        "NaN",
        '{"a": Infinity}',
        b'{"a": "\xff"}',
        '{"a": "\\ud800"}',
        "[" * 201 + "]" * 201,
        '{"a":' * 201 + "1" + "}" * 201,
        "[" * 100_000,
    ],
    ids=["empty", "cut", "word", "nan", "infinity", "utf8", "surrogate", "arrays", "objects", "bomb"],
)
def test_text_that_is_not_fit_for_us_is_refused(text: str | bytes) -> None:
    with pytest.raises(FrameError):
        codec.decode(text)


def test_many_shallow_brackets_are_fine() -> None:
    assert codec.decode("[" + ",".join(["[]"] * 1000) + "]") == [[]] * 1000
    assert codec.decode(b'{"body": "' + b"[{" * 1000 + b'"}') == {"body": "[{" * 1000}


@pytest.mark.parametrize(
    "value", ["\ud800", {"k": object()}, {1: 2}, {"big": 2**70}], ids=["surrogate", "object", "key", "big"]
)
def test_what_json_cannot_say_is_refused_on_the_way_out(value: Any) -> None:
    with pytest.raises(FrameError):
        codec.encode(value)


@pytest.mark.parametrize("hint", [set[str], tuple[str, int], Part | Single, bytes], ids=str)
def test_a_type_without_a_json_shape_is_a_programming_error(hint: Any) -> None:
    @dataclass
    class Odd:
        value: hint

    with pytest.raises(TypeError):
        codec.load(Odd, {"value": []})


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
PARTS = st.builds(Part, name=TEXT, size=st.integers(-(2**53), 2**53))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=10,
)
SAMPLES = st.builds(
    Sample,
    id_=TEXT,
    count=st.integers(-(2**63), 2**63),
    ratio=st.floats(allow_nan=False, allow_infinity=False),
    on=st.booleans(),
    mode=st.sampled_from(["fast", "slow"]),
    label=st.none() | TEXT,
    note=st.none() | TEXT,
    pairs=st.lists(st.tuples(TEXT, TEXT), max_size=3).map(tuple),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    best=st.none() | PARTS,
    free=st.dictionaries(TEXT, JSON, max_size=3),
    flags=st.none() | st.dictionaries(TEXT, st.booleans() | TEXT, max_size=3),
    anything=JSON,
    agent=st.none() | TEXT,
)


@given(SAMPLES)
def test_any_object_survives_the_trip_through_text(sample: Sample) -> None:
    text = codec.encode(codec.dump(sample))

    assert codec.load(Sample, codec.decode(text)) == sample


@given(st.dictionaries(st.sampled_from(list(WIRE)), JSON))
def test_any_json_either_loads_or_is_a_frame_error(wire: dict[str, Any]) -> None:
    try:
        loaded = codec.load(Sample, wire)
    except FrameError:
        return
    assert codec.load(Sample, codec.dump(loaded)) == loaded
