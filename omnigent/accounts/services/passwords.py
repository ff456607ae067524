"""A person's own password."""

from django.contrib.auth import authenticate
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from omnigent.accounts.models import User
from omnigent.accounts.principal import Principal
from omnigent.accounts.services import logins, throttle
from omnigent.errors import ErrorCode, OmnigentError

WRONG = "Your present password is not that"


def has_password(principal: Principal) -> bool:
    """Whether the caller logs in with one: who was let in by another service does not."""
    user = User.objects.filter(username=principal.user_id).first()
    return user is not None and user.has_usable_password()


def change(request: HttpRequest, *, principal: Principal, present: str, wanted: str) -> None:
    """End every other login of the caller, and keep this one. Raises FORBIDDEN for callers without a
    browser's login or with a wrong password, RATE_LIMITED, and INVALID_INPUT in the validators' words.
    """
    if principal.via != "cookie":
        raise OmnigentError(ErrorCode.FORBIDDEN, "Log in in a browser to change your password")
    if not has_password(principal):
        raise OmnigentError(ErrorCode.CONFLICT, "You log in by another service and have no password here")
    user = authenticate(request, username=principal.user_id, password=present)
    if user is None:
        if getattr(request, "is_throttled", False):
            raise throttle.too_many()
        raise OmnigentError(ErrorCode.FORBIDDEN, WRONG)
    assert isinstance(user, User)
    try:
        validate_password(wanted, user)
    except ValidationError as error:
        raise OmnigentError(ErrorCode.INVALID_INPUT, " ".join(error.messages)) from None
    user.set_password(wanted)
    user.save(update_fields=["password"])
    logins.begin(request, user)
