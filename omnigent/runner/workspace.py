"""The directory a session works in, and which paths lie inside it once links are followed."""

from dataclasses import dataclass
from pathlib import Path


class OutsideWorkspaceError(ValueError):
    """A path that leaves the workspace; the message is for the model."""


@dataclass(frozen=True, slots=True)
class Workspace:
    """A contained directory. `root` is absolute and free of links."""

    root: Path

    @classmethod
    def at(cls, directory: str | Path) -> "Workspace":
        return cls(Path(directory).expanduser().resolve())

    def inside(self, relative: str) -> "Workspace":
        """The workspace of a sub-directory; raises OutsideWorkspaceError."""
        return Workspace(self.resolve(relative))

    def resolve(self, path: str) -> Path:
        """The real path that `path` names, which need not exist; raises OutsideWorkspaceError.

        Links are followed first, so a link to the outside is outside, wherever in the path it stands.
        """
        if "\x00" in path:
            raise OutsideWorkspaceError("the path contains a NUL character")
        try:
            real = (self.root / Path(path).expanduser()).resolve()
        except (RuntimeError, OSError) as exc:
            raise OutsideWorkspaceError(f"the path cannot be resolved: {exc}") from exc
        if not real.is_relative_to(self.root):
            raise OutsideWorkspaceError(f"{path!r} is outside the workspace {self.root}")
        return real

    def shown(self, path: Path) -> str:
        """A path of the workspace as people write it."""
        return str(path.relative_to(self.root)) if path.is_relative_to(self.root) else str(path)
