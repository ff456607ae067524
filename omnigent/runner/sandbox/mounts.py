"""What a sandbox shows of the machine, as options of bubblewrap."""

import os
import pwd
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from omnigent.runner.sandbox.errors import SandboxError
from omnigent.runner.sandbox.hidden import Mask, hidden_in
from omnigent.spec.machine import Sandbox

SCRATCH: Final = "/tmp"
HOME: Final = "/tmp/home"
_SYSTEM: Final = ("/usr", "/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/nix/store")
_ETC: Final = (
    *(
        "alternatives",
        "bash.bashrc",
        "ca-certificates",
        "ca-certificates.conf",
        "crypto-policies",
        "debian_version",
    ),
    *("group", "host.conf", "hostname", "hosts", "inputrc", "ld.so.cache", "ld.so.conf", "ld.so.conf.d"),
    *(
        "locale.alias",
        "locale.conf",
        "localtime",
        "magic",
        "mime.types",
        "nsswitch.conf",
        "os-release",
        "passwd",
    ),
    *("pki", "profile", "protocols", "resolv.conf", "services", "shells", "ssl/cert.pem", "ssl/certs"),
    *("ssl/openssl.cnf", "terminfo", "timezone"),
)

Mode = Literal["read", "write", "copy"]


@dataclass(frozen=True, slots=True)
class Grant:
    """A path that is shown, and what may be done there."""

    path: Path
    mode: Mode


def homes(environment_home: str | None) -> frozenset[Path]:
    """The home directory of whoever runs this, as the environment and as the system says."""
    try:
        known = pwd.getpwuid(os.getuid()).pw_dir
    except KeyError:
        known = None
    return frozenset(Path(home).resolve() for home in (environment_home, known) if home and home != "/")


@dataclass(frozen=True, slots=True)
class Grants:
    """What is bound, the shallower first, and every path that the author named, which is never hidden."""

    bound: Sequence[Grant]
    named: frozenset[Path]


def grants_of(sandbox: Sandbox, cwd: Path, home: frozenset[Path]) -> Grants:
    """The working directory and what the agent's author lists besides. Raises SandboxError.

    Paths of a writable directory are not bound again: a program could put a link in their place.
    """
    listed = [Grant(cwd, "read")]
    for path in sandbox.read_paths:
        if (real := _real(path, cwd)).exists():
            listed.append(Grant(real, "read"))
    for row in sandbox.write_paths:
        real = _real(row.path, cwd)
        _make(real, cwd, f"write_paths: {row.path}", is_directory=True)
        listed.append(Grant(real, "copy" if row.copy_on_write else "write"))
    for path in sandbox.write_files:
        real = _real(path, cwd)
        _make(real, cwd, f"write_files: {path}", is_directory=False)
        listed.append(Grant(real, "write"))
    shown: dict[Path, Grant] = {}
    for grant in listed:
        _refuse_home(grant.path, home)
        if grant.path not in shown or shown[grant.path].mode == "read":
            shown[grant.path] = grant
    bound = [grant for grant in shown.values() if grant.path == cwd or not _is_inside_writable(grant, shown)]
    return Grants(sorted(bound, key=lambda grant: _depth(grant.path)), frozenset(shown))


def options(sandbox: Sandbox, cwd: Path, scratch: Path, grants: Grants, extra: Sequence[Path]) -> list[str]:
    """Everything that is mounted, in the order in which it must be. Raises SandboxError.

    `scratch` becomes /tmp. `extra` is shown for reading, whatever it is called.
    """
    found = [*_system(), "--proc", "/proc", "--dev", "/dev", "--bind", str(scratch), SCRATCH, "--dir", HOME]
    bound = {path: Grant(path, "read") for path in extra} | {grant.path: grant for grant in grants.bound}
    hidden = [
        mask
        for grant in grants.bound
        if grant.path.is_dir()
        for mask in hidden_in(grant.path, sandbox)
        if mask.path not in grants.named and mask.path not in bound
    ]
    masked = [Mask(path, path.is_dir()) for one in sandbox.mask_paths if (path := _real(one, cwd)).exists()]
    for mask in masked:
        for parent in _held_in_place(mask.path, grants.bound):
            bound.setdefault(parent, Grant(parent, "write"))
    steps = [(_depth(grant.path), 1, _bind(grant)) for grant in bound.values()]
    steps += [(_depth(mask.path), 0, _hide(mask)) for mask in hidden]
    for _, _, step in sorted(steps, key=lambda row: row[:2]):
        found += step
    for mask in masked:
        found += _hide(mask)
    closed = dict.fromkeys(str(mask.path) for mask in (*hidden, *masked) if mask.is_directory)
    for directory in closed:
        found += ["--remount-ro", directory]
    # Under /proc the kernel lets a root change settings of the whole machine that it owns by user id alone.
    return [*found, "--remount-ro", "/proc", "--remount-ro", "/", "--chdir", str(cwd)]


