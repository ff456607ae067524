"""What the routes of identity take. An unknown key is refused: it may be a limit that was misspelt."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from omnigent.accounts.principal import Scope
from omnigent.accounts.services.logins import MAX_PASSWORD

TEN_YEARS = 10 * 366 * 86400

Secret = Annotated[str, Field(min_length=1, max_length=200)]
Username = Annotated[str, Field(min_length=1, max_length=150)]
Password = Annotated[str, Field(min_length=1, max_length=MAX_PASSWORD)]
Seconds = Annotated[int, Field(ge=1, le=TEN_YEARS, strict=True)]


class Body(BaseModel):
    """What they have in common."""

    model_config = ConfigDict(extra="forbid")


class Login(Body):
    """POST /v1/login"""

    username: Username
    password: Password


class NewAccount(Login):
    """POST /v1/setup and POST /v1/invitations/accept: a one-time token, and what to call the new account."""

    token: Secret


class NewToken(Body):
    """POST /v1/tokens; `expires_in` in seconds, null for a token that does not expire."""

    name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")]
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=4)]
    expires_in: Seconds | None = None


class NewInvitation(Body):
    """POST /v1/invitations; `expires_in` in seconds, null for the server's own term."""

    is_admin: Annotated[bool, Field(strict=True)] = False
    is_auditor: Annotated[bool, Field(strict=True)] = False
    expires_in: Seconds | None = None
