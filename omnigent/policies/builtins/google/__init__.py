"""What agents may do with files, mail and calendars at Google."""

from omnigent.policies.builtins.google.calendar import gcalendar_policy
from omnigent.policies.builtins.google.drive import gdrive_policy
from omnigent.policies.builtins.google.gmail import gmail_policy
from omnigent.policies.builtins.google.parameters import CALENDAR_SCHEMA, DRIVE_SCHEMA, GMAIL_SCHEMA

__all__ = ["POLICY_REGISTRY", "gcalendar_policy", "gdrive_policy", "gmail_policy"]

POLICY_REGISTRY = [
    {
        "handler": "omnigent.policies.builtins.google.gdrive_policy",
        "kind": "factory",
        "name": "Google Drive access",
        "description": (
            "Hold Drive, Docs, Sheets and Slides tools to some files and to those made in the session. "
            "After a confidential file was read, nothing is written elsewhere."
        ),
        "params_schema": DRIVE_SCHEMA,
    },
    {
        "handler": "omnigent.policies.builtins.google.gmail_policy",
        "kind": "factory",
        "name": "Gmail access",
        "description": "Say whether an agent may read, send, draft and move mail.",
        "params_schema": GMAIL_SCHEMA,
    },
    {
        "handler": "omnigent.policies.builtins.google.gcalendar_policy",
        "kind": "factory",
        "name": "Google Calendar access",
        "description": "Say whether an agent may read, make and change events.",
        "params_schema": CALENDAR_SCHEMA,
    },
]