def _is_inside_writable(grant: Grant, shown: Mapping[Path, Grant]) -> bool:
    outer = [shown[parent] for parent in grant.path.parents if parent in shown]
    is_inside = any(one.mode == "write" for one in outer)
    if is_inside and grant.mode == "copy":
        raise SandboxError(
            f"os_env.sandbox.write_paths: {grant.path} lies in another one; it cannot be a copy"
        )
    return is_inside


def _held_in_place(path: Path, bound: Sequence[Grant]) -> list[Path]:
    """Directories above a masked path that a program could move away; those that are mounted cannot be."""
    roots = [grant.path for grant in bound if grant.mode == "write"]
    return [parent for parent in path.parents if any(root in parent.parents for root in roots)]


def _system() -> Iterator[str]:
    for name in _SYSTEM:
        path = Path(name)
        if path.is_symlink():
            yield from ("--symlink", str(path.readlink()), name)
        elif path.is_dir():
            yield from ("--ro-bind", name, name)
    for name in _ETC:
        path = Path("/etc", name)
        if path.exists():
            yield from ("--ro-bind", str(path.resolve()), str(path))


def _real(path: str, cwd: Path) -> Path:
    """Where a path leads. One of the working directory stays there: anybody may have put a link into it."""
    try:
        written = Path(os.path.normpath(cwd / Path(path).expanduser()))
        real = written.resolve()
    except (OSError, RuntimeError, ValueError) as exc:
        raise SandboxError(f"os_env.sandbox: {path[:100]!r} cannot be resolved: {exc}") from exc
    if written.is_relative_to(cwd) and not real.is_relative_to(cwd):
        raise SandboxError(f"os_env.sandbox: {path[:100]!r} is a link out of the working directory")
    return real


def _make(path: Path, cwd: Path, what: str, *, is_directory: bool) -> None:
    """A path that is missing is made when it lies in the working directory."""
    try:
        if not path.exists():
            if not path.is_relative_to(cwd):
                raise SandboxError(f"os_env.sandbox.{what[:200]} does not exist")
            (path if is_directory else path.parent).mkdir(parents=True, exist_ok=True)
            if not is_directory:
                path.touch()
        if not is_directory and not path.is_file():
            raise SandboxError(f"os_env.sandbox.{what[:200]} is not a file")
    except OSError as exc:
        raise SandboxError(f"os_env.sandbox.{what[:200]}: {exc.strerror}") from exc


def _refuse_home(path: Path, home: frozenset[Path]) -> None:
    for one in home:
        if one.is_relative_to(path):
            raise SandboxError(
                f"{path} is the home directory or holds it, and a sandbox never shows that; "
                "use a directory inside it, or let the agent say `sandbox: {type: none}`"
            )


def _bind(grant: Grant) -> list[str]:
    path = str(grant.path)
    if grant.mode == "copy":
        return ["--overlay-src", path, "--tmp-overlay", path]
    return ["--bind" if grant.mode == "write" else "--ro-bind", path, path]


def _hide(mask: Mask) -> list[str]:
    path = str(mask.path)
    return ["--tmpfs", path] if mask.is_directory else ["--ro-bind", "/dev/null", path]


def _depth(path: Path) -> int:
    return len(path.parts)
