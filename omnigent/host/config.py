"""Who this host is, which server it serves, and where it keeps things."""

import os
import re
import secrets
import socket
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit, urlunsplit

from omnigent.host.config_file import MIB, NAME, ConfigError, Settings, token_in
from omnigent.host.environment import PASSTHROUGH
from omnigent.host.runner_log import LogLimits
from omnigent.link import is_loopback

DEFAULT_DATA_DIR = "~/.omnigent/host"
MAX_NAME = 200

_HOST_ID = re.compile(r"[0-9a-f]{32}")
_SCHEMES = {"http": "ws", "https": "wss", "ws": "ws", "wss": "wss"}
_PORTS = {"http": 80, "https": 443}
_UNSAFE = re.compile(r"[^A-Za-z0-9.-]+")


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
    passthrough: tuple[str, ...] = ()
    log_bytes: int = 5 * MIB
    log_files: int = 3
    runner_logs: LogLimits = field(default_factory=LogLimits)

    @property
    def tunnel_url(self) -> str:
        """Where the host dials in."""
        parts = urlsplit(self.server_url)
        path = parts.path.rstrip("/") + f"/v1/hosts/{self.host_id}/tunnel"
        return urlunsplit((_SCHEMES[parts.scheme], parts.netloc, path, "", ""))

    @property
    def is_local(self) -> bool:
        """Whether the server is on this machine."""
        return is_loopback(self.server_url)

    @property
    def server_dir(self) -> Path:
        """What belongs to this server: the lock and the logs. All names of this machine mean one server."""
        parts = urlsplit(self.server_url)
        host = "localhost" if self.is_local else parts.hostname
        port = parts.port or _PORTS[parts.scheme]
        return self.data_dir / "servers" / _UNSAFE.sub("_", f"{host}_{port}{parts.path}")

    @property
    def lock_path(self) -> Path:
        """Held while a daemon serves this server from here."""
        return self.server_dir / "lock"

    @property
    def log_path(self) -> Path:
        """The daemon's own log."""
        return self.server_dir / "host.log"

    @property
    def log_dir(self) -> Path:
        """Where runners' output goes."""
        return self.server_dir / "runners"

    def environment(self, environ: Mapping[str, str]) -> dict[str, str]:
        """The environment from which runners' ones are made."""
        return {**environ, PASSTHROUGH: " ".join(self.passthrough)}


@dataclass(frozen=True, kw_only=True, slots=True)
class HostOptions:
    """What the command line said; empty means that the environment, the file or the default decides."""

    server: str = ""
    name: str = ""
    config: str = ""
    data_dir: str = ""
    workspace_root: str = ""
    roots: Sequence[str] = ()


def resolve(options: HostOptions, environ: Mapping[str, str]) -> HostConfig:
    """Settle the configuration, creating the data dir and the host id on first use. Raises ConfigError."""
    data_dir = _directory(options.data_dir or environ.get("OMNIGENT_HOST_DATA_DIR") or _default_dir(environ))
    said = Settings(_file(options, environ, data_dir), environ)
    workspace_root = Path(options.workspace_root or said["workspace_root"]).expanduser().absolute()
    wanted = (*options.roots, *said["roots"])
    roots = tuple(Path(path).expanduser().absolute().resolve() for path in wanted)
    token_file = said["token_file"]
    token = environ.get("OMNIGENT_TOKEN") or (token_in(Path(token_file).expanduser()) if token_file else "")
    return HostConfig(
        server_url=_server_url(options.server or said["server"]),
        host_id=_host_id(data_dir),
        name=_name(options.name or said["name"] or socket.gethostname() or "host"),
        data_dir=data_dir,
        workspace_root=workspace_root,
        roots=(*roots, workspace_root.resolve()) if roots else (),
        token=token,
        passthrough=said["passthrough"],
        log_bytes=int(said["log_mb"] * MIB),
        log_files=int(said["log_files"]),
        runner_logs=LogLimits(days=said["runner_log_days"], total_bytes=int(said["runner_log_mb"] * MIB)),
    )


def _file(options: HostOptions, environ: Mapping[str, str], data_dir: Path) -> Path | None:
    """The file of settings: the named one, which must be there, else the one in the data dir if there is."""
    named = options.config or environ.get("OMNIGENT_HOST_CONFIG")
    if named:
        return Path(named).expanduser().absolute()
    usual = data_dir / NAME
    return usual if usual.exists() else None


def _server_url(text: str) -> str:
    if not text:
        raise ConfigError(
            'which server? Give --server URL, or server = "URL" in the host\'s file of settings'
        )
    url = text if "://" in text else f"http://{text}"
    parts = _split(url)
    if parts is None or parts.scheme not in _SCHEMES or not parts.hostname:
        raise ConfigError(f"--server must be an http or https URL, not {text!r}")
    if "@" in parts.netloc:
        raise ConfigError("--server must not hold a password; set OMNIGENT_TOKEN or token_file")
    scheme = {"ws": "http", "wss": "https"}.get(parts.scheme, parts.scheme)
    return urlunsplit((scheme, parts.netloc, parts.path.rstrip("/"), "", ""))


def _split(url: str) -> SplitResult | None:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError:
        return None
    return parts if port_is_valid else None


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
