"""Which of a person's hosts can run which harness."""

from collections.abc import Mapping
from typing import Any

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.spec import harnesses
from omnigent.spec.capabilities import GENERAL_STEPS
from omnigent.spec.catalogue import catalogue
from sessions_app import fleet_rows
from sessions_app.models import Host

UNKNOWN, READY, NOT_AVAILABLE = "unknown", "ready", "not-available"


def catalogue_for(owner: str) -> dict[str, Any]:
    """Every harness with its capabilities, and how it stands on each of the owner's online hosts."""
    online = [host for host in fleet_rows.hosts(owner) if host["status"] == "online"]
    rows = [
        {
            **info.public(),
            "readiness": {host["host_id"]: state(host["configured_harnesses"], name) for host in online},
        }
        for name, info in catalogue().items()
    ]
    return {"data": rows, "setup_steps": list(GENERAL_STEPS)}


def state(told: Mapping[str, Any] | None, name: str) -> str:
    """What a host says of a harness: `ready`, `not-available`, why it is not ready, or `unknown`."""
    if told is None:
        return UNKNOWN
    found = next((told[each] for each in harnesses.spellings(name) if each in told), False)
    if isinstance(found, str):
        return found
    return READY if found else NOT_AVAILABLE


def is_ready(host: Host, harness: str) -> bool:
    """Whether a host can run a harness, as far as it has told."""
    readiness = host.configured_harnesses
    if readiness is None:
        # Unknown is never "nothing": such a host finds out when it launches.
        return True
    names = {harness, harnesses.canonical(harness)}
    return any(readiness.get(name) is True for name in names if name)


def require(host: Host, harness: str) -> None:
    """Raise 412 for a harness that a host has said it cannot run."""
    if is_ready(host, harness):
        return
    told = state(host.configured_harnesses, harnesses.canonical(harness) or harness)
    raise OmnigentError(
        ErrorCode.HARNESS_NOT_CONFIGURED, f"The host cannot run the harness '{harness}': {told}"
    )
