"""A workspace in a directory of its own, and operations on it as the API asks for them."""

import os
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from omnigent.workspace.errors import Refused
from omnigent.workspace.git import Git
from omnigent.workspace.root import Root
from omnigent.workspace.work import done

ENVIRONMENT = {"PATH": os.environ["PATH"], "HOME": "/nonexistent"}


def do(root: Path, what: str, path: str = "", **fields: Any) -> dict[str, Any]:
    """The answer to one operation."""
    with Root.opened(root.resolve()) as opened:
        return done(opened, {"do": what, "path": path, **fields})


def refusal(root: Path, what: str, path: str = "", **fields: Any) -> tuple[int, str]:
    """Status and code of one that is refused; its words can always be sent."""
    with pytest.raises(Refused) as caught:
        do(root, what, path, **fields)
    caught.value.message.encode()
    return caught.value.status, caught.value.code


def names(answer: Mapping[str, Any]) -> list[str]:
    return [row["path"] for row in answer["data"]]


def git(directory: Path, *arguments: str) -> str:
    """Runs git as a person would, who has a name."""
    command = ["git", "-c", "user.name=ann", "-c", "user.email=ann@example.org", *arguments]
    return subprocess.run(
        command, cwd=directory, check=True, capture_output=True, text=True, env=ENVIRONMENT
    ).stdout


def repository(directory: Path, **files: str) -> Path:
    """A repository with one commit of these files, whose names may say `__` for a slash."""
    directory.mkdir(parents=True, exist_ok=True)
    git(directory, "init", "-q", "-b", "main")
    for name, content in files.items():
        path = directory / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    git(directory, "add", "-A")
    git(directory, "commit", "-q", "--allow-empty", "-m", "first")
    return directory


def asking() -> Git:
    return Git(ENVIRONMENT)
