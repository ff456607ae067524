"""What a policy would say: of one event, of what was decided lately, and in shadow. Nothing is written."""

import asyncio
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from typing import Any

from django import forms
from django.http import HttpRequest, HttpResponse
from django.utils import timezone

from omnigent.errors import OmnigentError
from omnigent.policies.judging import judge
from omnigent.policies.types import Phase, PolicyEvent, PolicyState, Verdict
from policies_app.admin import parameters
from policies_app.admin.pages import PolicyPages, require
from policies_app.admin.switching import policy_at
from policies_app.catalogue import catalogue
from policies_app.models import DefaultPolicy, Mode, PolicyBase, PolicyType
from policies_app.services import drafts
from policies_app.services.backtesting import backtest
from policies_app.services.default_policies import NewPolicy
from policies_app.services.differences import UNCHANGED
from policies_app.services.shadowing import shadow_summary
from policies_app.simulation_bodies import BacktestBody, DraftPolicy

DAYS = (1, 7, 30)
MOST_DECISIONS = 5000
MOST_SECONDS = 10.0
"""So long a page may keep one of the server's few database threads."""
SHADOW_DAYS = 7
COLUMNS = tuple(column.name for column in fields(NewPolicy))
WORDS = {
    "allow_to_deny": "allowed, now denied",
    "deny_to_allow": "denied, now allowed",
    "now_asks": "now asked about",
    "ask_to_allow": "asked, now allowed",
    "ask_to_deny": "asked, now denied",
    UNCHANGED: "the same",
}


class EventForm(forms.Form):
    """One thing that an agent or a person might do."""

    phase = forms.ChoiceField(
        choices=[("tool_call", "An agent calls a tool"), ("request", "A person writes a message")],
        widget=forms.RadioSelect,
        initial="tool_call",
        label="What happens",
    )
    target = forms.CharField(required=False, label="Tool", initial="sys_os_shell", max_length=256)
    arguments = parameters.JsonField(
        required=False, initial={"command": "git push --force"}, help_text="Of the call, as JSON."
    )
    text = forms.CharField(
        required=False, label="Message", widget=forms.Textarea(attrs={"rows": 3}), max_length=100_000
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if cleaned.get("phase") == "tool_call":
            if not cleaned.get("target"):
                self.add_error("target", "Name the tool.")
            given = cleaned.get("arguments")
            cleaned["arguments"] = {} if given is parameters.LEFT_OUT else given
            if "arguments" not in self.errors and not isinstance(cleaned["arguments"], dict):
                self.add_error("arguments", "Arguments are an object.")
        return cleaned

    def event(self, actor: str) -> PolicyEvent:
        """What was filled in, in a session of which nothing else is known."""
        given = self.cleaned_data
        is_call = given["phase"] == "tool_call"
        call = {"name": given["target"], "arguments": given["arguments"]}
        said = {"user_content": given["text"], "attachments": []}
        return PolicyEvent(
            phase=Phase(given["phase"]),
            data=call if is_call else said,
            target=given["target"] if is_call else None,
            context={
                "actor": {"run_as": actor},
                "usage": {},
                "subtree_usage": {},
                "user_daily_cost": [],
                "today": timezone.now().date().isoformat(),
                "model": None,
                "harness": None,
            },
        )


def try_event(pages: PolicyPages, request: HttpRequest, pk: int) -> HttpResponse:
    """A form for an event, and what the policy says of it. Addresses are not called, and models not asked."""
    policy = policy_at(pk)
    require(pages.has_view_permission(request, policy))
    form = EventForm(request.POST if request.method == "POST" else None, label_suffix="")
    verdict = None
    if request.method == "POST" and policy.type == PolicyType.PYTHON and form.is_valid():
        try:
            verdict = _judged(_draft(policy), form.event(request.user.get_username()))
        except OmnigentError as error:
            form.add_error(None, error.message)
    entry = catalogue().registry.get(policy.handler)
    return pages.page(
        request,
        "try.html",
        f"Try “{policy.name}”",
        policy=policy,
        form=form,
        verdict=verdict,
        step=verdict.steps[0] if verdict and verdict.steps else None,
        asks_model=entry is not None and "llm" in entry.needs,
    )


def show_shadow(pages: PolicyPages, request: HttpRequest, pk: int) -> HttpResponse:
    """What it said in shadow, against what was decided."""
    policy = policy_at(pk)
    require(pages.has_view_permission(request, policy))
    found = shadow_summary(policy.public_id, SHADOW_DAYS)
    return pages.page(
        request,
        "shadow.html",
        f"“{policy.name}” in shadow",
        policy=policy,
        is_shadow=policy.mode == Mode.SHADOW,
        found=shown(found),
    )


def backtested(new: NewPolicy, policy: DefaultPolicy | None, days: int) -> dict[str, Any]:
    """What a draft says of the decisions of the last days. Raises INVALID_INPUT when it cannot be tried."""
    asked = BacktestBody(
        policy=_draft(new),
        days=days,
        limit=MOST_DECISIONS,
        max_seconds=MOST_SECONDS,
        replaces=policy.public_id if policy else None,
    )
    return shown({**backtest(asked), "days": days})


def shown(found: dict[str, Any]) -> dict[str, Any]:
    """With its counts and examples in words; what is the same comes last and is always there."""
    counts, examples = found["counts"], found["examples"]
    tallies = [(words, counts[kind]) for kind, words in WORDS.items() if counts[kind] or kind == UNCHANGED]
    named = [(words, examples[kind]) for kind, words in WORDS.items() if examples.get(kind)]
    return {**found, "tallies": tallies, "examples": named}


def _draft(policy: PolicyBase | NewPolicy) -> DraftPolicy:
    return DraftPolicy.model_validate({name: getattr(policy, name) for name in COLUMNS})


def _judged(draft: DraftPolicy, event: PolicyEvent) -> Verdict:
    ref = drafts.built(draft, drafts.draft_builder())
    # A handler that hangs must not take the threads that real evaluations need.
    threads = ThreadPoolExecutor(1, thread_name_prefix="trying")
    try:
        return asyncio.run(judge(event, (ref,), PolicyState(), threads=threads))
    finally:
        threads.shutdown(wait=False, cancel_futures=True)
