"""A directory that turns into a link again and again: nothing outside is ever read, written or deleted."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest

from omnigent.workspace.changes import current
from omnigent.workspace.errors import Refused
from omnigent.workspace.root import Root
from tests.workspace import swapper
from tests.workspace.rig import do

ROUNDS = 1500


@contextmanager
def swapping(root: Path, outside: Path) -> Iterator[None]:
    """`root/door` is a directory and a link to the outside in turn, as fast as another process can do it."""
    build(root)
    (root / "link").symlink_to(outside)
    command = [sys.executable, str(Path(swapper.__file__)), "door", "link"]
    with subprocess.Popen(command, cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stdin is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            yield
        finally:
            process.stdin.close()


def build(root: Path) -> None:
    """The door as a directory, when an operation has taken it away."""
    with suppress(OSError):
        (root / "door").mkdir()
        (root / "door" / "file.txt").write_text("inside")


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    made = tmp_path / "outside"
    made.mkdir()
    (made / "file.txt").write_text("outside")
    return made


@pytest.fixture
def root(tmp_path: Path) -> Path:
    made = tmp_path / "root"
    made.mkdir()
    return made


@pytest.mark.parametrize(
    ("what", "path", "fields"),
    [
        ("list_or_read", "door/file.txt", {}),
        ("list_or_read", "door", {}),
        ("search", "", {"q": "outside", "mode": "content"}),
        ("search", "door", {"q": "outside", "mode": "content"}),
        ("write", "door/file.txt", {"content": "written"}),
        ("write", "door/new/deep.txt", {"content": "written"}),
        ("edit", "door/file.txt", {"old_text": "o", "new_text": "0", "replace_all": True}),
        ("delete", "door/file.txt", {}),
        ("delete", "door/new", {"recursive": True}),
    ],
)
def test_no_operation_reaches_through_a_door_that_changes(
    root: Path, outside: Path, what: str, path: str, fields: dict[str, Any]
) -> None:
    (outside / "new").mkdir()
    (outside / "new" / "kept.txt").write_text("outside")
    answers = []

    with swapping(root, outside):
        for _ in range(ROUNDS):
            with suppress(Refused):
                answers.append(do(root, what, path, **fields))

    assert (outside / "file.txt").read_text() == "outside"
    assert (outside / "new" / "kept.txt").read_text() == "outside"
    assert sorted(entry.name for entry in (outside / "new").iterdir()) == ["kept.txt"]
    for answer in answers:
        assert answer.get("content") in {None, "inside", "written"}
        assert all("kept.txt" not in row["path"] for row in answer.get("data", []))
        if what == "search":
            assert answer["data"] == []


def test_recursive_deletion_does_not_follow_a_directory_that_turns_into_a_link(
    root: Path, outside: Path
) -> None:
    with swapping(root, outside):
        for _ in range(ROUNDS // 5):
            with suppress(Refused, OSError):
                do(root, "delete", "door", recursive=True)
            build(root)

    assert (outside / "file.txt").read_text() == "outside"


def test_a_difference_shows_nothing_of_the_outside(root: Path, outside: Path) -> None:
    seen = set()

    with swapping(root, outside):
        for _ in range(ROUNDS):
            with Root.opened(root.resolve()) as opened, suppress(Refused):
                seen.add(current(opened, ("door", "file.txt")))

    assert seen <= {b"inside", None}
