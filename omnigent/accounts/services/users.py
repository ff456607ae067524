"""Users' rows."""

import re
from collections.abc import Mapping
from typing import Any

from django.conf import settings
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from omnigent.accounts.models import User
from omnigent.accounts.principal import LOCAL_USER, RESERVED_NAMES, Principal
from omnigent.errors import ErrorCode, OmnigentError

NO_PASSWORD = "!"
USERNAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,63}(@[a-z0-9][a-z0-9.-]{0,84})?")


def row_of(principal: Principal) -> User:
    """The caller's row, made on first need for somebody who is known without one; it has no password."""
    known = User.objects.filter(username=principal.user_id).first()
    if known is not None:
        return known
    rights: Mapping[str, Any] = {}
    if principal.user_id == LOCAL_USER:
        rights = {"is_staff": True, "is_superuser": True}
    user, _ = User.objects.get_or_create(
        username=principal.user_id, defaults={"password": NO_PASSWORD, **rights}
    )
    return user


def create_user(*, username: str, password: str, is_admin: bool = False, is_auditor: bool = False) -> User:
    """Somebody who logs in with a password. Raises INVALID_INPUT in the validators' words, ALREADY_EXISTS."""
    if not USERNAME.fullmatch(username) or username in RESERVED_NAMES:
        raise OmnigentError(
            ErrorCode.INVALID_INPUT,
            "A username is lower-case letters, digits and . _ -, or an e-mail address",
        )
    user = User(username=username, is_staff=is_admin, is_superuser=is_admin, is_auditor=is_auditor)
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise OmnigentError(ErrorCode.INVALID_INPUT, " ".join(error.messages)) from None
    user.set_password(password)
    try:
        with transaction.atomic():
            user.save(force_insert=True)
    except IntegrityError:
        raise OmnigentError(ErrorCode.ALREADY_EXISTS, "This username is taken") from None
    return user


def has_users() -> bool:
    """Whether anybody has an account; the row of single-user mode does not count."""
    return User.objects.exclude(username=LOCAL_USER).exists()


def needs_setup() -> bool:
    """Whether the first administrator is still to be made."""
    return settings.OMNIGENT_AUTH_MODE == "accounts" and not has_users()
