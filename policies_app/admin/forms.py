"""The form of a server-wide policy. What is wrong is said by the models of the API and by its services."""

from typing import Any

from django import forms
from pydantic import ValidationError

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.params import problems
from omnigent.policies.registry import Entry
from policies_app.admin import parameters
from policies_app.admin.trying import DAYS
from policies_app.bodies import PolicyBody
from policies_app.models import DefaultPolicy, Mode, PolicyType
from policies_app.services.default_policies import NewPolicy

EFFECTS = {
    Mode.ENFORCE: "Enforce: what it says happens",
    Mode.SHADOW: "Shadow: it is asked and logged, and nothing happens",
}
CHANGED_MEANWHILE = "Somebody has changed this policy meanwhile. Load the page again to see what it is now."


class PolicyForm(forms.Form):
    """`entry` is the handler of a python policy, None for a web service; `policy` is what is changed."""

    name = forms.CharField(help_text="Unique among the policies of this server; decisions show it.")
    handler = forms.CharField(label="Address", help_text="An https:// address that answers within a second.")
    enabled = forms.BooleanField(required=False, initial=True, label="On from the start")
    mode = forms.ChoiceField(
        choices=list(EFFECTS.items()), initial=Mode.ENFORCE, widget=forms.RadioSelect, label="Effect"
    )
    approvers = parameters.LinesField(
        read=str,
        required=False,
        help_text="Who may answer what it asks, one user id to a line. Empty: whoever usually may.",
    )
    quorum = forms.IntegerField(initial=1, help_text="How many of them must agree.")
    ask_timeout = forms.FloatField(
        required=False,
        label="Time to answer",
        help_text="Seconds until a question expires. Empty: as the agent says.",
    )
    understood = forms.BooleanField(
        label="It takes effect in every session, from the next action of each.",
        error_messages={"required": "Say that you know: this concerns every session."},
    )
    days = forms.TypedChoiceField(
        choices=[(days, f"{days} days" if days > 1 else "a day") for days in DAYS],
        coerce=int,
        empty_value=None,
        required=False,
        initial=7,
        label="Try it on the decisions of the last",
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(
        self, *args: Any, entry: Entry | None = None, policy: DefaultPolicy | None = None, **options: Any
    ) -> None:
        super().__init__(*args, **options)
        self.entry, self.policy = entry, policy
        self.new: NewPolicy | None = None
        self.params = parameters.fields_of(entry) if entry else {}
        self.fields.update(self.params)
        if entry:
            del self.fields["handler"]
        if policy:
            del self.fields["enabled"]
        if self.is_trial:
            self.fields["understood"].required = False

    @property
    def is_trial(self) -> bool:
        """Whether it shall be tried on what was decided, and not be saved."""
        return self.is_bound and "backtest" in self.data

    @property
    def shown_params(self) -> list[forms.BoundField]:
        """The handler's own fields."""
        return [self[name] for name in self.params]

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.policy and cleaned.get("version") != self.policy.version:
            self.add_error(None, CHANGED_MEANWHILE)
        if self.policy and self.policy.ask_timeout and cleaned.get("ask_timeout") is None:
            self._add("ask_timeout", "A time that was set can be changed, and not be taken away.")
        params = self._checked_params(cleaned)
        if not self.errors:
            self.new = self._read(cleaned, params)
        return cleaned

    def refused(self, error: OmnigentError) -> None:
        """Show what a service said where it belongs."""
        words = error.message
        if error.code is ErrorCode.ALREADY_EXISTS:
            self._add("name", words)
        elif words.startswith("quorum"):
            self._add("quorum", words)
        elif words.startswith("factory_params"):
            words = words.removeprefix("factory_params: ")
            self._add(parameters.field_named(words, self.params), words)
        else:
            self._add("handler", words)

    def _checked_params(self, cleaned: dict[str, Any]) -> dict[str, Any] | None:
        if self.entry is None:
            return None
        params = parameters.params_of(self.entry, cleaned)
        for words in problems(self.entry, params):
            name = parameters.field_named(words, self.params)
            if name not in self.errors:
                self._add(name, words)
        # Whoever has had some gets an empty object: the service takes None for no change.
        return params if params or (self.policy and self.policy.factory_params) else None

    def _handler(self, entry: Entry) -> str:
        """By the name that the policy knows it by, which may be an alias."""
        is_same = self.policy is not None and self.policy.handler in (entry.handler, *entry.aliases)
        return self.policy.handler if self.policy and is_same else entry.handler

    def _read(self, cleaned: dict[str, Any], params: dict[str, Any] | None) -> NewPolicy | None:
        wanted = {
            "name": cleaned["name"],
            "type": PolicyType.PYTHON if self.entry else PolicyType.URL,
            "handler": self._handler(self.entry) if self.entry else cleaned["handler"],
            "factory_params": params,
            "enabled": self.policy.enabled if self.policy else cleaned["enabled"],
            "mode": cleaned["mode"],
            "approvers": cleaned["approvers"],
            "quorum": cleaned["quorum"],
            "ask_timeout": cleaned["ask_timeout"],
        }
        try:
            return PolicyBody.model_validate(wanted).new_policy()
        except ValidationError as error:
            for one in error.errors():
                place = str(one["loc"][0]) if one["loc"] else _place(one["msg"])
                self._add(place, one["msg"].removeprefix("Value error, "))
            return None

    def _add(self, name: str | None, words: str) -> None:
        text = words[:1].upper() + words[1:]
        self.add_error(name if name in self.fields else None, text if text.endswith(".") else f"{text}.")


def _place(words: str) -> str:
    """The field of a problem with the whole."""
    return "quorum" if "quorum" in words else "handler"
