"""The policy screen as a person at a browser uses it: pages are asked for, forms are sent back."""

import re
from html import unescape
from typing import Any

from django.test import Client

from policies_app.models import DefaultPolicy, PolicyVersion

ROOT = "/admin/policies_app"
POLICIES = f"{ROOT}/defaultpolicy/"
DECISIONS = f"{ROOT}/decision/"
SWITCHES = f"{ROOT}/killswitch/"
YES = {"confirmed": "yes"}
FORM = {"mode": "enforce", "quorum": "1", "enabled": "on", "understood": "on"}


def text_of(answer: Any) -> str:
    """What a page says, without its tags."""
    words = re.sub(r"<[^>]+>", " ", answer.content.decode())
    return re.sub(r"\s+", " ", unescape(words))


def add(client: Client, handler: str, **fields: str) -> Any:
    """Send the form of a handler; parameters by their names, and `address` of a web service."""
    return client.post(f"{POLICIES}add/?handler={handler}", {**FORM, "name": "a", **_named(fields)})


def change(client: Client, policy: DefaultPolicy, *, handler: str = "", **fields: str) -> Any:
    """Send the form of a policy."""
    query = f"?handler={handler}" if handler else ""
    sent = {**FORM, "name": policy.name, "version": str(policy.version), **_named(fields)}
    return client.post(f"{POLICIES}{policy.pk}/change/{query}", sent)


def errors(answer: Any) -> dict[str, list[str]]:
    """What the form says of each field, parameters by their names."""
    assert answer.status_code == 200, text_of(answer)
    found = answer.context["form"].errors
    return {name.removeprefix("param-"): [str(words) for words in said] for name, said in found.items()}


def changes(policy_id: str) -> list[str]:
    """What the history has of a policy, the oldest first."""
    rows = PolicyVersion.objects.filter(policy_id=policy_id).order_by("number")
    return list(rows.values_list("change", flat=True))


def _named(fields: dict[str, str]) -> dict[str, str]:
    own = {
        name: name
        for name in ("name", "mode", "quorum", "approvers", "ask_timeout", "understood", "backtest", "days")
    }
    own["address"] = "handler"
    return {own.get(name, f"param-{name}"): value for name, value in fields.items()}
