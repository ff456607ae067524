"""The policies that apply to every session."""

from django.apps import AppConfig


class PoliciesConfig(AppConfig):
    """Server-wide policies and their catalogue."""

    name = "policies_app"
    verbose_name = "Policies"
    default_auto_field = "django.db.models.BigAutoField"
