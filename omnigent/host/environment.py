"""The environment a runner gets: named variables only, so that the daemon's own secrets stay with it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

import omnigent

PASSTHROUGH = "OMNIGENT_RUNNER_ENV_PASSTHROUGH"

_NAMES = frozenset(("PATH", "HOME", "LANG", "LANGUAGE", "TMPDIR", "TERM", "USER", "LOGNAME", "SHELL", "TZ"))
# The runner's own settings.
_SETTINGS = frozenset(
    (
        "OMNIGENT_MODEL",
        "OMNIGENT_MODEL_SILENCE_SECONDS",
        "OMNIGENT_SCRIPTED_PAUSE_SECONDS",
        "OMNIGENT_ENGINE_IDLE_SECONDS",
        "OMNIGENT_IDLE_TIMEOUT",
        "OMNIGENT_RETAIN_BYTES",
        "OMNIGENT_STATE_DIR",
        "OMNIGENT_WEB_ALLOWED",
        "OMNIGENT_WEB_CA_FILE",
        "OMNIGENT_WEB_PORTS",
        "PYTHONPYCACHEPREFIX",
    )
)
_PREFIXES = ("LC_", "SSL_CERT_", "OPENAI_", "ANTHROPIC_")
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD")
_MIN_SECRET = 8


def runner_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """The part of the daemon's environment that runners may have, and the path to this package."""
    named = _NAMES | _SETTINGS | set(re.split(r"[\s,;:]+", parent.get(PASSTHROUGH, "")))
    kept = {name: value for name, value in parent.items() if name in named or name.startswith(_PREFIXES)}
    own = str(Path(omnigent.__file__).resolve().parent.parent)
    kept["PYTHONPATH"] = os.pathsep.join(filter(None, (own, kept.get("PYTHONPATH"))))
    return kept


def git_environment(parent: Mapping[str, str]) -> dict[str, str]:
    """What git gets: hooks of a repository are code that an agent may have written."""
    kept = runner_environment(parent)
    del kept["PYTHONPATH"]
    if "SSH_AUTH_SOCK" in parent:
        kept["SSH_AUTH_SOCK"] = parent["SSH_AUTH_SOCK"]
    return kept


def secrets_in(environment: Mapping[str, str]) -> tuple[str, ...]:
    """The values that must not appear in text that leaves this machine."""
    return tuple(
        value
        for name, value in environment.items()
        if _SECRET_NAME.search(name) and len(value) >= _MIN_SECRET
    )
