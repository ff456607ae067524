"""System checks of the settings: each bad value has an id and a hint."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, Error, Warning

from omnigent.env import BadValue
from omnigent.secret_key import FILE_NAME

AppConfigs = Sequence[AppConfig] | None
SECRET_KEY_LENGTH = 32
HEADER_NAME = re.compile(r"[A-Za-z0-9-]+")


def check_environment(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    bad_values: Sequence[BadValue] = settings.OMNIGENT_BAD_VALUES
    return [
        Error(f"{bad.name}: {bad.problem}.", hint=bad.hint, obj=bad.name, id="omnigent.E001")
        for bad in bad_values
    ]


def check_hosts(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """A wildcard would let any site that points a name at this machine talk to the server (DNS rebinding)."""
    return [
        Error(
            f"ALLOWED_HOSTS contains {host!r}.",
            hint="List the exact names clients use in OMNIGENT_ALLOWED_HOSTS, without a scheme or port.",
            obj="OMNIGENT_ALLOWED_HOSTS",
            id="omnigent.E002",
        )
        for host in settings.ALLOWED_HOSTS
        if "*" in host or "/" in host or not host.strip(".")
    ]


def check_identity(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Whose word about the caller counts. A range that holds everybody would let anyone be anyone."""
    found: list[CheckMessage] = []
    for word in settings.OMNIGENT_TRUSTED_PROXIES:
        if problem := proxy_problem(word):
            found.append(
                Error(
                    f"TRUSTED_PROXIES contains {word!r}, which {problem}.",
                    hint="List addresses and ranges in OMNIGENT_TRUSTED_PROXIES, as 10.0.0.5 or 10.0.0.0/24.",
                    obj="OMNIGENT_TRUSTED_PROXIES",
                    id="omnigent.E006",
                )
            )
    if settings.OMNIGENT_AUTH_MODE != "header":
        return found
    if not settings.OMNIGENT_TRUSTED_PROXIES:
        found.append(
            Error(
                "The mode `header` has no trusted proxy, so nobody could be recognised.",
                hint="Set OMNIGENT_TRUSTED_PROXIES to the address from which the proxy connects.",
                obj="OMNIGENT_TRUSTED_PROXIES",
                id="omnigent.E005",
            )
        )
    if not HEADER_NAME.fullmatch(settings.OMNIGENT_AUTH_HEADER):
        found.append(
            Error(
                f"AUTH_HEADER is {settings.OMNIGENT_AUTH_HEADER!r}, which is not a header's name.",
                hint="Set OMNIGENT_AUTH_HEADER to letters, digits and hyphens, as in X-Forwarded-Email.",
                obj="OMNIGENT_AUTH_HEADER",
                id="omnigent.E007",
            )
        )
    return found


def check_single_sign_on(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    """Half a configuration would show a button that leads nowhere, or let everybody in."""
    if not settings.OMNIGENT_OIDC_ISSUER:
        lonely = settings.OMNIGENT_OIDC_CLIENT_ID or settings.OMNIGENT_OIDC_CLIENT_SECRET
        return [sign_on_error("ISSUER", "is missing beside the client")] if lonely else []
    found = [
        sign_on_error(name, "is missing")
        for name in ("CLIENT_ID", "CLIENT_SECRET")
        if not getattr(settings, f"OMNIGENT_OIDC_{name}")
    ]
    if not is_issuer(settings.OMNIGENT_OIDC_ISSUER):
        found.append(sign_on_error("ISSUER", "is no https:// address (http:// is for loopback only)"))
    if not settings.OMNIGENT_OIDC_ALLOWED_DOMAINS and not settings.OMNIGENT_OIDC_ALLOWED_GROUPS:
        problem = "is missing, and so is ALLOWED_GROUPS; `*` lets in everybody whom the issuer knows"
        found.append(sign_on_error("ALLOWED_DOMAINS", problem))
    if "openid" not in settings.OMNIGENT_OIDC_SCOPES:
        found.append(sign_on_error("SCOPES", "does not contain openid"))
    if settings.OMNIGENT_AUTH_MODE != "accounts":
        found.append(sign_on_error("ISSUER", "needs the mode `accounts`"))
    return found


def sign_on_error(name: str, problem: str) -> CheckMessage:
    """What is wrong with one of the settings for OpenID Connect."""
    return Error(
        f"OMNIGENT_OIDC_{name} {problem}.",
        hint="See the part on logging in by another service in docs/operations.md.",
        obj=f"OMNIGENT_OIDC_{name}",
        id="omnigent.E008",
    )


def is_issuer(text: str) -> bool:
    """Whether tokens from this address can be trusted on the way."""
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it raises for a port that is not a number
    except ValueError:
        return False
    is_near = parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")
    return bool(parts.hostname) and (parts.scheme == "https" or is_near) and not parts.query


def proxy_problem(word: str) -> str:
    """What is wrong with an entry; empty when nothing is."""
    try:
        network = ipaddress.ip_network(word)
    except ValueError:
        return "is neither an address nor a range"
    return "" if network.prefixlen else "holds every address there is"


def check_origins(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    return [
        Error(
            f"TRUSTED_ORIGINS contains {origin!r}, which is not an origin.",
            hint="Use scheme://host or scheme://host:port in OMNIGENT_TRUSTED_ORIGINS, without a path.",
            obj="OMNIGENT_TRUSTED_ORIGINS",
            id="omnigent.E003",
        )
        for origin in settings.TRUSTED_ORIGINS
        if not is_origin(origin)
    ]


def check_secret_key(app_configs: AppConfigs, **kwargs: Any) -> list[CheckMessage]:
    found: list[CheckMessage] = []
    if len(settings.SECRET_KEY) < SECRET_KEY_LENGTH:
        found.append(
            Error(
                f"SECRET_KEY is shorter than {SECRET_KEY_LENGTH} characters.",
                hint=f"Unset SECRET_KEY and remove {FILE_NAME} from the data directory to get a new one.",
                obj="SECRET_KEY",
                id="omnigent.E004",
            )
        )
    path = settings.DATA_DIR / FILE_NAME
    if path.exists() and path.stat().st_mode & 0o077:
        found.append(
            Warning(
                f"{path} can be read by other users.",
                hint=f"Run: chmod 600 {path}",
                obj="SECRET_KEY",
                id="omnigent.W001",
            )
        )
    return found


def is_origin(text: str) -> bool:
    try:
        parts = urlsplit(text)
        parts.port  # noqa: B018  # reading it raises for a port that is not a number
    except ValueError:
        return False
    exact = f"{parts.scheme}://{parts.netloc}"
    return bool(parts.scheme and parts.netloc) and text == exact and "*" not in text and "@" not in text
