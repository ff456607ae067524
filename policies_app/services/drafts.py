"""Policies that are not stored, made ready to run where nothing comes of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from django.conf import settings
from django.utils import timezone

from omnigent.errors import ErrorCode, OmnigentError
from omnigent.policies.remote import RemotePolicy
from omnigent.policies.types import PolicyLevel, PolicyRef
from policies_app.building import Builder, Remotes
from policies_app.catalogue import catalogue
from policies_app.models import DefaultPolicy, PolicyType
from policies_app.services.handlers import check_handler
from policies_app.simulation_bodies import DraftPolicy

CONFIG = "config:"
"""How the ids of the config file's policies begin; they are asked after the stored ones."""


class NotCalled:
    """Stands for a url policy that must not be called."""

    def __call__(self, _event: Mapping[str, Any]) -> NoReturn:
        raise RuntimeError("url policies are not called here")


@dataclass(frozen=True, slots=True)
class NoUrls:
    """Remotes that call nobody."""

    seconds: float = 1.0

    def handler(self, *, policy_id: str, name: str, url: str) -> Callable[[Mapping[str, Any]], Any]:
        """A handler that must not be called."""
        return NotCalled()


def draft_builder(remotes: Remotes | None = None) -> Builder:
    """What builds drafts; without remotes nothing leaves the server."""
    return Builder(
        registry=catalogue().registry,
        remotes=NoUrls() if remotes is None else remotes,
        foreign_seconds=settings.OMNIGENT_POLICY_HANDLER_SECONDS,
    )


def is_remote(ref: PolicyRef) -> bool:
    """Whether a policy asks a service elsewhere."""
    return isinstance(ref.handler, RemotePolicy | NotCalled)


def built(draft: DraftPolicy, builder: Builder, number: int = 1) -> PolicyRef:
    """The draft as a server-wide policy. Raises INVALID_INPUT in words when it could not be created."""
    check_handler(type=draft.type, handler=draft.handler, factory_params=draft.factory_params)
    row = DefaultPolicy(
        public_id=f"draft:{number}",
        name=draft.name,
        type=PolicyType(draft.type),
        handler=draft.handler,
        factory_params=draft.factory_params,
        approvers=draft.approvers,
        quorum=draft.quorum,
        ask_timeout=draft.ask_timeout,
        created_at=timezone.now(),
    )
    return builder.from_row(row, PolicyLevel.SERVER)


def all_built(drafts: Sequence[DraftPolicy], builder: Builder) -> tuple[PolicyRef, ...]:
    """All of them, in their order. Raises INVALID_INPUT, for two of one name too."""
    if len({draft.name for draft in drafts}) < len(drafts):
        raise OmnigentError(ErrorCode.INVALID_INPUT, "two of the policies have the same name")
    return tuple(built(draft, builder, number) for number, draft in enumerate(drafts, 1))


def backtested(draft: DraftPolicy) -> PolicyRef:
    """A draft that may be asked about thousands of actions. Raises INVALID_INPUT for one that may not."""
    ref = built(draft, draft_builder())
    if is_remote(ref):
        raise OmnigentError(
            ErrorCode.INVALID_INPUT, "a url policy cannot be backtested: each would be a call"
        )
    if "llm" in ref.needs:
        raise OmnigentError(ErrorCode.INVALID_INPUT, "a policy that asks a model cannot be backtested")
    return ref


def placed(chain: Sequence[PolicyRef], drafts: Sequence[PolicyRef]) -> tuple[PolicyRef, ...]:
    """A chain with the drafts in it: in the place of a stored server-wide policy of the same name, or after
    the last of those.
    """
    by_name = {draft.name: draft for draft in drafts}
    taken = {ref.name for ref in chain if _is_stored(ref)}
    swapped = [replaced(ref, by_name) for ref in chain]
    new = [draft for draft in drafts if draft.name not in taken]
    end = next((at for at, ref in enumerate(chain) if _is_after_stored(ref)), len(chain))
    return (*swapped[:end], *new, *swapped[end:])


def replaced(ref: PolicyRef, drafts: Mapping[str, PolicyRef]) -> PolicyRef:
    """The draft that takes a policy's place, or the policy itself."""
    draft = drafts.get(ref.name) if _is_stored(ref) else None
    return ref if draft is None else replace(draft, policy_id=ref.policy_id, version=ref.version + 1)


def _is_stored(ref: PolicyRef) -> bool:
    return ref.level is PolicyLevel.SERVER and not _is_after_stored(ref) and ref.policy_id.startswith("pol_")


def _is_after_stored(ref: PolicyRef) -> bool:
    is_declared = ref.level is PolicyLevel.SERVER and ref.policy_id.startswith(CONFIG)
    return is_declared or ref.level is PolicyLevel.GUARD
