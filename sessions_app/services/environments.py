"""The environments of a session: who may use them and how, and what may stand in a path into one."""

import ntpath
import re
from dataclasses import dataclass
from enum import Enum
from urllib.parse import quote, unquote, unquote_to_bytes

from omnigent.accounts.identity import Principal, recognise
from omnigent.errors import ErrorCode, OmnigentError
from omnigent.protocol.events import SessionChangedFilesInvalidated
from sessions_app.models import Session
from sessions_app.services import access
from sessions_app.services.access import Level
from sessions_app.services.tick import tick_of

PRIMARY = "default"
"""The environment that every session with a workspace has; a host can read it without the runner."""

ENVIRONMENT_ID = re.compile(r"[A-Za-z0-9_-]{1,200}")
MAX_PATH = 4096
MAX_ENCODINGS = 8
ECHO = 64


class Use(Enum):
    """What somebody wants with an environment."""

    KNOW = "know"
    READ = "read"
    LOOK = "look"
    WRITE = "write"
    RUN = "run"


LEVELS = {
    Use.KNOW: Level.READ,
    Use.READ: Level.EDIT,
    Use.LOOK: Level.EDIT,
    Use.WRITE: Level.EDIT,
    Use.RUN: Level.OWNER,
}
FOR_PEOPLE = frozenset({Use.WRITE, Use.RUN})
"""What an agent does by its tools only, past its policies: its runner's credentials are not good for it."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Target:
    """A place in an environment. `path` is decoded and has no slash in front, also when it is absolute."""

    environment_id: str = PRIMARY
    path: str = ""
    is_absolute: bool = False

    def below(self, route: str) -> str:
        """The place as the end of the runner's path; the slash in front of an absolute one is encoded."""
        base = f"/environments/{self.environment_id}/{route}"
        if self.is_absolute:
            return f"{base}/%2F{quote(self.path)}"
        return f"{base}/{quote(self.path)}" if self.path else base


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """A session's resources: the runner that has them, their path there, and where the workspace is without
    it. `runner_id` is empty before the first one.
    """

    session_pk: int
    session_id: str
    runner_id: str
    host_id: str
    workspace: str
    is_owner: bool

    @property
    def path(self) -> str:
        """All of them."""
        return f"/v1/sessions/{self.session_id}/resources"


def target_of(environment_id: str, path: str = "", *, on_host: bool = False, raw_path: bytes = b"") -> Target:
    """The place that an address names: `path` as decoded once, `raw_path` the whole address as it came.

    Raises 404 for what is no environment's id, and 400 for a path that nobody may use.
    """
    refuse_bad_path(environment_id, "environment")
    if ENVIRONMENT_ID.fullmatch(environment_id) is None:
        raise unknown(environment_id)
    try:
        unquote_to_bytes(raw_path).decode()
    except UnicodeDecodeError:
        raise _bad("A path must be UTF-8") from None
    refuse_bad_path(path, "path")
    is_absolute = on_host or path.startswith("/")
    bare = path.lstrip("/") if is_absolute else path
    return Target(environment_id=environment_id, path=bare, is_absolute=is_absolute)


def refuse_bad_path(path: str, what: str) -> None:
    """Raise 400 for a path with NUL or with `..`, however often that is encoded, and for one too long."""
    if "\0" in path:
        raise _bad(f"A {what} must not contain NUL")
    if len(path.encode(errors="replace")) > MAX_PATH:
        raise _bad(f"A {what} may have {MAX_PATH} bytes")
    for _ in range(MAX_ENCODINGS):
        if ".." in path.split("/"):
            raise _bad("Parent path segments are not permitted")
        decoded = unquote(path)
        if decoded == path:
            return
        path = decoded
    raise _bad(f"A {what} must not be encoded again and again")


def unknown(environment_id: str) -> OmnigentError:
    """There is no such environment."""
    return OmnigentError(ErrorCode.NOT_FOUND, f"Environment '{environment_id[:ECHO]}' not found")


def place(principal: Principal, session_id: str, use: Use, target: Target | None = None) -> Place:
    """A session's resources for somebody who may use them so.

    Raises 404 and 403 as the session does. What is outside the workspace is its owner's alone.
    """
    found = Session.objects.filter(public_id=access.session_id_of(session_id))
    session = found.only("public_id", "runner_id", "host_id", "workspace", "share_workspace_files").first()
    held = None if session is None else access.level(principal, session)
    if session is None or held is None:
        raise access.not_found()
    if use in FOR_PEOPLE and principal.kind == "runner":
        raise OmnigentError(ErrorCode.FORBIDDEN, "A runner may not do that; its agent has tools for it")
    needed = Level.READ if use is Use.READ and session.share_workspace_files else LEVELS[use]
    if target is not None and is_outside(target):
        needed = Level.OWNER
    if held < needed:
        raise access.too_low(principal, session.public_id, needed)
    return Place(
        session_pk=session.pk,
        session_id=session.public_id,
        runner_id=session.runner_id,
        host_id=session.host_id,
        workspace=session.workspace,
        is_owner=held >= Level.OWNER,
    )


def may_stay(principal: Principal, session_id: str, use: Use, target: Target) -> bool:
    """Whether somebody who is let in may still be there; credentials and grants end meanwhile."""
    current = recognise(principal)
    if current is None:
        return False
    try:
        place(current, session_id, use, target)
    except OmnigentError:
        return False
    return True


def is_outside(target: Target) -> bool:
    """Whether a place may be outside the workspace on whatever machine the runner is on."""
    return target.is_absolute or ntpath.isabs(target.path) or bool(ntpath.splitdrive(target.path)[0])


def require_runner(place: Place) -> None:
    """Raise 409 for a session that has never had a runner."""
    if not place.runner_id:
        raise OmnigentError(ErrorCode.CONFLICT, "The session has no runner yet; send it a message first")


def tell_changed(session_pk: int, environment_id: str) -> None:
    """Tell the session's readers that files may have changed."""
    with tick_of([session_pk]) as tick:
        session = tick.sessions.get(session_pk)
        if session is not None:
            changed = SessionChangedFilesInvalidated(
                session_id=session.public_id, environment_id=environment_id
            )
            tick.append(session, changed)


def _bad(message: str) -> OmnigentError:
    return OmnigentError(ErrorCode.INVALID_INPUT, message)
