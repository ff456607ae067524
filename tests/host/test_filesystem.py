"""What the server may see and make of the disk."""

import os
from pathlib import Path
from typing import Any

import pytest

from omnigent.host.filesystem import FileSystem
from omnigent.protocol.host_frames import CreateDir, ListDir, ListDirResult, Stat


def disk(root: Path, *roots: Path) -> FileSystem:
    return FileSystem(workspace_root=root, roots=roots)


def page(files: FileSystem, path: Path, **fields: Any) -> ListDirResult:
    return files.list_dir(ListDir(request_id="1", path=str(path), **fields))


def test_stat_tells_directory_file_and_nothing_apart(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to(tmp_path / "file")

    def stat(path: Path) -> tuple[bool, str | None, str | None]:
        result = disk(tmp_path).stat(Stat(request_id="1", path=str(path)))
        assert result.status == "ok"
        return result.exists, result.type, result.canonical_path

    real = tmp_path.resolve()
    assert stat(tmp_path) == (True, "directory", str(real))
    assert stat(tmp_path / "link") == (True, "file", str(real / "file"))
    assert stat(tmp_path / "pipe") == (True, "other", str(real / "pipe"))
    assert stat(tmp_path / "none") == (False, None, str(real / "none"))
    assert stat(tmp_path / "file" / "below") == (False, None, str(real / "file" / "below"))


@pytest.mark.parametrize("path", ["", "relative", "./x", "~root/x", "/a\x00b", "/" + "x" * 5000])
def test_paths_that_cannot_be_used_are_refused(tmp_path: Path, path: str) -> None:
    files = disk(tmp_path)

    assert files.stat(Stat(request_id="1", path=path)).status == "failed"
    assert files.list_dir(ListDir(request_id="1", path=path)).status == "failed"
    assert files.create_dir(CreateDir(request_id="1", path=path)).status == "failed"


def test_a_loop_of_links_is_an_answer(tmp_path: Path) -> None:
    (tmp_path / "loop").symlink_to(tmp_path / "loop")

    assert disk(tmp_path).stat(Stat(request_id="1", path=str(tmp_path / "loop"))).status == "failed"


def test_a_directory_is_listed_by_name_in_pages(tmp_path: Path) -> None:
    for name in ("d", "b", "a", "e", "c"):
        (tmp_path / name).mkdir()
    files = disk(tmp_path)

    first = page(files, tmp_path, limit=2)
    second = page(files, tmp_path, limit=2, after=first.entries[-1].path)
    third = page(files, tmp_path, limit=2, after=second.entries[-1].path)
    back = page(files, tmp_path, limit=2, before=second.entries[-1].path)

    assert [[entry.name for entry in result.entries] for result in (first, second, third, back)] == [
        ["a", "b"], ["c", "d"], ["e"], ["b", "c"],
    ]  # fmt: skip
    assert [result.has_more for result in (first, second, third, back)] == [True, True, False, True]


def test_entries_carry_type_size_and_time(tmp_path: Path) -> None:
    (tmp_path / "dir").mkdir()
    (tmp_path / "file").write_bytes(b"12345")
    (tmp_path / "dangling").symlink_to("nowhere")
    os.mkdir(os.fsencode(tmp_path) + b"/\xff")

    entries = {entry.name: entry for entry in page(disk(tmp_path), tmp_path).entries}

    assert set(entries) == {"dir", "file", "dangling"}
    assert (entries["dir"].type, entries["dir"].bytes) == ("directory", None)
    assert (entries["file"].type, entries["file"].bytes) == ("file", 5)
    assert entries["file"].modified_at == int((tmp_path / "file").stat().st_mtime)
    assert entries["dangling"].type == "other"


def test_listing_what_is_not_a_directory_is_ok_with_an_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")

    for path in (tmp_path / "none", tmp_path / "file"):
        result = page(disk(tmp_path), path)
        assert (result.status, result.entries) == ("ok", ())
        assert result.error


@pytest.mark.parametrize("limit", [-1, 0, 10**9])
def test_odd_limits_are_clamped(tmp_path: Path, limit: int) -> None:
    (tmp_path / "a").mkdir()

    assert len(page(disk(tmp_path), tmp_path, limit=limit).entries) == 1


def test_a_directory_is_made_with_its_parents_and_twice_is_said(tmp_path: Path) -> None:
    files = disk(tmp_path)
    ask = CreateDir(request_id="1", path=str(tmp_path / "a" / "b"))

    first, second = files.create_dir(ask), files.create_dir(ask)

    assert (first.status, first.error, first.path) == ("ok", None, str((tmp_path / "a" / "b").resolve()))
    assert (second.status, second.error) == ("ok", "already exists")


def test_the_conventional_workspace_directory_means_the_configured_root(tmp_path: Path) -> None:
    made = disk(tmp_path / "root").create_dir(CreateDir(request_id="1", path="~/omnigent/conv_1"))

    assert made.path == str((tmp_path / "root" / "conv_1").resolve())


def test_home_is_expanded(tmp_path: Path) -> None:
    assert disk(tmp_path).resolve("~") == Path.home().resolve()


def test_nothing_outside_the_roots_can_be_reached(tmp_path: Path) -> None:
    inside, outside = tmp_path / "in", tmp_path / "out"
    inside.mkdir()
    outside.mkdir()
    (inside / "escape").symlink_to(outside)
    files = disk(inside, inside.resolve())

    for path in (outside, inside / ".." / "out", inside / "escape", inside / "escape" / "x", Path("/")):
        assert files.stat(Stat(request_id="1", path=str(path))).status == "failed"
        assert page(files, path).status == "failed"
        assert files.create_dir(CreateDir(request_id="1", path=str(path / "new"))).status == "failed"
    assert files.stat(Stat(request_id="1", path=str(inside))).exists
    assert not (outside / "new").exists()
