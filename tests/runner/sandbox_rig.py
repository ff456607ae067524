"""Tools of a session whose agent asks for a sandbox, and a project with secrets in it."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from omnigent.runner.tools.base import ToolContext
from omnigent.runner.tools.registry import OS_TOOLS
from omnigent.spec.types import AgentSpec, OsEnv, Sandbox, WritePath
from tests.runner.tool_rig import tool_context

Run = Callable[..., Awaitable[str]]
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": str(Path.home()),
    "LANG": "C.UTF-8",
    "MY_SECRET": "swordfish",
    "CHOSEN": "yes",
}


class Boxes:
    """Sessions in one workspace; calling it makes another and gives what runs its tools.

    Its options are the sandbox's, with `write` for paths that may be written.
    """

    def __init__(self, workspace: Path) -> None:
        self.workspace = workspace
        self._made: list[ToolContext] = []

    def context(self, *, write: tuple[str, ...] = (), **options: object) -> ToolContext:
        """What the tools of one more session are called with."""
        written = tuple(WritePath(path=path) for path in write)
        sandbox = Sandbox(type="linux_bwrap", write_paths=written, **options)  # type: ignore[arg-type] # a test's own options
        spec = AgentSpec(name="helper", os_env=OsEnv(sandbox=sandbox))
        context = tool_context(self.workspace, environment=ENVIRONMENT, spec=spec)
        self._made.append(context)
        return context

    def __call__(self, **options: Any) -> Run:
        context = self.context(**options)

        async def run(tool: str, **arguments: object) -> str:
            return await OS_TOOLS[f"sys_os_{tool}"].run(arguments, context)

        return run

    async def close(self) -> None:
        for context in self._made:
            await context.rooms.close()
            context.reaper.close()


def project(root: Path) -> Path:
    """A directory with secrets in hidden places, and an empty one to write to."""
    (root / ".git").mkdir(parents=True)
    (root / ".git" / "config").write_text("token = swordfish")
    (root / ".env").write_text("swordfish")
    (root / ".venv").mkdir()
    (root / ".venv" / "marker").write_text("venv")
    (root / "deep").mkdir()
    (root / "deep" / ".env").write_text("swordfish")
    (root / "out").mkdir()
    (root / "plain.txt").write_text("plain\n")
    return root


def is_alive(pid: int) -> bool:
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def processes_with(words: str) -> list[int]:
    """Processes of this machine with these words in their command line."""
    found = []
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if words in (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace"):
                found.append(int(entry.name))
        except OSError:
            continue
    return [pid for pid in found if is_alive(pid)]
