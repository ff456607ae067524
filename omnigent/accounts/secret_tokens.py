"""Random secrets that are shown once and kept as a digest."""

import hashlib
import secrets

BITS = 256


def new_secret(prefix: str) -> str:
    """`<prefix>` and 256 random bits, safe in URLs and shells."""
    return prefix + secrets.token_urlsafe(BITS // 8)


def digest_of(secret: str) -> str:
    """What is stored and looked up. How long a look takes says nothing about a secret that was guessed."""
    return hashlib.sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()
