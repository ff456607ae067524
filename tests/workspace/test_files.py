"""Directories in pages, and files read, written, edited and deleted."""

import base64
import errno
import os
import stat
from pathlib import Path

import pytest

from omnigent.workspace.errors import refused
from omnigent.workspace.reading import MOST_READ
from tests.workspace.rig import do, names, refusal

EMOJI = "\N{GRINNING FACE}"


@pytest.fixture
def letters(tmp_path: Path) -> Path:
    for name in "abcdef":
        (tmp_path / name).write_text(name)
    return tmp_path


def test_a_directory_is_listed_with_what_its_entries_are(tmp_path: Path) -> None:
    (tmp_path / "sub" / "empty").mkdir(parents=True)
    (tmp_path / "sub" / "a.txt").write_text("12345")
    os.utime(tmp_path / "sub" / "a.txt", (1000, 1234.9))

    page = do(tmp_path, "list_or_read", "sub", order="asc")

    assert page["object"] == "list" and page["base"] == str(tmp_path.resolve() / "sub")
    assert page["data"][0] == {
        "id": "sub/a.txt",
        "object": "session.environment.filesystem.entry",
        "name": "a.txt",
        "path": "sub/a.txt",
        "type": "file",
        "bytes": 5,
        "modified_at": 1234,
    }
    assert (page["data"][1]["type"], page["data"][1]["bytes"]) == ("directory", None)
    assert (page["first_id"], page["last_id"], page["has_more"]) == ("sub/a.txt", "sub/empty", False)


def test_an_empty_directory_is_an_empty_page(tmp_path: Path) -> None:
    page = do(tmp_path, "list")

    assert (page["data"], page["first_id"], page["last_id"], page["has_more"]) == ([], None, None, False)


@pytest.mark.parametrize(
    ("fields", "expected", "has_more"),
    [
        ({}, "fedcba", False),
        ({"order": "asc"}, "abcdef", False),
        ({"order": "asc", "limit": 2}, "ab", True),
        ({"order": "asc", "limit": 2, "after": "b"}, "cd", True),
        ({"order": "asc", "limit": 2, "after": "d"}, "ef", False),
        ({"order": "desc", "limit": 2, "after": "e"}, "dc", True),
        ({"order": "asc", "limit": 2, "before": "e"}, "ab", True),
        ({"order": "desc", "before": "d"}, "fe", False),
        ({"order": "asc", "after": "a", "before": "d"}, "bc", False),
        ({"order": "asc", "after": "c", "before": "c"}, "", False),
    ],
)
def test_pages_follow_the_order_and_the_cursors(
    letters: Path, fields: dict[str, object], expected: str, has_more: bool
) -> None:
    page = do(letters, "list", **fields)

    assert ("".join(names(page)), page["has_more"]) == (expected, has_more)


@pytest.mark.parametrize("cursor", ["gone", "sub/a", "a/b", "..", "../a", "\x00", "\ud800", ""])
def test_a_cursor_that_is_no_entry_is_stale(letters: Path, cursor: str) -> None:
    if cursor:
        assert refusal(letters, "list", after=cursor) == (400, "stale_cursor")
    else:
        assert len(do(letters, "list", after=cursor)["data"]) == 6


@pytest.mark.parametrize(
    "fields",
    [{"limit": 0}, {"limit": 1001}, {"limit": "x"}, {"limit": True}, {"order": "up"}, {"after": 3}],
    ids=str,
)
def test_a_page_that_makes_no_sense_is_refused(letters: Path, fields: dict[str, object]) -> None:
    assert refusal(letters, "list", **fields) == (400, "invalid_input")


def test_all_of_a_huge_directory_is_seen_once_page_by_page(tmp_path: Path) -> None:
    wanted = sorted(f"{number:05d}" for number in range(5000))
    for name in wanted:
        (tmp_path / name).touch()

    seen: list[str] = []
    after = None
    while True:
        page = do(tmp_path, "list", limit=1000, order="asc", after=after)
        seen += names(page)
        after = page["last_id"]
        if not page["has_more"]:
            break

    assert seen == wanted


