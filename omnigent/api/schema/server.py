"""What the server answers about itself."""

from typing import Any

from omnigent.api.schema.shapes import Shape


class HealthShape(Shape):
    """The process answers."""

    status: str


class VersionShape(Shape):
    """The server's version."""

    version: str


class InfoShape(Shape):
    """What clients ask before they log in: how to, and which features to offer."""

    accounts_enabled: bool
    single_user: bool
    auth_mode: str
    needs_setup: bool
    login_url: str | None
    server_version: str
    managed_sandboxes_enabled: bool
    sandbox_provider: str | None
    sandbox_providers: list[str]
    enabled_connections: list[Any]
    features: dict[str, Any]
    harness_install_enabled: bool
    agent_install: bool
    installable_harnesses: list[str]
    dictation_available: bool
    smart_routing_enabled: bool
    databricks_features: bool
    branding: dict[str, str] | None
    sharing_mode: str
    public_sharing_enabled: bool
    public_sharing_max_level: str
