"""What is open to callers without an identity: how to get one, and what tells nothing."""

EXACT = frozenset(
    {
        "/.well-known/omnigent.json",
        "/admin/login/",
        "/api/version",
        "/favicon.ico",
        "/health",
        "/login",
        "/logout",
        "/oidc/callback",
        "/oidc/login",
        "/setup",
        "/v1/device/code",
        "/v1/device/token",
        "/v1/info",
        "/v1/invitations/accept",
        "/v1/login",
        "/v1/logout",
        "/v1/me",
        "/v1/setup",
    }
)
PREFIXES = ("/invite/", "/static/")


def is_public(path: str) -> bool:
    """Whether the path needs no identity."""
    return path in EXACT or path.startswith(PREFIXES)
