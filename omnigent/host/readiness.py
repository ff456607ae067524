"""Which harnesses this machine can run."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from omnigent.protocol.host_frames import Readiness
from omnigent.spec import harnesses

NEEDS_AUTH = "needs-auth"

# Ours, and the variable that holds the key each one needs.
KEY_OF: Mapping[str, str | None] = MappingProxyType(
    {
        "scripted": None,
        "openai-responses": "OPENAI_API_KEY",
        "openai-chat": "OPENAI_API_KEY",
        "anthropic": "ANTHROPIC_API_KEY",
    }
)


def probe(environ: Mapping[str, str]) -> dict[str, bool | str]:
    """Readiness of every harness under every accepted spelling; those of vendors are not ours to run."""
    found: dict[str, bool | str] = {}
    for name in sorted(harnesses.CANONICAL):
        key = KEY_OF.get(name)
        state: bool | str = name in KEY_OF if key is None else bool(environ.get(key)) or NEEDS_AUTH
        found |= dict.fromkeys(harnesses.spellings(name), state)
    return found


@dataclass(kw_only=True)
class ReadinessBoard:
    """The latest probe; `refresh` tells whether it differs from the one before."""

    source: Callable[[], Readiness]
    current: Readiness = field(init=False)

    def __post_init__(self) -> None:
        self.current = self.source()

    def refresh(self) -> bool:
        """Probe again."""
        found = self.source()
        changed = dict(found) != dict(self.current)
        self.current = found
        return changed

    def refusal(self, harness: str | None) -> str | None:
        """Why a harness cannot be launched here, None when it can or when the server did not say which."""
        if harness is None:
            return None
        state = self.current.get(harness, self.current.get(harnesses.canonical(harness) or "", False))
        if state is True:
            return None
        why = (
            "needs a key in the host's environment"
            if state == NEEDS_AUTH
            else "is not available on this host"
        )
        return f"harness {harness!r} {why}"
