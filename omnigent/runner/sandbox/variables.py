"""The environment of what runs in a sandbox."""

from collections.abc import Mapping
from typing import Final

from omnigent.runner.sandbox.mounts import HOME, SCRATCH
from omnigent.spec.machine import Sandbox

_USUAL: Final = frozenset(
    {"PATH", "LANG", "LANGUAGE", "TZ", "TERM", "COLORTERM", "NO_COLOR", "USER", "LOGNAME", "SHELL"}
)


def confined(environment: Mapping[str, str], sandbox: Sandbox) -> dict[str, str]:
    """The usual variables and those that the author lets through; every other may be a secret."""
    named = frozenset(sandbox.env_passthrough or ())
    passed = {
        name: value
        for name, value in environment.items()
        if name in _USUAL or name.startswith("LC_") or name in named
    }
    return {**passed, "HOME": HOME, "TMPDIR": SCRATCH}
