"""The environment a runner gets: named variables only, so that the daemon's own secrets stay with it."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

import omnigent

PASSTHROUGH = "OMNIGENT_RUNNER_ENV_PASSTHROUGH"

_NAMES = frozenset(
    (
        "PATH", "HOME", "LANG", "LANGUAGE", "TMPDIR", "TERM", "USER", "LOGNAME", "SHELL", "TZ",
        "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME", "XDG_STATE_HOME", "XDG_RUNTIME_DIR",
    )
)  # fmt: skip
# What it takes to reach a server or a model from inside a company's network.
_NETWORK = frozenset(
    (
        "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "all_proxy",
        "no_proxy", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NODE_EXTRA_CA_CERTS",
    )
)  # fmt: skip
# The runner's own settings.
_SETTINGS = frozenset(
    (
        "OMNIGENT_MODEL",
        "OMNIGENT_MODEL_SILENCE_SECONDS",
        "OMNIGENT_SCRIPTED_PAUSE_SECONDS",
        "OMNIGENT_ENGINE_IDLE_SECONDS",
        "OMNIGENT_IDLE_TIMEOUT",
        "OMNIGENT_LOG_LEVEL",
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
    named = _NAMES | _NETWORK | _SETTINGS | set(re.split(r"[\s,;:]+", parent.get(PASSTHROUGH, "")))
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
    named = (value for name, value in environment.items() if _SECRET_NAME.search(name.upper()))
    passwords = map(_password_in, environment.values())
    return tuple(value for value in (*named, *passwords) if len(value) >= _MIN_SECRET)


def _password_in(text: str) -> str:
    """The password of a URL, as proxies' have one."""
    if "://" not in text or "@" not in text:
        return ""
    try:
        return urlsplit(text).password or ""
    except ValueError:
        return ""
