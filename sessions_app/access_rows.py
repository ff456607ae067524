"""What a row of the access table says: who may use one method of one address."""

from enum import StrEnum
from typing import NamedTuple

SOCKET = "WS"
SAFE = frozenset({"GET", "HEAD", "OPTIONS"})


class Needs(StrEnum):
    """What a caller must be, or hold on the session that the address names."""

    NOTHING = "nothing"
    NAME = "name"
    READ = "read"
    EDIT = "edit"
    MANAGE = "manage"
    OWN = "own"
    ADMIN = "admin"
    AUDIT = "audit"
    MINE = "mine"
    BINDING = "binding"
    SIGNATURE = "signature"


class Who(StrEnum):
    """The kinds of callers that the table speaks of."""

    ANONYMOUS = "anonymous"
    STRANGER = "stranger"
    READER = "reader"
    EDITOR = "editor"
    MANAGER = "manager"
    OWNER = "owner"
    ADMIN = "admin"
    AUDITOR = "auditor"
    RUNNER = "runner"
    HOST = "host"


class Row(NamedTuple):
    """One method of one address. `runner` and `host`: whether the credentials of these may be used for it;
    `auditor`: whether somebody who may only read may do it although it writes. `foreign`: what callers are
    told of a thing that is somebody else's.
    """

    method: str
    address: str
    needs: Needs
    runner: bool = False
    host: bool = False
    auditor: bool = False
    foreign: int = 404


def of_session(method: str, address: str, needs: Needs) -> Row:
    """A route below a session, which its runner may use as far as an editor."""
    return Row(method, f"/v1/sessions/{{session_id}}{address}", needs, runner=True)
