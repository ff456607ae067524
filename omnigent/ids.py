"""Prefixed ids: minting them, and reading what clients send in their place."""

import hashlib
import re
import secrets

SESSION = "conv"
AGENT = "ag"
ITEM = "item"
RESPONSE = "resp"
RUNNER = "runner"
HOST = "host"
POLICY = "pol"
DEFAULT_POLICY = "pol_srv"
DECISION = "dec"
KILL_SWITCH = "kill"
ELICITATION = "elicit"
TURN = "turn"
FILE = "file"

MAX_LENGTH = 64
"""No id is longer; ids are opaque up to that."""

BARE_HEX = re.compile(r"[0-9a-f]{32}")
OPAQUE = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH}}}")
PREFIXED_HOST = re.compile(r"host_([0-9a-f]{32})")


def mint(prefix: str) -> str:
    """A new random id, `<prefix>_<32 hex>`."""
    return f"{prefix}_{secrets.token_hex(16)}"


def canonical(prefix: str, text: str) -> str | None:
    """The id that a client means by `text`: bare 32 hex gets the prefix, other id-shaped text stays as it is.

    None when the text cannot be an id at all.
    """
    if BARE_HEX.fullmatch(text):
        return f"{prefix}_{text}"
    return text if OPAQUE.fullmatch(text) else None


def canonical_host(text: str) -> str | None:
    """The id of a host as its daemon minted it: daemons compare bare hex, so `host_` is taken off."""
    prefixed = PREFIXED_HOST.fullmatch(text)
    if prefixed:
        return prefixed.group(1)
    return text if OPAQUE.fullmatch(text) else None


def runner_id_for(binding_token: str) -> str:
    """The runner id that only a holder of this token may dial in with (rule of the released runner)."""
    digest = hashlib.sha256(f"omnigent-runner:{binding_token}".encode())
    return f"runner_token_{digest.hexdigest()[:32]}"
