"""Which programs of the system the tests and the cluster need, and which packages bring them."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

PACKAGES: Mapping[str, str] = {
    "initdb": "postgresql",
    "postgres": "postgresql",
    "redis-server": "redis-server",
    "chromium": "chromium",
    "tmux": "tmux",
    "bwrap": "bubblewrap",
    "git": "git",
    "node": "nodejs",
    "npm": "npm",
}


def find(program: str) -> str | None:
    """The program's path; Debian keeps the newest PostgreSQL's programs outside PATH."""
    found = shutil.which(program)
    if found is not None:
        return found
    versions = sorted(
        Path("/usr/lib/postgresql").glob(f"*/bin/{program}"),
        key=lambda path: [int(part) for part in path.parts[4].split(".") if part.isdigit()],
    )
    return str(versions[-1]) if versions else None


def missing(programs: tuple[str, ...]) -> list[str]:
    """The packages that would bring what is not installed."""
    return sorted({PACKAGES[program] for program in programs if find(program) is None})


def guarded(command: Sequence[str], *, signal_name: str = "TERM") -> list[str]:
    """The command, told by the kernel to end when the thread that starts it dies, even by kill -9."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", signal_name, "--", *command] if setpriv else list(command)
