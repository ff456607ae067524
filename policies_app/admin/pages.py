"""What the pages of the policy screen have in common."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.forms import Media
from django.http import HttpRequest
from django.template.response import TemplateResponse

from omnigent.accounts.principal import Principal

FOLDER = "admin/policies"
SHEET = Media(css={"all": ("policies_app/admin.css",)})


@dataclass(frozen=True, kw_only=True, slots=True)
class Question:
    """What a person has to agree to: what will happen, in sentences, and the words on the button.

    `kept` are the fields of the form that led here, which go along.
    """

    title: str
    effects: Sequence[str]
    verb: str
    back: str
    is_grave: bool = False
    problem: str = ""
    kept: Sequence[tuple[str, str]] = field(default=())

    def refused(self, words: str) -> "Question":
        """The same, with what a service said against it."""
        return replace(self, problem=words)


class PolicyPages(admin.ModelAdmin):  # type: ignore[type-arg]  # not generic at run time
    """A table that is looked at here. Nothing is written past the services: no bulk actions, no forms."""

    actions = None
    empty_value_display = "—"
    change_list_template = f"{FOLDER}/list.html"
    show_full_result_count = False
    show_facets = admin.ShowFacets.NEVER

    @property
    def media(self) -> Media:
        """The admin's own and our sheet."""
        return super().media + SHEET

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # any row
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:  # any row
        return False

    def page(
        self, request: HttpRequest, template: str, title: str, *, status: int = 200, **context: Any
    ) -> TemplateResponse:
        """One of our own pages in the frame of the admin."""
        frame = {
            **self.admin_site.each_context(request),
            "opts": self.opts,
            "title": title,
            "media": self.media,
        }
        return TemplateResponse(request, f"{FOLDER}/{template}", {**frame, **context}, status=status)

    def ask(self, request: HttpRequest, question: Question) -> TemplateResponse:
        """The page with the question; its button posts `confirmed` to the same address."""
        status = 409 if question.problem else 200
        return self.page(request, "confirm.html", question.title, question=question, status=status)


def is_confirmed(request: HttpRequest) -> bool:
    """Whether the button of the question was pressed."""
    return request.method == "POST" and request.POST.get("confirmed") == "yes"


def require(is_allowed: object) -> None:
    """Raise PermissionDenied, which the admin answers with 403."""
    if not is_allowed:
        raise PermissionDenied


def caller(request: HttpRequest) -> Principal:
    """Who asks, as the door established it."""
    return cast(Principal, request.principal)  # type: ignore[attr-defined]  # set by the admission
