"""Names of branches: whatever is accepted here, git accepts too."""

import subprocess

import pytest

from omnigent.git_names import BadGitName, check_base, check_branch

GOOD = [
    "main",
    "feature/one",
    "a.b",
    "a-b_c",
    "release/1.2",
    "ünï/码",
    "a@b",
    "#1",
    "$(x)",
    "a{b}",
    "x" * 200,
]
BAD = [
    "",
    " ",
    "-a",
    "a b",
    "a\tb",
    "a\x7fb",
    "..",
    "a..b",
    "a~",
    "a^",
    "a:b",
    "a?",
    "a*",
    "a[",
    "a\\b",
    "@{-1}",
]
WORSE = ["@", "HEAD", ".a", "a/.b", "a.lock", "a.lock/b", "a.", "/a", "a/", "a//b", "\ud800", "ü" * 101]


@pytest.mark.parametrize("name", GOOD)
def test_a_good_name_is_one_for_git_as_well(name: str) -> None:
    check_branch(name)
    check_base(name)

    assert subprocess.run(("git", "check-ref-format", "--branch", name), check=False).returncode == 0


@pytest.mark.parametrize("name", [*BAD, *WORSE])
def test_a_bad_name_is_refused(name: str) -> None:
    with pytest.raises(BadGitName, match="is not a usable branch name"):
        check_branch(name)


def test_a_branch_may_start_at_head() -> None:
    check_base("HEAD")
