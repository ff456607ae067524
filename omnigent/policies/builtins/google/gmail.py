"""The policy over Gmail."""

from collections.abc import Sequence

from omnigent.policies.builtins.google import tool_names as known
from omnigent.policies.builtins.google.identifiers import (
    DRAFT_KEYS,
    kept_updates,
    made_ids,
    remembered,
    targets_of,
)
from omnigent.policies.builtins.parameters import filled_texts, sentence, switch
from omnigent.policies.calls import Answer, Event, Handler, allow, call_of, deny, finished_call_of

CREATED = "gmail_created_draft_ids"


def gmail_policy(
    *,
    allow_read: bool = True,
    allow_send: bool = False,
    allow_drafts: bool = True,
    allow_modify: bool = False,
    tool_prefixes: Sequence[str] = known.DEFAULT_PREFIXES,
    deny_reason: str = "",
) -> Handler:
    """Say what an agent may do with mail; ValueError in words for bad parameters.

    Drafts may be changed and deleted only when they were made in the session.
    """
    may_draft = switch("allow_drafts", allow_drafts)
    switches = {
        **dict.fromkeys(known.GMAIL_READS, switch("allow_read", allow_read)),
        **dict.fromkeys(known.GMAIL_SENDS, switch("allow_send", allow_send)),
        **dict.fromkeys(known.GMAIL_DRAFT_CREATES | known.GMAIL_DRAFT_CHANGES, may_draft),
        **dict.fromkeys(known.GMAIL_CHANGES, switch("allow_modify", allow_modify)),
    }
    prefixes, reason = filled_texts("tool_prefixes", tool_prefixes), sentence("deny_reason", deny_reason)

    def evaluate(event: Event) -> Answer | None:
        if (done := finished_call_of(event)) is not None:
            is_new = known.own_name(done.name, prefixes) in known.GMAIL_DRAFT_CREATES
            updates = kept_updates(event, CREATED, made_ids(event, DRAFT_KEYS)) if is_new else []
            return allow(state_updates=updates) if updates else None
        if (call := call_of(event)) is None:
            return None
        name = known.own_name(call.name, prefixes)
        if not name.startswith(known.GMAIL_STEMS):
            return None
        if name not in switches:
            return deny(reason or f"{name}: it is not known what this tool does")
        if not switches[name]:
            return deny(reason or f"{name}: this is not allowed")
        drafts = targets_of(call.arguments, DRAFT_KEYS)
        is_own = bool(drafts) and drafts <= remembered(event, CREATED)
        if name in known.GMAIL_DRAFT_CHANGES and not is_own:
            return deny(reason or f"{name}: only drafts made in this session may be changed")
        return None

    return evaluate
