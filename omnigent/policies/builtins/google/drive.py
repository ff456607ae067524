"""The policy over Google Drive, Docs, Sheets and Slides."""

from collections.abc import Sequence
from dataclasses import dataclass

from omnigent.policies.builtins.google import tool_names as known
from omnigent.policies.builtins.google.identifiers import (
    FILE_KEYS,
    kept_updates,
    made_ids,
    remembered,
    targets_of,
)
from omnigent.policies.builtins.google.parameters import action, files
from omnigent.policies.builtins.parameters import filled_texts, sentence, switch
from omnigent.policies.calls import (
    Answer,
    Event,
    Handler,
    allow,
    call_of,
    deny,
    finished_call_of,
    set_state,
    state_of,
    verdict,
)

CREATED = "gdrive_created_file_ids"
READ_CONFIDENTIAL = "gdrive_read_confidential"


@dataclass(frozen=True, kw_only=True, slots=True)
class _Access:
    """The parameters of the policy, checked. Files are identifiers."""

    read_all: bool
    read_files: frozenset[str]
    allow_create: bool
    write_files: frozenset[str]
    comment_files: frozenset[str]
    confidential_files: frozenset[str]
    write_down_action: str


def gdrive_policy(  # noqa: PLR0913 - the parameters are those of the schema
    *,
    read_all: bool = True,
    read_files: Sequence[str] = (),
    allow_create: bool = False,
    write_files: Sequence[str] = (),
    comment_files: Sequence[str] = (),
    confidential_files: Sequence[str] = (),
    write_down_action: str = "DENY",
    tool_prefixes: Sequence[str] = known.DEFAULT_PREFIXES,
    deny_reason: str = "",
) -> Handler:
    """Hold an agent to some files; ValueError in words for bad parameters.

    Files made in the session may be changed and commented on. They are known from what the tools that make
    files have given.
    """
    access = _Access(
        read_all=switch("read_all", read_all),
        read_files=files("read_files", read_files),
        allow_create=switch("allow_create", allow_create),
        write_files=files("write_files", write_files),
        comment_files=files("comment_files", comment_files),
        confidential_files=files("confidential_files", confidential_files),
        write_down_action=action("write_down_action", write_down_action),
    )
    prefixes, reason = filled_texts("tool_prefixes", tool_prefixes), sentence("deny_reason", deny_reason)

    def evaluate(event: Event) -> Answer | None:
        if (done := finished_call_of(event)) is not None:
            name = known.own_name(done.name, prefixes)
            return _remember(access, event, name, targets_of(done.arguments, FILE_KEYS))
        if (call := call_of(event)) is None:
            return None
        name = known.own_name(call.name, prefixes)
        targets = targets_of(call.arguments, FILE_KEYS)
        fault = _fault(access, name, targets, remembered(event, CREATED))
        writes_down = _writes_down(access, event, name, targets)
        # A question that is answered with yes must not open what the access rules close.
        if writes_down and (access.write_down_action == "DENY" or not fault):
            why = f"{name}: a confidential file was read, and this writes elsewhere"
            return verdict(access.write_down_action, reason or why)
        return deny(reason or fault) if fault else None

    return evaluate


def _remember(access: _Access, event: Event, name: str, targets: frozenset[str]) -> Answer | None:
    """What the session learns from a result: files it made, and that it has seen something confidential."""
    if name in known.DRIVE_CREATES:
        updates = kept_updates(event, CREATED, made_ids(event, FILE_KEYS))
        return allow(state_updates=updates) if updates else None
    if name in known.DRIVE_READS and targets & access.confidential_files:
        return allow(state_updates=[set_state(READ_CONFIDENTIAL, value=True)])
    return None


def _writes_down(access: _Access, event: Event, name: str, targets: frozenset[str]) -> bool:
    is_write = name in known.DRIVE_CREATES | known.DRIVE_COMMENTS | known.DRIVE_WRITES
    has_read = bool(access.confidential_files) and bool(state_of(event).get(READ_CONFIDENTIAL))
    stays_inside = bool(targets) and targets <= access.confidential_files
    return is_write and has_read and not stays_inside


def _fault(access: _Access, name: str, targets: frozenset[str], created: frozenset[str]) -> str:
    """Why a call is not allowed; empty when it is, or when it is no tool of Drive."""
    if name in known.DRIVE_READS:
        may = access.read_all or (bool(targets) and targets <= access.read_files)
        return "" if may else f"{name}: reading this file is not allowed"
    if name in known.DRIVE_CREATES:
        return "" if access.allow_create else f"{name}: making files is not allowed"
    if name in known.DRIVE_COMMENTS:
        may = bool(targets) and targets <= access.comment_files | created
        return "" if may else f"{name}: commenting on this file is not allowed"
    if name in known.DRIVE_WRITES:
        may = bool(targets) and targets <= access.write_files | created
        return "" if may else f"{name}: changing this file is not allowed"
    return f"{name}: it is not known what this tool does" if name.startswith(known.DRIVE_STEMS) else ""
