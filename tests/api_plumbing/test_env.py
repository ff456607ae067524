"""Environment variables: typed, forgiving at start, reported by a check."""

from pathlib import Path

import pytest

from omnigent.env import Environment


@pytest.mark.parametrize(
    ("text", "value"),
    [("true", True), ("1", True), ("ON", True), ("no", False), ("0", False), ("", False), ("  ", False)],
)
def test_a_flag_reads_the_usual_words(text: str, value: bool) -> None:
    env = Environment({"X": text})

    assert env.flag("X", default=False) is value
    assert env.bad_values == []


def test_unset_and_empty_variables_mean_the_default() -> None:
    env = Environment({"EMPTY": ""})

    assert env.integer("EMPTY", 7) == 7
    assert env.integer("UNSET", 7) == 7
    assert env.text("EMPTY", "x") == "x"
    assert env.bad_values == []


@pytest.mark.parametrize("text", ["abc", "1.5", "-1", "99999", "0x10"])
def test_a_bad_integer_falls_back_and_is_remembered(text: str) -> None:
    env = Environment({"PORT": text})

    assert env.integer("PORT", 6767, maximum=65535) == 6767

    [bad] = env.bad_values
    assert bad.name == "PORT"
    assert bad.hint


@pytest.mark.parametrize("text", ["nan", "-1", "inf", "x"])
def test_bad_seconds_fall_back_and_are_remembered(text: str) -> None:
    env = Environment({"WAIT": text})

    assert env.seconds("WAIT", 2.5, maximum=60.0) == 2.5
    assert [bad.name for bad in env.bad_values] == ["WAIT"]


def test_a_choice_outside_its_values_is_remembered_with_the_values() -> None:
    env = Environment({"SYNC": "SOMETIMES"})

    assert env.choice("SYNC", "FULL", ("FULL", "NORMAL")) == "FULL"
    assert "FULL, NORMAL" in env.bad_values[0].hint


def test_a_flag_that_is_neither_is_remembered() -> None:
    env = Environment({"DEBUG": "maybe"})

    assert env.flag("DEBUG", default=True) is True
    assert env.bad_values[0].name == "DEBUG"


def test_lists_of_words_and_paths() -> None:
    env = Environment({"WORDS": " a, b,,c ", "PATHS": "/x:/y"})

    assert env.words("WORDS") == ("a", "b", "c")
    assert env.paths("PATHS") == (Path("/x"), Path("/y"))
    assert env.words("UNSET") == ()
