"""Who this host is, which server it serves, and where it keeps things."""

import fcntl
import os
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

DEFAULT_DATA_DIR = "~/.omnigent/host"
DEFAULT_WORKSPACE_ROOT = "~/omnigent"
MAX_NAME = 200

_HOST_ID = re.compile(r"[0-9a-f]{32}")
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}


class ConfigError(ValueError):
    """The host cannot start as it was asked to; the text is for its operator."""


@dataclass(frozen=True, kw_only=True, slots=True)
class HostConfig:
    """Everything fixed at start. `roots` empty means that the whole disk may be looked at and worked in."""

    server_url: str
    host_id: str
    name: str
    data_dir: Path
    workspace_root: Path
    roots: tuple[Path, ...] = ()
    token: str = field(default="", repr=False)

    @property
    def tunnel_url(self) -> str:
        """Where the host dials in."""
        parts = urlsplit(self.server_url)
        path = parts.path.rstrip("/") + f"/v1/hosts/{self.host_id}/tunnel"
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, "", ""))

    @property
    def log_dir(self) -> Path:
        """Where runners' output goes."""
        return self.data_dir / "logs"


@dataclass(frozen=True, kw_only=True, slots=True)
class HostOptions:
    """What the command line said; empty means that the environment or the default decides."""

    server: str
    name: str = ""
    data_dir: str = ""
    workspace_root: str = ""
    roots: Sequence[str] = ()


def resolve(options: HostOptions, environ: Mapping[str, str]) -> HostConfig:
    """Settle the configuration, creating the data dir and the host id on first use. Raises ConfigError."""
    data_dir = _directory(options.data_dir or environ.get("OMNIGENT_HOST_DATA_DIR") or _default_dir(environ))
    root = options.workspace_root or environ.get("OMNIGENT_WORKSPACE_ROOT") or DEFAULT_WORKSPACE_ROOT
    extra = [path for path in environ.get("OMNIGENT_HOST_ROOTS", "").split(os.pathsep) if path]
    workspace_root = Path(root).expanduser().absolute()
    roots = tuple(Path(path).expanduser().absolute().resolve() for path in (*options.roots, *extra))
    return HostConfig(
        server_url=_server_url(options.server),
        host_id=_host_id(data_dir),
        name=_name(options.name or socket.gethostname() or "host"),
        data_dir=data_dir,
        workspace_root=workspace_root,
        roots=(*roots, workspace_root.resolve()) if roots else (),
        token=environ.get("OMNIGENT_TOKEN", ""),
    )


class DataDirLock:
    """Held while a host runs, so that two of them never share an id. The kernel frees it with the process."""

    def __init__(self, data_dir: Path) -> None:
        self._path = data_dir / "host.lock"
        self._descriptor = -1

    def acquire(self) -> None:
        """Take the lock or raise ConfigError naming the process that has it."""
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise ConfigError(f"cannot use {self._path}: {error.strerror}") from None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            owner = os.read(descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(descriptor)
            raise ConfigError(
                f"another host (pid {owner}) already uses {self._path.parent}; stop it or give --data-dir"
            ) from None
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor

    def release(self) -> None:
        """Let go of the lock."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _server_url(text: str) -> str:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        port_is_valid = False
        parts = urlsplit("")
    if parts.scheme not in _SCHEMES or not parts.hostname or not port_is_valid:
        raise ConfigError(f"--server must be an http or https URL, not {text!r}")
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _name(text: str) -> str:
    name = text.strip()
    if not name or len(name) > MAX_NAME or not name.isprintable():
        raise ConfigError(f"--name must be 1 to {MAX_NAME} printable characters")
    return name


def _default_dir(environ: Mapping[str, str]) -> str:
    """Beside a server's data when it was started with it, so that two installations do not meet."""
    beside = environ.get("DATA_DIR")
    return str(Path(beside) / "host") if beside else DEFAULT_DATA_DIR


def _directory(text: str) -> Path:
    path = Path(text).expanduser().absolute()
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"cannot use {path} as the data directory: {error.strerror}") from None
    return path


def _host_id(data_dir: Path) -> str:
    """The stored id, or a new one; two hosts starting at once agree, because linking is exclusive."""
    path = data_dir / "host_id"
    try:
        if not path.exists():
            fresh = data_dir / f"host_id.{os.getpid()}"
            fresh.write_text(secrets.token_hex(16) + "\n")
            fresh.chmod(0o600)
            with suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        stored = path.read_text(errors="replace").strip()
    except OSError as error:
        raise ConfigError(f"cannot use {path}: {error.strerror}") from None
    if not _HOST_ID.fullmatch(stored):
        raise ConfigError(f"{path} does not hold a host id (32 hex digits); remove it to get a new one")
    return stored
