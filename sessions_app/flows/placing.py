"""Where on a host a session works: its workspace is looked at there, or made, perhaps with a work tree."""

from typing import TYPE_CHECKING

from omnigent.protocol import host_frames
from sessions_app.bodies import GitOptions
from sessions_app.flows import launch, worktrees
from sessions_app.services import rules
from sessions_app.services.hosts import Place

if TYPE_CHECKING:
    from sessions_app.process import Process

LOOK_SECONDS = 5.0


async def existing(
    process: "Process", host_id: str, path: str, git: GitOptions | None, *, session_id: str
) -> Place:
    """A directory that is there, and the work tree that `git` asks for. Raises 400 in the host's words."""
    if git is not None:
        worktrees.check_names(git)
    workspace = await _directory(process, host_id, path)
    if git is None:
        return Place(workspace=workspace)
    if git.existing_worktree:
        return await worktrees.existing(process, host_id, workspace, git)
    return await worktrees.make(process, host_id, workspace, git, session_id=session_id)


async def fresh(process: "Process", host_id: str, path: str) -> Place:
    """A directory that is made for a session."""
    return Place(workspace=await _made(process, host_id, path))


async def _directory(process: "Process", host_id: str, path: str) -> str:
    ask = host_frames.Stat(request_id=launch.request_id(), path=path)
    found = await process.rpc.host(host_id, ask, seconds=LOOK_SECONDS)
    if not isinstance(found, host_frames.StatResult) or found.status != "ok":
        raise rules.invalid(f"workspace: {getattr(found, 'error', None) or 'the host cannot look at it'}")
    if not found.exists:
        raise rules.invalid(f"workspace does not exist on the host: {path}")
    if found.type != "directory":
        raise rules.invalid(f"workspace is not a directory: {path}")
    return found.canonical_path or path


async def _made(process: "Process", host_id: str, path: str) -> str:
    ask = host_frames.CreateDir(request_id=launch.request_id(), path=path)
    made = await process.rpc.host(host_id, ask, seconds=LOOK_SECONDS)
    if not isinstance(made, host_frames.CreateDirResult) or made.status != "ok":
        raise rules.invalid(f"workspace: {getattr(made, 'error', None) or 'the host cannot create it'}")
    return made.path or path
