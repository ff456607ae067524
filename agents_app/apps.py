"""The agent registry."""

from django.apps import AppConfig

from agents_app.specs import Specs


class AgentsConfig(AppConfig):
    """Agents and their bundles; `specs` is what this process has parsed of them."""

    name = "agents_app"
    verbose_name = "Agents"
    default_auto_field = "django.db.models.BigAutoField"
    specs: Specs

    def ready(self) -> None:
        """Begin with nothing parsed."""
        self.specs = Specs()
