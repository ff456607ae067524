"""YAML is read as plain data, and what a hostile author hides in it is refused."""

import pytest

from omnigent.spec import BundleError, load_yaml


def test_only_true_and_false_are_booleans_and_dates_stay_text() -> None:
    loaded = load_yaml("on: yes\nno: off\nflag: True\nday: 2026-01-02\n1: one\n")

    assert loaded == {"on": "yes", "no": "off", "flag": True, "day": "2026-01-02", "1": "one"}


@pytest.mark.parametrize(
    "text",
    [
        "a: [", "a: b: c", "\t- x", "!!python/object/apply:os.system ['true']", "a: !!binary aGk=",
        "a: !!set {x}", "? [1, 2]\n: x", "a: &a [*a]", "a: \"\\ud800\"", 'a: "\\0"', "a: 1\n---\nb: 2",
        "[" * 60 + "]" * 60, "{a: " * 3000, "a: &x 1\n" + "".join(f"k{n}: *x\n" for n in range(40)),
        "x" * 1_100_000, "a: .nan", "a: .inf", "a: " + "9" * 20, "a: " + "9" * 5000,
        "a: 1\na: 2", "{x: {a: 1, a: 2}}", "1: a\n'1': b", "a: !!int 'x'",
        "a: !!timestamp 2026-99-99", "\x07",
    ],
    ids=lambda text: text[:24],
)  # fmt: skip
def test_hostile_yaml_is_refused(text: str) -> None:
    with pytest.raises(BundleError):
        load_yaml(text)


def test_a_bomb_of_aliases_is_refused() -> None:
    rows = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    rows += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 4)}]" for n in range(1, 8)]

    with pytest.raises(BundleError, match="too many values"):
        load_yaml("\n".join(rows))


def test_yaml_faults_say_where() -> None:
    with pytest.raises(BundleError, match=r"config.yaml: .* at line 3, column \d+"):
        load_yaml("a: 1\nb: [\n", name="config.yaml")


def test_a_bomb_of_merges_is_refused_before_anything_is_built() -> None:
    keys = ", ".join(f"k{number}: 1" for number in range(1000))
    rows = [f"a0: &a0 {{{keys}}}"]
    rows += [f"a{n}: &a{n} {{<<: [{', '.join([f'*a{n - 1}'] * 4)}]}}" for n in range(1, 8)]

    with pytest.raises(BundleError, match="too many values"):
        load_yaml("\n".join(rows))


def test_a_document_of_very_many_values_is_refused() -> None:
    with pytest.raises(BundleError, match="too many values"):
        load_yaml("[" + "1," * 60_000 + "]")


def test_a_long_text_is_one_value() -> None:
    assert load_yaml("prompt: |\n" + "  line\n" * 50_000)["prompt"].count("line") == 50_000


def test_merge_keys_may_be_overridden() -> None:
    assert load_yaml("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\n")["use"] == {"x": 1, "y": 3}
