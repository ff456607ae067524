"""Reading a command line: words, wrappers, nesting, and what is not followed."""

import pytest

from omnigent.policies.shell import MAX_DEPTH, parse

WORDS = [
    ("cd /x && git push origin main", [("cd", "/x"), ("git", "push", "origin", "main")]),
    ("a;b|c&d||e&&f\ng", [("a",), ("b",), ("c",), ("d",), ("e",), ("f",), ("g",)]),
    ("(a; b)", [("a",), ("b",)]),
    ("{ a; b; }", [("a",), ("b",)]),
    ("f() { a; }", [("f",), ("a",)]),
    ("a ; ; b ;", [("a",), ("b",)]),
    ("echo 'a;b' \"c|d\" e\\&f", [("echo", "a;b", "c|d", "e&f")]),
    ("g'i't p\"us\"h", [("git", "push")]),
    ("echo '' x", [("echo", "", "x")]),
    ('echo "a\\"b" "\\$x" "\\n"', [("echo", 'a"b', "$x", "\\n")]),
    ("echo $X ${Y:-z} a$1", [("echo", "$X", "${Y:-z}", "a$1")]),
    ("echo a#b", [("echo", "a#b")]),
    ("echo 2> err >out <in x", [("echo", "x")]),
    ("echo 2", [("echo", "2")]),
    ("echo a2>f", [("echo", "a2")]),
    ("A=1 B+=2 C[3]=4 cmd x=y", [("cmd", "x=y")]),
    ("A=1", []),
    ("sudo -u root -- git push", [("git", "push")]),
    ("sudo -uroot A=1 env -u X B=2 git push", [("git", "push")]),
    ("timeout -k 5 --signal=KILL 10 git push", [("git", "push")]),
    ("command -v git", [("command", "-v", "git")]),
    ("exec -a x git push", [("git", "push")]),
    ("while ! git pull; do git push; done", [("git", "pull"), ("git", "push"), ("done",)]),
    ("sh -c 'cd /; git push'", [("cd", "/"), ("git", "push")]),
    ("bash -euo pipefail -c 'git push' x y", [("git", "push")]),
    ("eval git 'push origin'", [("git", "push", "origin")]),
    ("env -i -S 'git -C \"a b\"' push", [("git", "-C", "a b", "push")]),
    ("sh -c \"bash -c 'git push'\"; ls", [("git", "push"), ("ls",)]),
]


@pytest.mark.parametrize(("command", "expected"), WORDS, ids=[command for command, _words in WORDS])
def test_a_command_line_is_split_into_the_commands_that_run(
    command: str, expected: list[tuple[str, ...]]
) -> None:
    parsed = parse(command)

    assert [segment.words for segment in parsed.segments] == expected
    assert all(segment.is_readable for segment in parsed.segments)
    assert parsed.is_supported
    assert not parsed.is_too_deep


UNSUPPORTED = [
    ("git push; echo $(x)", [("git", "push")]),
    ("git push; echo `x`", [("git", "push")]),
    ('git push; echo "$(x)"', [("git", "push")]),
    ('git push; echo "`x`"', [("git", "push")]),
    ("git push; echo $((1+1))", [("git", "push")]),
    ("git push; echo $'x'", [("git", "push")]),
    ('git push; echo $"x"', [("git", "push")]),
    ("git push # x", [("git", "push")]),
    ("git push; cat <<EOF\ncd /\nEOF", [("git", "push")]),
    ("git push; cat <<< x", [("git", "push")]),
    ("git push; cat <(x)", [("git", "push")]),
    ("git push; echo \\\n x", [("git", "push")]),
    ('git push; echo "a\\\nb"', [("git", "push")]),
    ("git push; echo ${x@P}", [("git", "push")]),
    ("git push; echo ${x:-${y}}", [("git", "push")]),
    ("git push; echo \x00 x", [("git", "push")]),
    ("git push; echo\u3000x", [("git", "push")]),
    ("git push; sh -c 'ls; echo $(x)'", [("git", "push"), ("ls",)]),
    ("x" * 32_769, []),
]


@pytest.mark.parametrize(
    ("command", "kept"), UNSUPPORTED, ids=[command[:60] for command, _kept in UNSUPPORTED]
)
def test_syntax_that_is_not_followed_keeps_what_had_ended_before_it(
    command: str, kept: list[tuple[str, ...]]
) -> None:
    parsed = parse(command)

    assert not parsed.is_supported
    assert parsed.fault
    assert parsed.unread
    assert [segment.words for segment in parsed.segments] == kept


UNREADABLE = [
    "git 'push",
    'git "push',
    "-x git push",
    "$GIT push",
    "g?t push",
    "{git,push}",
    "/usr/bin/[g]it push",
    "sudo $X git push",
    "sudo --strange git push",
    "find . -exec git push \\;",
    "xargs git push",
    "python3.11 x.py",
    "make push",
    "sh push.sh",
    "bash -s",
    "source push.sh",
    'eval "$X"',
    'sh -c "git $X"',
    "env -S 'git\\_push'",
    "sudo -s",
]


@pytest.mark.parametrize("command", UNREADABLE)
def test_a_command_whose_words_do_not_tell_what_runs_is_unreadable(command: str) -> None:
    parsed = parse(f"ls; {command}")

    assert parsed.segments[0].is_readable
    assert not parsed.segments[1].is_readable
    assert parsed.segments[1].fault


def test_a_computed_script_shows_both_itself_and_what_is_known_of_it() -> None:
    outer, inner = parse('sh -c "git push $X"').segments

    assert (outer.is_readable, outer.depth, outer.name) == (False, 0, "sh")
    assert (inner.words, inner.depth) == (("git", "push", "$X"), 1)


def test_a_segment_names_its_program_its_text_and_its_redirections() -> None:
    (segment,) = parse("A=1 sudo /usr/bin/git push >> log 2>&1").segments

    assert segment.name == "git"
    assert segment.raw == "A=1 sudo /usr/bin/git push >> log 2>&1"
    assert segment.redirects == ("log", "1")


@pytest.mark.parametrize(("levels", "is_too_deep"), [(MAX_DEPTH, False), (MAX_DEPTH + 1, True)])
def test_commands_are_opened_to_a_depth_and_no_further(levels: int, is_too_deep: bool) -> None:
    parsed = parse("eval " * levels + "git push")

    assert parsed.is_too_deep is is_too_deep
    assert [segment.depth for segment in parsed.segments] == ([] if is_too_deep else [MAX_DEPTH])
