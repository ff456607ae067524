"""The agent registry."""

from django.apps import AppConfig


class AgentsConfig(AppConfig):
    """Agents and their bundles."""

    name = "agents_app"
    verbose_name = "Agents"
    default_auto_field = "django.db.models.BigAutoField"
