"""Writes to user rows."""

from omnigent.accounts.models import User


def local_administrator(*, username: str) -> User:
    """The row of the single-user mode's user, created on first need; it has no password to log in with."""
    user, _ = User.objects.get_or_create(
        username=username, defaults={"is_staff": True, "is_superuser": True, "password": "!"}
    )
    return user
