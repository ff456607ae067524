"""The policies that apply to every session."""

from collections.abc import Sequence
from typing import Any

from django.apps import AppConfig
from django.conf import settings
from django.core.checks import CheckMessage, register

from omnigent.policies.registry import Registry
from omnigent.policies.remote import RemotePolicies
from omnigent.spec.types import PolicyDecl
from policies_app.catalogue import Catalogue, build_catalogue
from policies_app.checks import check_catalogue


class PoliciesConfig(AppConfig):
    """Server-wide policies and their catalogue; `remotes` asks url policies while a server runs."""

    name = "policies_app"
    verbose_name = "Policies"
    default_auto_field = "django.db.models.BigAutoField"
    catalogue: Catalogue
    remotes: RemotePolicies | None = None

    def ready(self) -> None:
        """Find the handlers, once."""
        self.catalogue = build_catalogue(
            modules=settings.OMNIGENT_POLICY_MODULES,
            config_file=settings.OMNIGENT_POLICY_CONFIG,
            allowed=settings.OMNIGENT_OUTBOUND_ALLOWED,
            ports=settings.OMNIGENT_OUTBOUND_PORTS,
        )

        def check(app_configs: Sequence[AppConfig] | None, **kwargs: Any) -> list[CheckMessage]:
            return check_catalogue(self.catalogue)

        register(check)

    @property
    def registry(self) -> Registry:
        """The handlers that may be attached."""
        return self.catalogue.registry

    @property
    def config_policies(self) -> tuple[PolicyDecl, ...]:
        """The policies of the operator's config file, in its order; they run after those in the database."""
        return self.catalogue.config_policies
