"""A throw-away git repository."""

import subprocess
from pathlib import Path

from tests.host.test_worktrees import ENVIRON


class Repository:
    """A repository on disk whose main branch has one file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir()
        self.git("init", "--quiet", "--initial-branch", "main")
        self.commit("file")

    def git(self, *arguments: str, at: Path | None = None) -> str:
        """Run git in the repository, or in one of its work trees."""
        done = subprocess.run(
            ("git", *arguments), cwd=at or self.path, env=ENVIRON, capture_output=True, text=True, check=True
        )
        return done.stdout.strip()

    def commit(self, name: str, *, at: Path | None = None) -> None:
        """Add a file."""
        ((at or self.path) / name).write_text(name)
        self.git("add", ".", at=at)
        self.git("commit", "--quiet", "-m", name, at=at)

    def branches(self) -> list[str]:
        """All branches by name."""
        return self.git("for-each-ref", "--format", "%(refname:short)", "refs/heads").splitlines()

    def tree(self, name: str) -> Path:
        """Where the work tree of a branch belongs."""
        return self.path.with_name(f"{self.path.name}-worktrees") / name
