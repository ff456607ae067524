"""An agent's Python files on disk, for the processes that run its functions."""

import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from omnigent.runner.agents import LoadedAgent
from omnigent.spec.types import AgentSpec

_TOOLS: Final = "tools/python"


@dataclass(frozen=True, slots=True)
class CodeDirectory:
    """A private directory; `base` is the part of it that belongs to the agent or sub-agent that runs."""

    root: Path
    base: Path

    @classmethod
    def of(cls, agent: LoadedAgent, spec: AgentSpec) -> "CodeDirectory":
        """Write the files. Their paths were checked when the bundle was read."""
        root = Path(tempfile.mkdtemp(prefix="omnigent-tools-"))
        for path, content in agent.code.items():
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)
        return cls(root, root / agent.directory(spec))

    @property
    def path(self) -> list[str]:
        """Where modules are looked for before anywhere else."""
        return [
            str(self.base / _TOOLS),
            str(self.base),
            *([str(self.root)] if self.base != self.root else []),
        ]

    def file(self, path: str) -> str:
        """A tool file of the agent as an absolute path."""
        return str(self.base / path)

    def remove(self) -> None:
        shutil.rmtree(self.root, ignore_errors=True)
