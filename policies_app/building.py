"""From a stored or declared policy to one that a chain can run. What cannot be built denies, in words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, NoReturn, Protocol

from omnigent.policies.loading import PolicyLoadError, load
from omnigent.policies.params import problems
from omnigent.policies.registry import Entry, Registry
from omnigent.policies.types import PolicyLevel, PolicyRef
from omnigent.spec.types import PolicyDecl
from policies_app.models import Mode, PolicyBase, PolicyType

LLM_SECONDS = 60.0
BUDGETS = "omnigent.policies.builtins.cost."


class Remotes(Protocol):
    """What runs url policies."""

    @property
    def seconds(self) -> float:
        """How long one may take in all."""
        ...

    def handler(self, *, policy_id: str, name: str, url: str) -> Callable[[Mapping[str, Any]], Any]:
        """An asynchronous handler that asks this address."""
        ...


@dataclass(frozen=True, kw_only=True, slots=True)
class Builder:
    """Builds with what the operator allows: only handlers of the registry, and addresses through `remotes`.

    `foreign_seconds` is how long an operator's own handler may take.
    """

    registry: Registry
    remotes: Remotes
    foreign_seconds: float = 5.0

    def from_row(self, row: PolicyBase, level: PolicyLevel) -> PolicyRef:
        """A policy of a table."""
        ref = PolicyRef(
            name=row.name,
            handler=_unbuilt,
            policy_id=row.public_id,
            level=level,
            version=row.version,
            enabled=row.enabled,
            shadow=row.mode == Mode.SHADOW,
            ask_timeout=row.ask_timeout,
            approvers=tuple(row.approvers),
            quorum=row.quorum,
        )
        if row.type == PolicyType.URL:
            call = self.remotes.handler(policy_id=row.public_id, name=row.name, url=row.handler)
            return replace(ref, handler=call, is_async=True, seconds=self.remotes.seconds + 1.0)
        return self._loaded(ref, row.handler, row.factory_params, None)

    def from_declaration(self, declared: PolicyDecl, level: PolicyLevel, policy_id: str) -> PolicyRef:
        """A policy of an agent's specification or of the operator's configuration file."""
        ref = PolicyRef(
            name=declared.name,
            handler=_unbuilt,
            policy_id=policy_id,
            level=level,
            condition=declared.condition,
            set_labels=None if declared.set_labels is None else frozenset(declared.set_labels),
            ask_timeout=declared.ask_timeout,
        )
        return self._loaded(ref, declared.handler, declared.factory_params, declared.config)

    def guard(self, name: str, handler: str) -> PolicyRef:
        """A check that no setting takes away."""
        ref = PolicyRef(name=name, handler=_unbuilt, policy_id=f"guard:{name}", level=PolicyLevel.GUARD)
        return self._loaded(ref, handler, None, None)

    def _loaded(
        self,
        ref: PolicyRef,
        handler: str,
        params: Mapping[str, Any] | None,
        config: Mapping[str, Any] | None,
    ) -> PolicyRef:
        entry = self.registry.get(handler)
        if entry is None:
            return replace(ref, handler=_failing(f"handler {handler!r} is not in the registry"))
        wrong = problems(entry, params)
        if wrong:
            return replace(ref, handler=_failing(f"{handler}: {'; '.join(wrong)}"))
        try:
            loaded = load(entry, params, config)
        except PolicyLoadError as error:
            return replace(ref, handler=_failing(str(error)))
        return replace(
            ref,
            handler=loaded.call,
            is_async=loaded.is_async,
            takes_config=loaded.takes_config,
            config=loaded.config,
            foreign=entry.foreign,
            advisory=entry.advisory,
            counters=entry.counters,
            needs=entry.needs,
            is_budget=entry.handler.startswith(BUDGETS),
            seconds=self._seconds(entry),
        )

    def _seconds(self, entry: Entry) -> float:
        return LLM_SECONDS if "llm" in entry.needs else self.foreign_seconds


def _failing(why: str) -> Callable[..., NoReturn]:
    def handler(_event: Mapping[str, Any]) -> NoReturn:
        raise PolicyLoadError(why)

    return handler


def _unbuilt(_event: Mapping[str, Any]) -> NoReturn:
    raise PolicyLoadError("the policy was never built")
