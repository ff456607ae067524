"""Answers of the routes of identity as models, for their description."""

from typing import Literal

from pydantic import JsonValue

from omnigent.api.schema.shapes import PageShape, Shape


class LoginShape(Shape):
    """Whoever has just logged in; the cookie lasts `expires_in` seconds."""

    user_id: str
    is_admin: bool
    expires_in: int


class MeShape(Shape):
    """Who is calling."""

    user_id: str
    is_admin: bool


class NobodyShape(Shape):
    """Nobody is calling, and where to log in."""

    user_id: None
    login_url: str | None


class DiscoveryShape(Shape):
    """How a client that knows only the address gets in."""

    accounts_enabled: bool
    single_user: bool
    auth_mode: str
    needs_setup: bool
    login_url: str | None
    server_version: str
    api_base: str
    info_url: str


class TokenShape(Shape):
    """A personal access token without its secret."""

    id: str
    object: Literal["access_token"]
    name: str
    scopes: list[str]
    created_at: int
    last_used_at: int | None
    expires_at: int | None


class NewTokenShape(TokenShape):
    """A token with its secret, which is shown this once."""

    token: str


class TokenList(PageShape):
    """The caller's tokens."""

    data: list[TokenShape]


class DeletedToken(Shape):
    """A token that is revoked."""

    id: str
    object: Literal["access_token.deleted"]
    deleted: Literal[True]


class InvitationShape(Shape):
    """An invitation without its secret."""

    id: str
    object: Literal["invitation"]
    is_admin: bool
    is_auditor: bool
    created_at: int
    expires_at: int


class NewInvitationShape(InvitationShape):
    """An invitation with its secret and link, which are shown this once."""

    token: str
    url: str


class InvitationList(PageShape):
    """Invitations that nobody has accepted yet."""

    data: list[InvitationShape]


class DeletedInvitation(Shape):
    """An invitation that is withdrawn."""

    id: str
    object: Literal["invitation.deleted"]
    deleted: Literal[True]


class DeviceCodes(Shape):
    """The codes of a device login, which are shown this once; times in seconds."""

    device_code: str
    user_code: str
    verification_uri: str
    verification_uri_complete: str
    expires_in: int
    interval: int


class DeviceToken(Shape):
    """What a program gets that was let in."""

    access_token: str
    token_type: Literal["Bearer"]
    scope: str
    expires_in: int


class DeviceErrorObject(Shape):
    """The error as everywhere else in this API says it."""

    code: str
    message: str


class DeviceRefusal(Shape):
    """The token endpoint's own error, as RFC 8628 has it."""

    error: str | DeviceErrorObject
    error_description: str | None = None
    detail: JsonValue = None


class UserShape(Shape):
    """A person as administrators see them."""

    id: str
    object: Literal["user"]
    email: str
    is_active: bool
    is_staff: bool
    is_auditor: bool
    has_password: bool
    created_at: int
    last_login_at: int | None


class UserList(PageShape):
    """Everybody who has an account here."""

    data: list[UserShape]
