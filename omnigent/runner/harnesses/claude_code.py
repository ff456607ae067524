"""What the Claude Code program takes, however it is driven: efforts by our names, and what keeps it quiet."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal

EFFORTS: Final[Mapping[str, Literal["low", "medium", "high", "xhigh", "max"]]] = MappingProxyType(
    {
        "minimal": "low",
        "low": "low",
        "medium": "medium",
        "high": "high",
        "xhigh": "xhigh",
        "max": "max",
        "ultra": "max",
    }
)
QUIET: Final[Mapping[str, str]] = MappingProxyType(
    {
        "CLAUDE_CODE_DISABLE_AUTO_MEMORY": "1",
        "CLAUDE_CODE_DISABLE_FEEDBACK_SURVEY": "1",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "CLAUDE_CODE_DISABLE_OFFICIAL_MARKETPLACE_AUTOINSTALL": "1",
        "DISABLE_AUTOUPDATER": "1",
        "DISABLE_ERROR_REPORTING": "1",
        "DISABLE_TELEMETRY": "1",
        "DISABLE_UPDATES": "1",
    }
)
"""Variables with which it reaches nobody but its model, and remembers nothing beside the conversation."""

PATIENCE_SECONDS: Final = 7 * 86_400
"""How long it waits for a hook or for one of our tools: a person may be asked in between."""
