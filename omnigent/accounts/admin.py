"""Users, tokens and invitations in the admin. Secrets are not shown; what is revoked stays listed."""

from typing import Any

from django.apps import apps
from django.contrib import admin
from django.contrib.auth.admin import UserAdmin
from django.db.models import QuerySet
from django.http import HttpRequest

from omnigent.accounts.models import AccessToken, Invitation, User
from omnigent.accounts.services.revocation import revoke_token

AnyModel = Any  # the admin's hooks take whatever row the page is about


class ReadOnly(admin.ModelAdmin):  # type: ignore[type-arg]  # a base for several models
    """Rows that are made elsewhere."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: AnyModel = None) -> bool:
        return False


@admin.register(User)
class PersonAdmin(UserAdmin):  # type: ignore[type-arg]  # the stubs name no model here
    """People. They are locked out by taking `active` away: grants name people, and a name that is deleted
    could be taken by somebody else.
    """

    list_display = ("username", "email", "is_active", "is_staff", "is_auditor", "last_login")
    list_filter = ("is_active", "is_staff", "is_auditor")
    fieldsets = (
        (None, {"fields": ("username", "password")}),
        ("Person", {"fields": ("first_name", "last_name", "email")}),
        ("Rights", {"fields": ("is_active", "is_staff", "is_superuser", "is_auditor")}),
        ("Dates", {"fields": ("last_login", "date_joined")}),
    )
    readonly_fields = ("last_login", "date_joined")

    def has_delete_permission(self, request: HttpRequest, obj: AnyModel = None) -> bool:
        return False


@admin.register(AccessToken)
class AccessTokenAdmin(ReadOnly):
    """Tokens of everybody; they can be revoked."""

    list_display = ("name", "user", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at")
    list_filter = (("revoked_at", admin.EmptyFieldListFilter),)
    list_select_related = ("user",)
    search_fields = ("name", "user__username", "public_id")
    fields = ("public_id", "name", "user", "scopes", "created_at", "last_used_at", "expires_at", "revoked_at")
    actions = ("revoke",)

    @admin.action(description="Revoke selected tokens", permissions=["delete"])
    def revoke(self, request: HttpRequest, queryset: "QuerySet[AccessToken]") -> None:
        revoked = sum(revoke_token(token) for token in queryset.select_related("user"))
        self.message_user(request, f"{revoked} revoked.")

    def has_delete_permission(self, request: HttpRequest, obj: AnyModel = None) -> bool:
        return obj is None and super().has_delete_permission(request)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)
        return actions


@admin.register(Invitation)
class InvitationAdmin(ReadOnly):
    """Invitations; deleting one that is open withdraws it."""

    list_display = (
        "public_id", "created_by", "is_admin", "is_auditor", "created_at", "expires_at", "accepted_by",
    )  # fmt: skip
    list_select_related = ("created_by", "accepted_by")
    fields = (*list_display, "accepted_at")


# The issuer is configured by settings, and mails are not sent: these pages would have no effect.
if apps.is_installed("allauth.socialaccount"):
    for name in ("account.EmailAddress", "socialaccount.SocialApp", "socialaccount.SocialToken"):
        admin.site.unregister(apps.get_model(name))
