"""How the services behind url policies have answered this process; the others have figures of their own."""

from typing import TYPE_CHECKING, cast

from django.apps import apps

from omnigent.policies.remote import EndpointStatus

if TYPE_CHECKING:
    from omnigent.policies.remote import RemotePolicies
    from policies_app.apps import PoliciesConfig


def asks_through(remotes: "RemotePolicies | None") -> None:
    """Name what asks them, at the start of a process; None at its end."""
    cast("PoliciesConfig", apps.get_app_config("policies_app")).remotes = remotes


def status_of(url: str) -> EndpointStatus | None:
    """The breaker and the latency of one address; None while this process has not asked it."""
    remotes = cast("PoliciesConfig", apps.get_app_config("policies_app")).remotes
    statuses = () if remotes is None else remotes.statuses()
    return next((one for one in statuses if one.url == url), None)
