"""The server's secret key: taken from the environment, or generated once into the data directory."""

import os
import secrets
from pathlib import Path

FILE_NAME = "secret_key"


def secret_key(data_dir: Path) -> str:
    """Return the key kept in `data_dir`, creating it (mode 600) when there is none.

    Any number of processes may start at once: each writes its own complete file, and a hard link lets
    exactly one of them become the key, so that nobody reads a half-written one.
    """
    path = data_dir / FILE_NAME
    try:
        return path.read_text().strip()
    except FileNotFoundError:
        pass
    draft = data_dir / f".{FILE_NAME}.{os.getpid()}.{secrets.token_hex(8)}"
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(64))
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
    return path.read_text().strip()
