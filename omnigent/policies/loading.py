"""From a registered handler and its parameters to a function that the chain can call."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from inspect import Parameter, Signature
from typing import Any, cast

from omnigent.policies.calls import context_of, phase_of, user_text
from omnigent.policies.registry import Entry
from omnigent.policies.types import Phase

# What the phases were called when handlers took (content, phase).
LEGACY_PHASES = {"request": "input", "response": "output"}
_POSITIONAL = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)


class PolicyLoadError(ValueError):
    """A policy cannot be built from its parameters; the text names the handler and says why."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Loaded:
    """A handler ready to be called: `call(event)`, or `call(event, config)` when `takes_config`."""

    call: Callable[..., Any]
    takes_config: bool = False
    is_async: bool = False
    config: Mapping[str, Any] = field(default_factory=dict)


def load(
    entry: Entry, factory_params: Mapping[str, Any] | None = None, config: Mapping[str, Any] | None = None
) -> Loaded:
    """Build the evaluator of an entry; raise PolicyLoadError in words when that is impossible."""
    call = _evaluator(entry, factory_params)
    signature = _signature(entry, call)
    _check_callable_with_event(entry, signature)
    names = [item.name for item in _positional(signature)]
    is_async = _is_async(call)
    if names[:2] == ["content", "phase"]:
        call, takes_config = _with_event(call, with_context=len(names) > 2), False
    else:
        takes_config = len(names) > 1
    return Loaded(call=call, takes_config=takes_config, is_async=is_async, config=dict(config or {}))


def _evaluator(entry: Entry, factory_params: Mapping[str, Any] | None) -> Callable[..., Any]:
    params = dict(factory_params or {})
    if entry.kind == "callable":
        if params:
            raise PolicyLoadError(f"{entry.handler} takes no parameters")
        if any(item.default is item.empty for item in _positional(_signature(entry, entry.target))):
            return entry.target
    try:
        _signature(entry, entry.target).bind(**params)
    except TypeError as error:
        raise PolicyLoadError(f"{entry.handler}: {error}") from error
    try:
        built = entry.target(**params)
    except ValueError as error:
        raise PolicyLoadError(f"{entry.handler}: {error}") from error
    except (Exception, SystemExit) as error:  # foreign code; its failure is a verdict
        raise PolicyLoadError(f"{entry.handler}: {type(error).__name__}: {error}") from error
    if inspect.iscoroutine(built):
        built.close()
    if not callable(built):
        raise PolicyLoadError(f"{entry.handler} built {type(built).__name__}, which cannot be called")
    return cast("Callable[..., Any]", built)


def _signature(entry: Entry, call: Callable[..., Any]) -> Signature:
    try:
        return inspect.signature(call)
    except (TypeError, ValueError) as error:
        raise PolicyLoadError(f"{entry.handler} does not say what it takes") from error


def _positional(signature: Signature) -> list[Parameter]:
    return [item for item in signature.parameters.values() if item.kind in _POSITIONAL]


def _check_callable_with_event(entry: Entry, signature: Signature) -> None:
    positional = _positional(signature)
    given = 3 if [item.name for item in positional[:2]] == ["content", "phase"] else 2
    try:
        signature.bind(*[None] * max(1, min(given, len(positional))))
    except TypeError as error:
        raise PolicyLoadError(f"{entry.handler} cannot be called with an event: {error}") from error


def _is_async(call: Callable[..., Any]) -> bool:
    return inspect.iscoroutinefunction(call) or inspect.iscoroutinefunction(getattr(call, "__call__", None))  # noqa: B004 - asks how, not whether, it is called


def _with_event(call: Callable[..., Any], *, with_context: bool) -> Callable[..., Any]:
    """A handler of the form (content, phase[, context]) as one of an event. Awaitable results stay so."""

    @wraps(call, updated=())
    def evaluator(event: Mapping[str, Any]) -> Any:
        phase = phase_of(event)
        content = user_text(event) if phase == Phase.REQUEST else event.get("data")
        rest = (dict(context_of(event)),) if with_context else ()
        return call(content, LEGACY_PHASES.get(phase, phase), *rest)

    return evaluator
