"""What a session keeps on this machine for longer than a process: one folder each, named by its id."""

import logging
import shutil
from pathlib import Path

from omnigent.ids import OPAQUE

log = logging.getLogger(__name__)


def folder_of(state_dir: Path, session_id: str) -> Path:
    """Where a session's things are. Raises ValueError for an id that could name another place."""
    if not OPAQUE.fullmatch(session_id):
        raise ValueError(f"{session_id!r} is no session id")
    return state_dir / session_id


def remove(state_dir: Path, session_id: str) -> None:
    """Delete the folder of a session, if there is one. What links lead to stays; what cannot go is logged."""
    try:
        folder = folder_of(state_dir, session_id)
        if folder.is_symlink():
            folder.unlink()
        elif folder.exists():
            # It follows no links on the systems that runners work on, not even one put there meanwhile.
            shutil.rmtree(folder)
    except (OSError, ValueError) as exc:
        log.warning("session's folder not removed", extra={"session": session_id, "error": str(exc)})