def test_names_that_are_no_text_are_left_out_and_deleted_with_their_directory(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / os.fsdecode(b"bad\xff")).write_text("x")
    (tmp_path / "sub" / "good").write_text("y")

    assert names(do(tmp_path, "list", "sub")) == ["sub/good"]
    assert do(tmp_path, "list_or_read", os.fsdecode(b"sub/bad\xff"))["content"] == "x"
    assert do(tmp_path, "search", q="o")["data"][0]["path"] == "sub/good"
    assert do(tmp_path, "delete", "sub", recursive=True)["entries_deleted"] == 3


# -- reading ---------------------------------------------------------------------------------------------


def test_a_file_is_read(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text("größe\r\n")

    assert do(tmp_path, "list_or_read", "a.py") == {
        "object": "session.environment.filesystem.file_content",
        "path": "a.py",
        "content_type": "text/x-python",
        "bytes": 9,
        "truncated": False,
        "encoding": "utf-8",
        "content": "größe\r\n",
    }


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"a\x00b", "größe".encode("latin-1"), b"\xed\xa0\x80"], ids=repr
)
def test_bytes_that_are_no_text_come_as_base64(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "data").write_bytes(data)

    answer = do(tmp_path, "list_or_read", "data")

    assert (answer["encoding"], answer["content_type"]) == ("base64", "application/octet-stream")
    assert base64.b64decode(answer["content"]) == data


@pytest.mark.parametrize("shift", range(4))
def test_a_large_text_is_cut_between_characters(tmp_path: Path, shift: int) -> None:
    (tmp_path / "large").write_text("x" * (MOST_READ - shift) + EMOJI * 10)

    answer = do(tmp_path, "list_or_read", "large")

    assert answer["truncated"] and answer["encoding"] == "utf-8"
    assert answer["content"] == "x" * (MOST_READ - shift)
    assert answer["bytes"] == MOST_READ - shift + 40


def test_a_file_of_exactly_the_most_is_whole(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"\xff" * MOST_READ)

    answer = do(tmp_path, "list_or_read", "large")

    assert not answer["truncated"] and len(base64.b64decode(answer["content"])) == MOST_READ


@pytest.mark.parametrize("number", [errno.EACCES, errno.EPERM], ids=["access", "permission"])
def test_a_file_that_may_not_be_read_is_forbidden(number: int) -> None:
    # The system refuses nothing to root, who may be running this.
    found = refused(OSError(number, os.strerror(number)), "closed/x")

    assert (found.status, found.code) == (403, "forbidden")


# -- writing ---------------------------------------------------------------------------------------------


def test_a_file_is_written_with_its_directories(tmp_path: Path) -> None:
    answer = do(tmp_path, "write", "a/b/c.txt", content="größe")

    assert (tmp_path / "a" / "b" / "c.txt").read_text() == "größe"
    assert (answer["object"], answer["operation"]) == (
        "session.environment.filesystem.write_result",
        "write",
    )
    assert (answer["path"], answer["created"], answer["bytes_written"]) == ("a/b/c.txt", True, 7)
    assert answer["entry"]["id"] == "a/b/c.txt" and answer["entry"]["bytes"] == 7
    assert do(tmp_path, "write", "a/b/c.txt", content="")["created"] is False


def test_a_written_file_keeps_its_mode_and_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("old")
    (tmp_path / "run").chmod(0o750)

    do(tmp_path, "write", "run", content=base64.b64encode(b"\x00\xff").decode(), encoding="base64")

    assert (tmp_path / "run").read_bytes() == b"\x00\xff"
    assert stat.S_IMODE((tmp_path / "run").stat().st_mode) == 0o750
    assert os.listdir(tmp_path) == ["run"]


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"content": None},
        {"content": 5},
        {"content": "!", "encoding": "base64"},
        {"content": "YQ", "encoding": "base64"},
        {"content": "x", "encoding": "latin-1"},
        {"content": "\ud800"},
        {"content": "x", "create_parents": "yes"},
    ],
    ids=ascii,
)
def test_content_that_cannot_be_is_refused(tmp_path: Path, fields: dict[str, object]) -> None:
    assert refusal(tmp_path, "write", "a", **fields) == (400, "invalid_input")
    assert os.listdir(tmp_path) == []


