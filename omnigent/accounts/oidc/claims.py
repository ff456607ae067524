"""What the issuer says of a person, and whether such a person may log in here."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings

from omnigent.accounts.proxies import is_name
from omnigent.errors import ErrorCode, OmnigentError

EVERY_DOMAIN = "*"
Claims = Mapping[str, Any]  # any JSON that the issuer has signed


@dataclass(frozen=True, kw_only=True, slots=True)
class Person:
    """Somebody whom the issuer vouches for. `subject` never changes, `email` may; it is in lower case."""

    subject: str
    email: str
    is_admin: bool


def person_of(claims: Claims) -> Person:
    """Who it is. Raises FORBIDDEN, in words for them, unless they may log in here."""
    subject, email = claims.get("sub"), claims.get("email")
    if not isinstance(subject, str) or not isinstance(email, str) or "@" not in email:
        raise refused("The other service did not say which e-mail address you have")
    is_verified = claims.get("email_verified")
    # Some issuers write the word.
    if is_verified is not True and is_verified != "true":
        raise refused("Your e-mail address is not verified at the other service")
    name = email.strip().lower()
    if not is_name(name):
        raise refused("Your e-mail address cannot be a username here")
    groups = groups_of(claims)
    domains = settings.OMNIGENT_OIDC_ALLOWED_DOMAINS
    if domains and EVERY_DOMAIN not in domains and name.rpartition("@")[2] not in domains:
        raise refused("People of your e-mail domain are not let in here")
    if settings.OMNIGENT_OIDC_ALLOWED_GROUPS and not groups & settings.OMNIGENT_OIDC_ALLOWED_GROUPS:
        raise refused("You are in none of the groups that are let in here")
    return Person(subject=subject, email=name, is_admin=bool(groups & settings.OMNIGENT_OIDC_ADMIN_GROUPS))


def groups_of(claims: Claims) -> frozenset[str]:
    """The groups that the configured claim names, as a list or as one word."""
    found = claims.get(settings.OMNIGENT_OIDC_GROUPS_CLAIM)
    words = [found] if isinstance(found, str) else found if isinstance(found, list) else []
    return frozenset(word for word in words if isinstance(word, str))


def refused(message: str) -> OmnigentError:
    return OmnigentError(ErrorCode.FORBIDDEN, message)
