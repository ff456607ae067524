"""The handlers that an operator can pick, in families."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from omnigent.policies.registry import LISTED_FIRST, Entry, Registry
from policies_app.models import PolicyType

BUILTINS = "omnigent.policies.builtins."
FIRST = "Good to begin with"
TITLES = {
    "safety": "Safety",
    "cost": "Budgets",
    "orchestration": "Sub-agents and work trees",
    "working_dir": "Working directory",
    "risk_score": "Risk",
    "github": "GitHub",
    "google": "Google",
    "context": "Course of the work",
    "prompt": "Decided by a model",
    "routing": "Models and tasks",
    "cel": "Expressions",
}


@dataclass(frozen=True, slots=True)
class Family:
    """Handlers that belong together."""

    title: str
    entries: Sequence[Entry]


def families(registry: Registry) -> list[Family]:
    """What may be picked, in the order of the registry."""
    found: dict[str, list[Entry]] = {}
    for entry in registry.listed():
        found.setdefault(_title(entry), []).append(entry)
    return [Family(title, entries) for title, entries in found.items()]


def choices(registry: Registry, chosen: str) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """The same as groups of a list; a handler that is in use but not meant to be picked comes first."""
    listed = families(registry)
    if all(entry.handler != chosen for family in listed for entry in family.entries):
        entry = registry.get(chosen)
        yield "In use", [(chosen, entry.name if entry else f"{chosen} (not registered)")]
    for family in listed:
        yield family.title, [(entry.handler, entry.name) for entry in family.entries]


def called(registry: Registry, type: str, handler: str) -> str:
    """A handler's name for people."""
    if type == PolicyType.URL:
        return "Web service"
    entry = registry.get(handler)
    return entry.name if entry else "Not registered"


def _title(entry: Entry) -> str:
    if entry.handler in LISTED_FIRST:
        return FIRST
    module = entry.handler.rpartition(".")[0]
    if not module.startswith(BUILTINS):
        return f"From {module}"
    family = module.removeprefix(BUILTINS).partition(".")[0]
    return TITLES.get(family, family.replace("_", " ").capitalize())
