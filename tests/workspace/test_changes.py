"""Changes and differences, in real repositories and without one."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from omnigent.workspace.baseline import baseline_of
from omnigent.workspace.errors import Refused
from omnigent.workspace.history import changes, diff
from omnigent.workspace.root import Root
from tests.workspace.rig import asking, git, repository


@contextmanager
def opened(path: Path) -> Iterator[Root]:
    with Root.opened(path.resolve()) as root:
        yield root


def changed(path: Path, **options: Any) -> dict[str, tuple[Any, ...]]:
    """Status and counted lines by path."""
    with opened(path) as root:
        rows = changes(asking(), root, **options)["data"]
    return {row["path"]: (row["status"], row["lines_added"], row["lines_removed"]) for row in rows}


def versions(path: Path, name: str, **options: Any) -> tuple[Any, Any]:
    with opened(path) as root:
        answer = diff(asking(), root, name, **options)
    assert answer["object"] == "session.environment.filesystem.file_diff" and answer["path"] == name
    return answer["before"], answer["after"]


def unchanged(path: Path, name: str, **options: Any) -> int:
    with opened(path) as root, pytest.raises(Refused) as caught:
        diff(asking(), root, name, **options)
    return caught.value.status


def test_a_clean_repository_has_no_changes(tmp_path: Path) -> None:
    repository(tmp_path, a="a\n")

    assert changed(tmp_path) == {}
    assert unchanged(tmp_path, "a") == 404
    assert unchanged(tmp_path, "gone") == 404


def test_every_kind_of_change_is_told(tmp_path: Path) -> None:
    repository(tmp_path, kept="k\n", edited="1\n2\n3\n", gone="g\n", staged="s\n", moved="m\nn\n")
    (tmp_path / "edited").write_text("1\nzwei\n3\n4\n")
    (tmp_path / "gone").unlink()
    (tmp_path / "staged").write_text("S\n")
    git(tmp_path, "add", "staged")
    git(tmp_path, "mv", "moved", "new name")
    (tmp_path / "dir with space").mkdir()
    (tmp_path / "dir with space" / "größe\n.txt").write_text("x\ny")
    (tmp_path / "binary").write_bytes(b"\x00\xff")
    (tmp_path / ".gitignore").write_text("ignored\n")
    (tmp_path / "ignored").write_text("i")

    assert changed(tmp_path) == {
        ".gitignore": ("created", 1, 0),
        "binary": ("created", None, 0),
        "dir with space/größe\n.txt": ("created", 2, 0),
        "edited": ("modified", 2, 1),
        "gone": ("deleted", 0, 1),
        "moved": ("deleted", 0, 2),
        "new name": ("created", 2, 0),
        "staged": ("modified", 1, 1),
    }
    assert versions(tmp_path, "edited") == ("1\n2\n3\n", "1\nzwei\n3\n4\n")
    assert versions(tmp_path, "gone") == ("g\n", None)
    assert versions(tmp_path, "new name") == (None, "m\nn\n")
    assert versions(tmp_path, "dir with space/größe\n.txt") == (None, "x\ny")
    assert versions(tmp_path, "binary") == (None, "\x00\ufffd")
    assert unchanged(tmp_path, "kept") == 404


def test_a_row_says_what_the_file_is(tmp_path: Path) -> None:
    repository(tmp_path, a="a\n")
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "b.txt").write_text("12345")
    os.utime(tmp_path / "sub" / "b.txt", (1000, 1234))
    (tmp_path / "a").unlink()

    with opened(tmp_path) as root:
        page = changes(asking(), root)

    assert page["object"] == "list" and page["has_more"] is False
    assert (page["first_id"], page["last_id"]) == ("a", "sub/b.txt")
    assert page["data"][1] == {
        "id": "sub/b.txt",
        "object": "session.environment.filesystem.entry",
        "path": "sub/b.txt",
        "name": "b.txt",
        "status": "created",
        "bytes": 5,
        "modified_at": 1234,
        "lines_added": 1,
        "lines_removed": 0,
    }
    assert (page["data"][0]["bytes"], page["data"][0]["modified_at"]) == (None, None)


def test_before_the_first_commit_everything_is_new(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "a").write_text("a\n")
    (tmp_path / "b").write_text("b\n")
    git(tmp_path, "add", "b")

    assert changed(tmp_path) == {"a": ("created", 1, 0), "b": ("created", 1, 0)}
    assert versions(tmp_path, "b") == (None, "b\n")


def test_a_part_of_a_repository_tells_its_own_changes(tmp_path: Path) -> None:
    repository(tmp_path / "repo", top="t\n", sub__in="i\n", **{"su[b]__in": "j\n"})
    for name in ("top", "sub/in", "su[b]/in"):
        (tmp_path / "repo" / name).write_text("changed\n")
    (tmp_path / "repo" / "sub" / "new").write_text("n\n")

    assert changed(tmp_path / "repo" / "sub") == {"in": ("modified", 1, 1), "new": ("created", 1, 0)}
    assert changed(tmp_path / "repo" / "su[b]") == {"in": ("modified", 1, 1)}
    assert versions(tmp_path / "repo" / "sub", "in") == ("i\n", "changed\n")


def test_odd_states_of_a_repository_are_told(tmp_path: Path) -> None:
    repository(tmp_path, both="base\n", link="x\n", file="f\n")
    git(tmp_path, "checkout", "-q", "-b", "other")
    (tmp_path / "both").write_text("other\n")
    git(tmp_path, "commit", "-q", "-am", "other")
    git(tmp_path, "checkout", "-q", "main")
    (tmp_path / "both").write_text("main\n")
    git(tmp_path, "commit", "-q", "-am", "main")
    with pytest.raises(Exception, match="merge"):
        git(tmp_path, "merge", "other")
    git(tmp_path, "rm", "-q", "--cached", "file")
    (tmp_path / "link").unlink()
    (tmp_path / "link").symlink_to("/etc/passwd")

    found = changed(tmp_path)

    assert {name: row[0] for name, row in found.items()} == {
        "both": "modified",
        "file": "modified",
        "link": "modified",
    }
    assert versions(tmp_path, "link") == ("x\n", "/etc/passwd")


def test_a_detached_work_tree_and_a_submodule_have_their_own_changes(tmp_path: Path) -> None:
    main = repository(tmp_path / "main", a="a\n")
    git(main, "worktree", "add", "-q", "--detach", "../tree")
    git(main, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(main), "module")
    git(main, "commit", "-q", "-m", "module")
    (tmp_path / "tree" / "a").write_text("b\n")
    (main / "module" / "a").write_text("c\n")

    assert changed(tmp_path / "tree") == {"a": ("modified", 1, 1)}
    assert versions(tmp_path / "tree", "a") == ("a\n", "b\n")
    assert changed(main / "module") == {"a": ("modified", 1, 1)}
    assert changed(main) == {}


def test_settings_about_content_are_kept(tmp_path: Path) -> None:
    repository(tmp_path, other="o\n")
    git(tmp_path, "config", "core.autocrlf", "true")
    git(tmp_path, "config", "core.filemode", "false")
    (tmp_path / "text").write_bytes(b"one\r\ntwo\r\n")
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "second")
    (tmp_path / "text").chmod(0o755)
    os.utime(tmp_path / "text", (1, 1))

    assert changed(tmp_path) == {}


def test_a_repository_with_long_names_of_objects_is_understood(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q", "--object-format=sha256")
    (tmp_path / "a").write_text("a\n")
    assert changed(tmp_path) == {"a": ("created", 1, 0)}
    git(tmp_path, "add", "-A")
    git(tmp_path, "commit", "-q", "-m", "first")
    (tmp_path / "a").write_text("b\n")

    assert changed(tmp_path) == {"a": ("modified", 1, 1)}


def test_of_very_many_changes_the_first_are_told(tmp_path: Path) -> None:
    repository(tmp_path)
    for number in range(10_050):
        (tmp_path / f"{number:05d}").touch()

    with opened(tmp_path) as root:
        page = changes(asking(), root)

    assert (len(page["data"]), page["has_more"]) == (10_000, True)
    assert (page["first_id"], page["last_id"]) == ("00000", "09999")


# -- repositories that want something else to run -----------------------------------------------------------


def test_nothing_that_a_repository_names_is_run(tmp_path: Path) -> None:
    root = repository(tmp_path / "repo", a="a\n", b="b\n")
    traps = tmp_path / "sprung"
    trap = tmp_path / "trap"
    trap.write_text(f'#!/bin/sh\necho "$0 $*" >> "{traps}"\ncat\n')
    trap.chmod(0o755)
    hooks = root / ".git" / "hooks"
    hooks.mkdir(exist_ok=True)
    for hook in (
        "post-index-change",
        "fsmonitor-watchman",
        "pre-commit",
        "post-checkout",
        "reference-transaction",
    ):
        (hooks / hook).symlink_to(trap)
    for name in (
        "core.fsmonitor",
        "core.pager",
        "pager.status",
        "pager.diff",
        "core.sshCommand",
        "core.editor",
        "core.askPass",
        "diff.external",
        "diff.trap.textconv",
        "diff.trap.command",
        "filter.trap.clean",
        "filter.trap.smudge",
        "filter.trap.process",
        "credential.helper",
        "gpg.program",
        "alias.status",
        "core.alternateRefsCommand",
    ):
        git(root, "config", name, f"!{trap}" if name == "alias.status" else str(trap))
    git(root, "config", "filter.trap.required", "true")
    (root / ".gitattributes").write_text("* filter=trap diff=trap\n")
    (root / ".git" / "info" / "attributes").write_text("* filter=trap diff=trap\n")
    traps.unlink(missing_ok=True)
    (root / "a").write_text("changed\n")
    os.utime(root / "b", (1, 1))

    assert changed(root) == {".gitattributes": ("created", 1, 0), "a": ("modified", 1, 1)}
    assert versions(root, "a") == ("a\n", "changed\n")
    assert not traps.exists()
    assert os.listdir(hooks) and not (root / ".git" / "index.lock").exists()


def test_a_repository_that_is_somebody_elses_shows_nothing(tmp_path: Path) -> None:
    repository(tmp_path / "private", secret="s\n")
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / ".git").write_text(f"gitdir: {tmp_path}/private/.git\n")

    assert changed(mine) == {}
    assert unchanged(mine, "secret") == 404

    (mine / ".git").unlink()
    (mine / ".git").symlink_to(tmp_path / "private" / ".git")
    assert changed(mine) == {}

    (mine / ".git").unlink()
    git(mine, "init", "-q")
    (mine / ".git" / "commondir").write_text(f"{tmp_path}/private/.git\n")
    assert unchanged(mine, "secret") == 404


def test_a_configuration_that_blocks_or_is_broken_ends(tmp_path: Path) -> None:
    root = repository(tmp_path, a="a\n")
    (root / ".git" / "config").write_text("[core\n")

    assert changed(root) == {}

    (root / ".git" / "config").unlink()
    (root / ".git" / "index").unlink()
    os.mkfifo(root / ".git" / "info" / "fifo")
    (root / ".git" / "info" / "exclude").unlink(missing_ok=True)
    os.mkfifo(root / ".git" / "info" / "exclude")
    assert set(changed(root)) == {"a"}


# -- without a repository -----------------------------------------------------------------------------------


def test_without_a_repository_and_a_baseline_nothing_has_changed(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("a")

    assert changed(tmp_path) == {}
    assert unchanged(tmp_path, "a") == 404


def test_a_baseline_tells_what_came_since(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("kept", "edited", "gone"):
        (tmp_path / "sub" / name).write_text(name)
    with opened(tmp_path) as root:
        baseline = baseline_of(root)
    (tmp_path / "sub" / "edited").write_text("edited again")
    (tmp_path / "sub" / "gone").unlink()
    (tmp_path / "new").write_text("1\n2\n")

    assert changed(tmp_path, baseline=baseline) == {
        "new": ("created", 2, 0),
        "sub/edited": ("modified", None, None),
        "sub/gone": ("deleted", None, None),
    }
    assert versions(tmp_path, "new", baseline=baseline) == (None, "1\n2\n")
    assert unchanged(tmp_path, "sub/edited", baseline=baseline) == 404


def test_what_is_hidden_is_not_told_about(tmp_path: Path) -> None:
    repository(tmp_path, **{".env": "secret\n", "a": "a\n"})
    (tmp_path / ".env").unlink()
    (tmp_path / "a").write_text("b\n")
    (tmp_path / "door").symlink_to(".hidden")
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "x").write_text("secret\n")

    def is_shown(parts: tuple[str, ...]) -> bool:
        return not parts[0].startswith(".")

    assert set(changed(tmp_path, is_shown=is_shown)) == {"a", "door"}
    assert unchanged(tmp_path, ".env", is_shown=is_shown) == 404
    assert unchanged(tmp_path, "door/x", is_shown=is_shown) == 404