def test_a_directory_is_not_overwritten(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()

    assert refusal(tmp_path, "write", "a", content="x") == (409, "conflict")
    assert refusal(tmp_path, "write", "", content="x") == (409, "conflict")


@pytest.mark.parametrize(
    "path", [".git/hooks/pre-commit", "sub/.GIT/config", ".git", "x/.git/HEAD", ".git ./config", "g/config"]
)
def test_what_belongs_to_git_is_read_and_never_changed(tmp_path: Path, path: str) -> None:
    (tmp_path / ".git").mkdir()
    (tmp_path / ".git" / "config").write_text("[core]")
    (tmp_path / "g").symlink_to(".git")

    for what, fields in (
        ("write", {"content": "x"}),
        ("edit", {"old_text": "c", "new_text": "d"}),
        ("delete", {"recursive": True}),
    ):
        assert refusal(tmp_path, what, path, **fields)[0] in {403, 404}
    assert do(tmp_path, "list_or_read", ".git/config")["content"] == "[core]"
    assert sorted(os.listdir(tmp_path)) == [".git", "g"] and os.listdir(tmp_path / ".git") == ["config"]


def test_the_first_place_is_edited_or_all(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("one one\r\none")

    answer = do(tmp_path, "edit", "a", old_text="one", new_text="größer")

    assert (tmp_path / "a").read_bytes() == "größer one\r\none".encode()
    assert (answer["replacements"], answer["bytes_before"], answer["bytes_after"]) == (1, None, 17)
    assert do(tmp_path, "edit", "a", old_text="one", new_text="", replace_all=True)["replacements"] == 2
    assert (tmp_path / "a").read_bytes() == "größer \r\n".encode()


def test_an_edit_that_cannot_be_made_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    (tmp_path / "b").write_bytes(b"\xff")

    assert refusal(tmp_path, "edit", "a", old_text="none", new_text="x") == (404, "not_found")
    assert refusal(tmp_path, "edit", "a", old_text="", new_text="x") == (400, "invalid_input")
    assert refusal(tmp_path, "edit", "a", old_text="t", new_text="\udc80") == (400, "invalid_input")
    assert refusal(tmp_path, "edit", "a", old_text="t") == (400, "invalid_input")
    assert refusal(tmp_path, "edit", "b", old_text="t", new_text="x") == (400, "invalid_input")
    assert refusal(tmp_path, "edit", "gone", old_text="t", new_text="x") == (404, "not_found")
    assert (tmp_path / "a").read_text() == "text"


# -- deleting --------------------------------------------------------------------------------------------


def test_a_file_and_a_tree_are_deleted(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("12345")
    (tmp_path / "tree" / "deep").mkdir(parents=True)
    (tmp_path / "tree" / "deep" / "b").write_text("123")
    (tmp_path / "tree" / "link").symlink_to("../a")

    assert do(tmp_path, "delete", "a") == {
        "object": "session.environment.filesystem.delete_result",
        "operation": "delete",
        "path": "a",
        "deleted": True,
        "type": "file",
        "bytes_deleted": 5,
        "entries_deleted": 1,
    }
    assert refusal(tmp_path, "delete", "tree") == (409, "conflict")
    assert (tmp_path / "tree" / "deep" / "b").exists()
    answer = do(tmp_path, "delete", "tree", recursive=True)
    assert (answer["type"], answer["entries_deleted"]) == ("directory", 4)
    assert os.listdir(tmp_path) == []


def test_an_empty_directory_needs_no_recursion(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()

    assert do(tmp_path, "delete", "empty")["bytes_deleted"] == 0


def test_the_root_itself_is_not_deleted(tmp_path: Path) -> None:
    assert refusal(tmp_path, "delete", "", recursive=True) == (400, "invalid_input")
    assert refusal(tmp_path, "delete", "./", recursive=True) == (400, "invalid_input")


def test_a_tree_without_a_bottom_is_refused(tmp_path: Path) -> None:
    path = tmp_path
    for _ in range(230):
        path = path / "d"
        path.mkdir()

    assert refusal(tmp_path, "delete", "d", recursive=True) == (409, "conflict")
