"""The caller of a request, as everything behind the door sees it."""

from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from omnigent.accounts.evidence import Evidence

LOCAL_USER = "local"
PUBLIC_USER = "__public__"
RESERVED_NAMES = frozenset({LOCAL_USER, PUBLIC_USER})
"""Names with a meaning of their own; nobody can be called so outside single-user mode."""


class Scope(StrEnum):
    """What a credential may be used for."""

    READ = "read"
    WRITE = "write"
    HOST = "host"
    ADMIN = "admin"


EVERYTHING = frozenset(Scope)
READ_ONLY = frozenset({Scope.READ})


@dataclass(frozen=True, kw_only=True, slots=True)
class Principal:
    """The caller of a request. A runner acts for its owner, and only on sessions bound to `runner_id`.

    `user_id` is empty for a runner that has shown nothing but its binding token: only its tunnel and its
    bearer are open to it. `via` says how the caller was recognised and `evidence` what was shown, so that
    a long connection can ask again.
    """

    user_id: str
    is_admin: bool
    kind: Literal["user", "runner", "host"] = "user"
    runner_id: str | None = None
    is_auditor: bool = False
    scopes: frozenset[Scope] = EVERYTHING
    via: Literal["machine", "header", "cookie", "token", "runner"] = "machine"
    token_pk: int | None = None
    is_use_due: bool = field(default=False, compare=False)
    evidence: Evidence | None = field(default=None, compare=False, repr=False)

    @property
    def is_authenticated(self) -> bool:
        """What Django and DRF ask of a user."""
        return True

    @property
    def sees_everything(self) -> bool:
        """Whether the caller may read every session, whoever owns it."""
        return self.is_admin or self.is_auditor
