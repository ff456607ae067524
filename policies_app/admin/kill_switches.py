"""Kill switches: thrown and taken back after a question."""

from typing import Any

from django import forms
from django.contrib import admin
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from pydantic import ValidationError

from omnigent.errors import OmnigentError
from policies_app.admin.pages import FOLDER, PolicyPages, Question, caller, is_confirmed, require
from policies_app.admin.switching import confirm
from policies_app.api.kill_switches import CreateKillSwitch
from policies_app.models import KillSwitch, KillSwitchKind
from policies_app.services import kill_switches

LIST = "admin:policies_app_killswitch_changelist"
MEANING = {
    KillSwitchKind.AGENT: "every action of this agent, in all of its sessions",
    KillSwitchKind.USER: "every action in the sessions of this person",
    KillSwitchKind.HOST: "every action of the runners on this machine",
}


class KillSwitchForm(forms.Form):
    """What shall stop."""

    kind = forms.ChoiceField(
        choices=[(kind, f"{label}: {MEANING[kind]}") for kind, label in KillSwitchKind.choices],  # type: ignore[index]  # choices give plain text, which equals its member
        widget=forms.RadioSelect,
        label="What stops",
    )
    target = forms.CharField(label="Its id", help_text="The id of the agent or host, or the user id.")
    reason = forms.CharField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3}),
        help_text="Agents are told. Others will want to know, too.",
    )

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.errors:
            return cleaned
        try:
            CreateKillSwitch.model_validate(cleaned)
        except ValidationError as error:
            for one in error.errors():
                words = one["msg"].removeprefix("Value error, ")
                self.add_error(str(one["loc"][0]), f"{words[:1].upper()}{words[1:]}.")
        return cleaned


@admin.register(KillSwitch)
class KillSwitchAdmin(PolicyPages):
    """What is stopped now."""

    change_list_template = f"{FOLDER}/kill_switches.html"
    list_display = ("stopped", "kind", "reason", "created_by", "created_at", "actions_of_row")
    list_filter = ("kind",)
    search_fields = ("target", "reason", "created_by")
    ordering = ("-created_at", "-id")
    list_display_links = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return admin.ModelAdmin.has_add_permission(self, request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # any row
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def get_list_display(self, request: HttpRequest) -> tuple[str, ...]:
        """The last column is for those who may take one back."""
        columns = tuple(str(column) for column in self.list_display)
        return columns if self.has_delete_permission(request) else columns[:-1]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        return super().changelist_view(request, {"title": "Kill switches", **(extra_context or {})})

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> HttpResponse:
        """A form, then the question; existing ones have no page of their own."""
        if object_id is not None:
            raise Http404
        require(self.has_add_permission(request))
        given = {"kind": request.GET.get("kind", ""), "target": request.GET.get("target", "")}
        form = KillSwitchForm(
            request.POST if request.method == "POST" else None, initial=given, label_suffix=""
        )
        if request.method != "POST" or not form.is_valid():
            return self.page(request, "kill_switch.html", "Throw a kill switch", form=form)
        return self._throw(request, form)

    def _throw(self, request: HttpRequest, form: KillSwitchForm) -> HttpResponse:
        wanted: dict[str, str] = form.cleaned_data
        kind, target = wanted["kind"], wanted["target"]
        if not is_confirmed(request):
            return self.ask(request, _question(kind, target, wanted["reason"]))
        try:
            kill_switches.throw_switch(principal=caller(request), **wanted)
        except OmnigentError as error:
            form.add_error("target", error.message)
            return self.page(request, "kill_switch.html", "Throw a kill switch", form=form)
        self.message_user(request, f"The {kind} “{target}” is stopped.")
        return HttpResponseRedirect(reverse(LIST))

    def delete_view(
        self, request: HttpRequest, object_id: str, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        """Ask, then take it back."""
        require(self.has_delete_permission(request))
        is_number = object_id.isdecimal() and len(object_id) < 19
        found = KillSwitch.objects.filter(pk=int(object_id)).first() if is_number else None
        if found is None:
            raise Http404
        switch = found

        def work() -> str:
            kill_switches.take_back(switch_id=switch.public_id)
            return f"The {switch.kind} “{switch.target}” goes on."

        question = Question(
            title=f"Let the {switch.kind} “{switch.target}” go on?",
            effects=(
                f"This lets go on {MEANING[KillSwitchKind(switch.kind)]}, as far as policies allow it.",
            ),
            verb="Take the switch back",
            back=reverse(LIST),
        )
        return confirm(self, request, question, work, then=reverse(LIST))

    @admin.display(description="stopped", ordering="target")
    def stopped(self, switch: KillSwitch) -> SafeString:
        """Whose actions are denied."""
        return format_html('<span class="stop-mark"></span><code class="strong">{}</code>', switch.target)

    @admin.display(description="")
    def actions_of_row(self, switch: KillSwitch) -> SafeString:
        """The way to the question whether it goes on."""
        address = reverse("admin:policies_app_killswitch_delete", args=[switch.pk])
        return format_html('<a class="small-button" href="{}">{}</a>', address, "Take back")


def _question(kind: str, target: str, reason: str) -> Question:
    return Question(
        title=f"Stop the {kind} “{target}”?",
        effects=(
            f"This denies {MEANING[KillSwitchKind(kind)]}, from the next one on, and stops what runs.",
            "It holds until somebody takes it back.",
        ),
        verb=f"Stop this {kind}",
        back=reverse(LIST),
        is_grave=True,
        kept=(("kind", kind), ("target", target), ("reason", reason)),
    )
