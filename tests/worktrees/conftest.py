"""A server in this process, and a host that makes real work trees of a real repository."""

from pathlib import Path

import pytest

from omnigent.host.filesystem import FileSystem
from omnigent.host.worktrees import Worktrees
from omnigent.protocol import host_frames
from tests.host.test_worktrees import ENVIRON
from tests.sessions.conftest import agent, host, http, process, server
from tests.sessions.fake_host import FakeHost
from tests.worktrees.repository import Repository

__all__ = ["agent", "host", "http", "process", "server"]


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    """A repository with one commit."""
    return Repository(tmp_path.resolve() / "repo")


@pytest.fixture
def git_host(host: FakeHost, repository: Repository) -> FakeHost:
    """The host that is online, with the real answers to everything about work trees."""
    trees = Worktrees(FileSystem(workspace_root=repository.path.parent), ENVIRON)
    host.handlers[host_frames.CreateWorktree] = trees.create
    host.handlers[host_frames.RemoveWorktree] = trees.remove
    host.handlers[host_frames.ListWorktrees] = trees.list
    return host
