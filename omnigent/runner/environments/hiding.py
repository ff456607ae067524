"""Which paths of the working directory an agent's sandbox shows, by their names."""

import os
from pathlib import Path

from omnigent.runner.sandbox.hidden import ALL, ALWAYS_SHOWN
from omnigent.runner.sandbox.rules import NONE, backend_of
from omnigent.spec.machine import OsEnv
from omnigent.workspace.changes import Shown, everything
from omnigent.workspace.names import Parts


def shown_by(os_env: OsEnv, cwd: Path) -> Shown:
    """At least what the sandbox hides is hidden: of git's answers the sandbox itself holds nothing back."""
    sandbox = os_env.sandbox
    if backend_of(sandbox) == NONE:
        return everything
    masked = [_below(path, cwd) for path in sandbox.mask_paths]
    names = ALWAYS_SHOWN | frozenset(sandbox.cwd_allow_hidden)

    def is_shown(parts: Parts) -> bool:
        if any(mask is not None and parts[: len(mask)] == mask for mask in masked):
            return False
        looked_at = parts if sandbox.cwd_hidden_scan_recursive else parts[:1]
        return ALL in names or all(not name.startswith(".") or name in names for name in looked_at)

    return is_shown


def _below(path: str, cwd: Path) -> Parts | None:
    real = Path(os.path.realpath(cwd / Path(path).expanduser()))
    return real.relative_to(cwd).parts if real.is_relative_to(cwd) else None
