"""Decisions for the tests of their log."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import transaction

from policies_app.services import decisions
from policies_app.services.decisions import NewDecision
from policies_app.services.inputs import digest_of, redacted

EVENT = {"type": "tool_call", "target": "Bash", "data": {"name": "Bash", "arguments": {"command": "ls"}}}
START = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


def new(**fields: Any) -> NewDecision:
    """A decision about a tool call."""
    values: dict[str, Any] = {
        "phase": "tool_call",
        "verdict": "allow",
        "target": "Bash",
        "input_digest": digest_of(EVENT),
        "input": redacted(EVENT),
        "steps": [{"id": "pol_1", "name": "ä", "version": 1, "verdict": "allow", "micros": 12}],
        **fields,
    }
    return NewDecision(**values)


def append(*rows: NewDecision) -> None:
    """Append as whoever evaluates does."""
    with transaction.atomic():
        decisions.append(rows)


def fill(count: int, **fields: Any) -> None:
    """So many decisions, a second apart."""
    append(
        *(new(created_at=START + timedelta(seconds=n), reason=f"r{n}", **fields) for n in range(1, count + 1))
    )


def hash_as_an_auditor_does(line: Mapping[str, Any]) -> str:
    """The hash of an exported line, by what the documentation says and nothing else."""
    rest = {name: value for name, value in line.items() if name != "hash"}
    text = json.dumps(rest, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256((line["prev_hash"] + text).encode()).hexdigest()
