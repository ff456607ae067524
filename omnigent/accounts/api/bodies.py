"""What the routes of identity take. An unknown key is refused: it may be a limit that was misspelt."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, StrictBool, field_validator

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


class DeviceLogin(Body):
    """POST /v1/device/code: how the program calls itself to the person who decides."""

    client_name: Annotated[str, Field(min_length=1, max_length=100, pattern=r"\S")] = "A program"

    @field_validator("client_name")
    @classmethod
    def _is_readable(cls, text: str) -> str:
        """Nothing that would turn the words around it: the name stands in a question of trust."""
        if not text.isprintable():
            raise ValueError("must be printable")
        return " ".join(text.split())


class DevicePoll(Body):
    """POST /v1/device/token"""

    device_code: Secret


class NewPassword(Body):
    """PUT /v1/password"""

    password: Password
    new_password: Password


class ChangedUser(Body):
    """PATCH /v1/users/{user_id}; what is missing stays."""

    is_active: StrictBool | None = None
    is_staff: StrictBool | None = None
    is_auditor: StrictBool | None = None


class NewInvitation(Body):
    """POST /v1/invitations; `expires_in` in seconds, null for the server's own term."""

    is_admin: Annotated[bool, Field(strict=True)] = False
    is_auditor: Annotated[bool, Field(strict=True)] = False
    expires_in: Seconds | None = None
