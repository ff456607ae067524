"""Keep an agent and its user from loading certain skills."""

import re
import unicodedata
from typing import Any

from omnigent.policies.builtins.parameters import texts
from omnigent.policies.calls import Answer, Event, Handler, call_of, deny, phase_of, user_text

_ARGUMENT_OF = {"load_skill": "name", "read_skill_file": "skill_name", "Skill": "skill"}
_SLASH = re.compile(r"\s*/\s*(\S+)")


def block_skills(*, blocked: list[str]) -> Handler:
    """Deny loading a listed skill, by a tool or by a message `/name`; letter case does not matter.

    A bare entry also blocks that name in every namespace (`ns:name`); an entry `ns:name` also blocks the
    bare name, but not the same name in another namespace.
    """
    entries = frozenset(_plain(entry) for entry in texts("blocked", blocked))
    if "" in entries:
        raise ValueError("blocked must not contain an empty name")
    refused = entries | {_bare(entry) for entry in entries}

    def gate(event: Event) -> Answer | None:
        asked = _asked(event)
        name = _plain(asked)
        # A bare name is refused by any entry of that name, others only by their own or a bare entry.
        if name and (name in refused or _bare(name) in entries):
            return deny(f"skill {asked!r} is blocked")
        return None

    return gate


def _asked(event: Event) -> str:
    if phase_of(event) == "request":
        typed = _SLASH.match(user_text(event))
        return typed[1] if typed else ""
    call = call_of(event)
    if call is None or call.name not in _ARGUMENT_OF:
        return ""
    return str(call.arguments.get(_ARGUMENT_OF[call.name]) or "")


def _plain(name: str) -> str:
    """A skill's name for comparing; look-alike letters of other widths are folded."""
    return unicodedata.normalize("NFKC", name).casefold().strip().lstrip("/").strip()


def _bare(name: str) -> str:
    return name.rsplit(":", 1)[-1]


ENTRY: dict[str, Any] = {
    "handler": "omnigent.policies.builtins.safety.block_skills",
    "kind": "factory",
    "name": "Block skills",
    "description": "Deny loading the listed skills, whether by a tool or by a slash command.",
    "params_schema": {
        "type": "object",
        "properties": {
            "blocked": {
                "type": "array",
                "items": {"type": "string", "minLength": 1},
                "description": "Names of skills. A bare name is blocked in every namespace as well.",
            }
        },
        "required": ["blocked"],
        "additionalProperties": False,
    },
}
