"""Paths: what is refused before anything is looked at, and what may not lead out."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.workspace.rig import do, names, refusal

OPERATIONS = {
    "list_or_read": {},
    "search": {"q": "a"},
    "write": {"content": "new"},
    "edit": {"old_text": "a", "new_text": "b"},
    "delete": {"recursive": True},
}
each = pytest.mark.parametrize("what", OPERATIONS)


@pytest.fixture
def room(tmp_path: Path) -> Path:
    """A workspace beside something that it must not reach."""
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("a secret")
    root = tmp_path / "root"
    (root / "inner").mkdir(parents=True)
    (root / "inner" / "a.txt").write_text("a text")
    return root


@each
@pytest.mark.parametrize(
    "path",
    [
        "../outside/secret.txt",
        "inner/../../outside/secret.txt",
        "inner/..",
        "..",
        "%2e%2e/outside/secret.txt",
        "inner/%2E%2E/%2e%2e/outside",
        "%252e%252e/outside",
        "..\\outside",
        "inner/..%5c..%5coutside",
        "a\x00b",
        "a%00b",
        "/etc/passwd",
        "\ud800",
        "x" * 5000,
    ],
    ids=ascii,
)
def test_a_path_that_could_lead_out_is_refused_unseen(room: Path, what: str, path: str) -> None:
    assert refusal(room, what, path, **OPERATIONS[what]) == (400, "invalid_input")
    assert (room.parent / "outside" / "secret.txt").read_text() == "a secret"


@each
@pytest.mark.parametrize("target", ["../outside", "{}/outside", "inner/../../outside", "/etc"])
def test_a_link_out_is_not_followed(room: Path, what: str, target: str) -> None:
    (room / "link").symlink_to(target.format(room.parent))
    inside = "link" if what == "search" else "link/secret.txt"

    assert refusal(room, what, inside, **OPERATIONS[what]) == (400, "invalid_input")
    assert (room.parent / "outside" / "secret.txt").read_text() == "a secret"


@pytest.mark.parametrize("what", ["list_or_read", "write", "edit"])
def test_a_link_to_a_file_outside_is_not_followed(room: Path, what: str) -> None:
    (room / "link").symlink_to("../outside/secret.txt")

    assert refusal(room, what, "link", **OPERATIONS[what]) == (400, "invalid_input")
    assert (room.parent / "outside" / "secret.txt").read_text() == "a secret"


def test_deleting_a_link_leaves_what_it_leads_to(room: Path) -> None:
    (room / "link").symlink_to("../outside")

    assert do(room, "delete", "link", recursive=True)["entries_deleted"] == 1
    assert (room.parent / "outside" / "secret.txt").exists()
    assert not (room / "link").is_symlink()


@pytest.mark.parametrize(
    "target", ["inner/a.txt", "inner/../inner/a.txt", "./inner//a.txt", "{}/inner/a.txt", "chain"]
)
def test_a_link_that_stays_inside_is_followed(room: Path, target: str) -> None:
    (room / "chain").symlink_to("inner/a.txt")
    (room / "link").symlink_to(target.format(room))

    assert do(room, "list_or_read", "link")["content"] == "a text"
    do(room, "write", "link", content="changed")
    assert (room / "inner" / "a.txt").read_text() == "changed"
    assert (room / "link").is_symlink()


def test_a_link_by_another_name_of_the_root_is_inside(room: Path) -> None:
    (room.parent / "alias").symlink_to(room)
    (room / "link").symlink_to(room.parent / "alias" / "inner")

    assert names(do(room, "list_or_read", "link")) == ["link/a.txt"]


@each
def test_a_loop_of_links_ends(room: Path, what: str) -> None:
    (room / "one").symlink_to("two")
    (room / "two").symlink_to("one")

    assert refusal(room, what, "one/x", **OPERATIONS[what]) == (400, "invalid_input")
    assert {row["type"] for row in do(room, "list")["data"]} == {"file", "directory"}


@each
def test_what_is_missing_is_said_to_be(room: Path, what: str) -> None:
    fields = OPERATIONS[what] | ({"create_parents": False} if what == "write" else {})

    assert refusal(room, what, "gone/x.txt", **fields) == (404, "not_found")
    assert refusal(room, what, "inner/a.txt/x", **OPERATIONS[what] | fields) == (404, "not_found")


def test_an_absolute_path_below_the_root_is_that_path(room: Path) -> None:
    assert do(room, "list_or_read", f"{room}/inner/a.txt")["path"] == "inner/a.txt"


def test_dots_and_double_slashes_mean_nothing(room: Path) -> None:
    assert do(room, "list_or_read", "./inner//./a.txt")["path"] == "inner/a.txt"


def test_names_with_dots_and_spaces_are_ordinary(room: Path) -> None:
    for name in ("...", "a..b", " x ", "größe 你好", "-rf", "a:b*?"):
        do(room, "write", name, content=name)
        assert do(room, "list_or_read", name)["content"] == name


@pytest.mark.parametrize("make", ["fifo", "socket", "device"])
def test_what_is_no_file_never_blocks(room: Path, make: str) -> None:
    odd = room / "odd"
    if make == "fifo":
        os.mkfifo(odd)
    elif make == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            subprocess.run(
                [sys.executable, "-c", "import socket; socket.socket(socket.AF_UNIX).bind('odd')"],
                cwd=room,
                check=True,
            )
            assert listener
    else:
        odd.symlink_to("/dev/zero")

    assert refusal(room, "list_or_read", "odd") == (400, "invalid_input")
    assert refusal(room, "edit", "odd", old_text="a", new_text="b")[0] in {400, 409}
    assert refusal(room, "write", "odd", content="x")[0] in {400, 409}
    row = next(row for row in do(room, "list")["data"] if row["name"] == "odd")
    assert (row["type"], row["bytes"]) == ("file", None)
    assert "odd" not in str(do(room, "search", q="a", mode="content"))
    do(room, "delete", "odd")
    assert not odd.is_symlink() and not odd.exists()


def test_a_root_that_became_a_link_is_refused(room: Path) -> None:
    moved = room.parent / "moved"
    real = room.resolve()
    real.rename(moved)
    real.symlink_to(room.parent / "outside")

    code = (
        "import sys; from pathlib import Path; from omnigent.workspace.root import Root\n"
        "from omnigent.workspace.errors import Refused\n"
        "try:\n"
        "    with Root.opened(Path(sys.argv[1])): pass\n"
        "except Refused as exc: print(exc.status)"
    )
    ran = subprocess.run([sys.executable, "-c", code, str(real)], capture_output=True, text=True, check=True)
    assert ran.stdout.strip() == "404"
