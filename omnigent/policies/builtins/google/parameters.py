"""The parameters of the Google policies: their schemas, and how they are read."""

from collections.abc import Iterable
from typing import Any

from omnigent.policies.builtins.google.identifiers import file_id_of
from omnigent.policies.builtins.google.tool_names import DEFAULT_PREFIXES
from omnigent.policies.builtins.parameters import filled_texts

ACTIONS = ("DENY", "ASK")

Schema = dict[str, Any]


def _switch(description: str, *, default: bool) -> Schema:
    return {"type": "boolean", "default": default, "description": description}


def _list(description: str, default: Iterable[str] = ()) -> Schema:
    items = {"type": "string", "minLength": 1}
    return {"type": "array", "items": items, "default": list(default), "description": description}


def _schema(properties: Schema) -> Schema:
    shared = {
        "tool_prefixes": _list("What the names of Google's tools begin with.", DEFAULT_PREFIXES),
        "deny_reason": {
            "type": "string",
            "default": "",
            "description": "What to say when something is denied. Empty: say what exactly is not allowed.",
        },
    }
    return {"type": "object", "additionalProperties": False, "properties": properties | shared}


DRIVE_SCHEMA = _schema(
    {
        "read_all": _switch("Whether every file may be read.", default=True),
        "read_files": _list("Files that may be read when read_all is false, as identifiers or addresses."),
        "allow_create": _switch("Whether new files may be made.", default=False),
        "write_files": _list("Files that may be changed beside those made in the session."),
        "comment_files": _list("Files that may be commented on beside those made in the session."),
        "confidential_files": _list(
            "Files after whose reading nothing may be written anywhere but to such files."
        ),
        "write_down_action": {
            "type": "string",
            "enum": list(ACTIONS),
            "default": "DENY",
            "description": "What happens to a write elsewhere after a confidential file was read.",
        },
    }
)
GMAIL_SCHEMA = _schema(
    {
        "allow_read": _switch("Whether mail may be searched and read.", default=True),
        "allow_send": _switch("Whether mail may be sent.", default=False),
        "allow_drafts": _switch(
            "Whether drafts may be made, and those of the session changed and deleted.", default=True
        ),
        "allow_modify": _switch("Whether messages and threads may be labelled and moved.", default=False),
    }
)
CALENDAR_SCHEMA = _schema(
    {
        "allow_read": _switch("Whether calendars and events may be read.", default=True),
        "allow_create_events": _switch("Whether events and calendars may be made.", default=False),
        "allow_modify_events": _switch("Whether events may be changed and deleted.", default=False),
    }
)


def files(name: str, values: object) -> frozenset[str]:
    """Identifiers of files, given as such or as addresses."""
    return frozenset(file_id_of(text) for text in filled_texts(name, values))


def action(name: str, value: object) -> str:
    """DENY or ASK, in any case; ValueError for anything else."""
    known = value.upper() if isinstance(value, str) else ""
    if known not in ACTIONS:
        raise ValueError(f"{name} must be DENY or ASK")
    return known
