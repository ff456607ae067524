"""Filters of the decision log. Each uses an index, and none reads the log to find out what may be chosen."""

from collections.abc import Iterator
from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from omnigent.ids import SESSION, canonical
from policies_app.admin.pages import FOLDER
from policies_app.models import Decision, DefaultPolicy

PHASES = ("request", "tool_call", "tool_result", "response", "llm_request", "llm_response")
MOST_POLICIES = 50
LONGEST = 200


class PhaseFilter(admin.SimpleListFilter):
    """At which point it was decided."""

    title = "phase"
    parameter_name = "phase"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(phase, phase.replace("_", " ")) for phase in PHASES]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Decision]") -> "QuerySet[Decision]":
        return queryset.filter(phase=self.value()) if self.value() else queryset


class PolicyFilter(admin.SimpleListFilter):
    """Whose verdict it was: a server-wide policy, or any other by its id in the address."""

    title = "policy"
    parameter_name = "policy_id"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        named = DefaultPolicy.objects.order_by("name").values_list("public_id", "name")
        known = list(named[:MOST_POLICIES])
        asked = request.GET.get(self.parameter_name, "")[:LONGEST]
        return known if not asked or asked in dict(known) else [*known, (asked, asked)]

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Decision]") -> "QuerySet[Decision]":
        return queryset.filter(policy_id=self.value()) if self.value() else queryset


class TypedFilter(admin.SimpleListFilter):
    """A value that is typed in."""

    template = f"{FOLDER}/typed_filter.html"
    hint = ""

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("", "any")]  # Without choices the admin would not show it.

    def choices(self, changelist: Any) -> Iterator[Any]:
        """What the form needs: the value now, and the rest of the address to go along."""
        params = changelist.get_filters_params()
        others = [
            (name, value)
            for name, values in params.items()
            if name != self.parameter_name
            for value in (values if isinstance(values, list) else [values])
        ]
        if changelist.query:
            others.append(("q", changelist.query))
        yield {
            "value": self.value() or "",
            "others": others,
            "without": changelist.get_query_string(remove=[self.parameter_name]),
        }


class SessionFilter(TypedFilter):
    """A session, with the sub-agents below it."""

    title = "session"
    parameter_name = "session"
    hint = "conv_…"

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Decision]") -> "QuerySet[Decision]":
        text = self.value()
        if not text:
            return queryset
        public_id = canonical(SESSION, text.strip()) or "?"
        return queryset.filter(session_id=public_id) | queryset.filter(root_session_id=public_id)


class ActorFilter(TypedFilter):
    """Who it was decided about."""

    title = "actor"
    parameter_name = "actor"
    hint = "user id"

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Decision]") -> "QuerySet[Decision]":
        text = self.value()
        return queryset.filter(actor=text.strip()) if text else queryset
