"""The repository that a workspace lies in, looked at without letting it say what runs.

A repository's configuration and hooks name programs, and an agent may have written them. So its configuration
is read and never lived by: status and differences come from a directory of our own, which has the index and
the objects of the repository and a configuration of a few harmless values.
"""

import contextlib
import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnigent.workspace.git import Git, GitFailed
from omnigent.workspace.names import Parts

_MOST_COPIED: Final = 1024 * 1024
_MOST_SHARED: Final = 16
# How content compares with what is stored. None of these names a program or a path.
_HARMLESS: Final = r"^core\.(autocrlf|eol|filemode|symlinks|ignorecase|precomposeunicode)$"
_VALUE: Final = re.compile(r"[A-Za-z]{0,20}")
_OBJECT: Final = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NO_COMMIT: Final = "ref: refs/heads/unborn"
_EMPTY_TREES: Final = {
    "sha1": "4b825dc642cb6eb9a060e54bf8d69288fbee4904",
    "sha256": "6ef19b41225c5369f1c104d45d8d85efa9b057b53b14b4b9b939dd74decc5321",
}
_QUESTIONS: Final = (
    "--show-toplevel",
    "--git-dir",
    *(part for name in ("objects", "index", "info/exclude", "shallow") for part in ("--git-path", name)),
    "--show-object-format",
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Repository:
    """`top` is the work tree's root, `prefix` the workspace below it; `head` None before the first commit."""

    top: Path
    prefix: Parts
    directory: Path
    objects: Path
    index: Path
    exclude: Path
    shallow: Path
    hash: str
    head: str | None
    settings: tuple[str, ...]

    @property
    def base(self) -> str:
        """What changes are counted from."""
        return self.head or _EMPTY_TREES[self.hash]

    @contextlib.contextmanager
    def alone(self) -> Iterator[Mapping[str, str]]:
        """Variables under which git sees the work tree, the index and the objects, and nobody's settings."""
        with tempfile.TemporaryDirectory(prefix="omnigent-git-") as made:
            own = Path(made)
            for name in ("refs", "objects", "info"):
                (own / name).mkdir()
            (own / "HEAD").write_text(f"{self.head or _NO_COMMIT}\n")
            extension = "" if self.hash == "sha1" else f"[extensions]\n\tobjectformat = {self.hash}\n"
            (own / "config").write_text(f"[core]\n\trepositoryformatversion = 1\n\tbare = false\n{extension}")
            _copy(self.exclude, own / "info" / "exclude")
            _copy(self.shallow, own / "shallow")
            for shared in sorted(self.index.parent.glob("sharedindex.*"))[:_MOST_SHARED]:
                (own / shared.name).symlink_to(shared)
            yield {
                "GIT_DIR": made,
                "GIT_WORK_TREE": str(self.top),
                "GIT_INDEX_FILE": str(self.index),
                "GIT_OBJECT_DIRECTORY": str(self.objects),
                "GIT_CONFIG_GLOBAL": "/dev/null",
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_ATTR_NOSYSTEM": "1",
            }


def repository_of(git: Git, workspace: Path) -> Repository | None:
    """The repository around a workspace; None when there is none, or it is not this work tree's own."""
    try:
        told = git.output(workspace, "rev-parse", "--path-format=absolute", *_QUESTIONS)
    except GitFailed:
        return None
    lines = os.fsdecode(told).split("\n")
    if len(lines) != len(("top", "directory", "objects", "index", "exclude", "shallow", "hash", "end")):
        return None
    top, directory, objects, index, exclude, shallow = (Path(line) for line in lines[:6])
    if lines[6] not in _EMPTY_TREES or not workspace.is_relative_to(top):
        return None
    if not _is_own(git, top, directory, objects):
        return None
    return Repository(
        top=top,
        prefix=workspace.relative_to(top).parts,
        directory=directory,
        objects=objects,
        index=index,
        exclude=exclude,
        shallow=shallow,
        hash=lines[6],
        head=_head(git, workspace),
        settings=_settings(git, workspace),
    )


def _is_own(git: Git, top: Path, directory: Path, objects: Path) -> bool:
    """Whether the repository knows this work tree, so that naming another one does not show its content.

    Its objects lie in the work tree, or it has listed this one among its work trees or as a submodule's.
    """
    directory, objects = Path(os.path.realpath(directory)), Path(os.path.realpath(objects))
    if objects.is_relative_to(os.path.realpath(top)):
        return True
    if directory.is_relative_to(objects.parent / "worktrees"):
        named = _beginning(directory / "gitdir").decode("utf-8", "replace").strip()
        return bool(named) and os.path.realpath(Path(named).parent) == os.path.realpath(top)
    with contextlib.suppress(GitFailed):
        if objects == directory / "objects":
            told = git.output(directory, "config", "--file", str(directory / "config"), "core.worktree")
            named = os.fsdecode(told).rstrip("\n")
            return os.path.realpath(directory / named) == os.path.realpath(top)
    return False


def _head(git: Git, workspace: Path) -> str | None:
    with contextlib.suppress(GitFailed):
        found = git.output(workspace, "rev-parse", "--quiet", "--verify", "HEAD").decode("ascii", "replace")
        if _OBJECT.fullmatch(found.strip()):
            return found.strip()
    return None


def _settings(git: Git, workspace: Path) -> tuple[str, ...]:
    """Options for the command line: harmless values, and what the user ignores everywhere."""
    options: list[str] = []
    with contextlib.suppress(GitFailed):
        told = git.output(workspace, "config", "--null", "--get-regexp", _HARMLESS)
        for row in told.decode("utf-8", "replace").split("\0"):
            name, _, value = row.partition("\n")
            if name and _VALUE.fullmatch(value):
                options += ["-c", f"{name}={value}" if value else name]
    with contextlib.suppress(GitFailed):
        told = git.output(workspace, "config", "--global", "--type=path", "core.excludesFile")
        options += ["-c", f"core.excludesFile={os.fsdecode(told).rstrip(chr(10))}"]
    return tuple(options)


def _copy(source: Path, target: Path) -> None:
    if data := _beginning(source):
        target.write_bytes(data)


def _beginning(path: Path) -> bytes:
    """What a small file holds; nothing for what is missing, or no file."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return b""
    with os.fdopen(descriptor, "rb", buffering=0) as file:
        try:
            return file.read(_MOST_COPIED) or b""
        except OSError:
            return b""
