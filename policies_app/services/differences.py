"""How one verdict differs from another, in the words that the simulator counts by."""

from typing import Any

UNCHANGED = "unchanged"
NOW_ASKS = "now_asks"
KINDS = ("allow_to_deny", "deny_to_allow", NOW_ASKS, "ask_to_allow", "ask_to_deny", UNCHANGED)


def difference(before: str, after: str) -> str:
    """One of KINDS; both are `allow`, `deny` or `ask`."""
    if before == after:
        return UNCHANGED
    return NOW_ASKS if after == "ask" else f"{before}_to_{after}"


def no_differences() -> dict[str, Any]:
    """A count of nothing yet, by kind."""
    return dict.fromkeys(KINDS, 0)
