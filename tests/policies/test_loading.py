"""From a handler and its parameters to what the chain calls: factories, arity, the older form."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from omnigent.policies.loading import PolicyLoadError, load
from omnigent.policies.registry import Entry
from tests.policies import events

Json = dict[str, Any]
EVENT = events.tool_call("Bash", {"command": "ls"})


def entry(target: Callable[..., Any], kind: str = "callable") -> Entry:
    return Entry(
        handler="house.guard",
        kind=kind,  # type: ignore[arg-type]  # one of the two
        name="Guard",
        description="Guards.",
        target=target,
    )


def of_event(event: Json) -> Json:
    return {"result": "DENY", "reason": event["type"]}


def with_config(event: Json, config: Json) -> Json:
    return {"result": "DENY", "reason": config["word"]}


async def awaited(event: Json) -> Json:
    return {"result": "ASK", "reason": event["type"]}


def limited(limit: int = 3) -> Callable[[Json], Json]:
    if limit < 0:
        raise ValueError("limit must be 0 or more")
    return lambda event: {"result": "DENY", "reason": str(limit)}


def needing(blocked: list[str]) -> Callable[[Json], Json]:
    return lambda event: {"result": "DENY", "reason": blocked[0]}


def only_keywords(*, limit: int) -> Callable[[Json], Json]:
    return limited(limit)


class Counter:
    """An evaluator that is an object."""

    def __call__(self, event: Json) -> Json:
        return of_event(event)


class AsyncCounter:
    async def __call__(self, event: Json) -> Json:
        return of_event(event)


async def async_factory() -> Callable[[Json], Json]:
    return of_event


def legacy(content: Any, phase: str) -> Json:
    return {"result": "DENY", "reason": f"{phase}:{content}"}


def legacy_with_context(content: Any, phase: str, context: Json) -> Json:
    return {"result": "DENY", "reason": f"{phase}:{context['model']}"}


async def async_legacy(content: Any, phase: str) -> Json:
    return legacy(content, phase)


@pytest.mark.parametrize(
    ("target", "kind", "params", "reason"),
    [
        (of_event, "callable", None, "tool_call"),
        (of_event, "callable", {}, "tool_call"),
        (limited, "factory", None, "3"),
        (limited, "factory", {}, "3"),
        (limited, "factory", {"limit": 7}, "7"),
        (limited, "callable", None, "3"),
        (needing, "factory", {"blocked": ["x"]}, "x"),
        (only_keywords, "factory", {"limit": 2}, "2"),
        (Counter(), "callable", None, "tool_call"),
    ],
    ids=lambda value: getattr(value, "__name__", "an object" if isinstance(value, Counter) else str(value)),
)
def test_a_handler_is_built_from_its_parameters(
    target: Callable[..., Any], kind: str, params: Json | None, reason: str
) -> None:
    loaded = load(entry(target, kind), params)

    assert loaded.call(EVENT)["reason"] == reason
    assert not loaded.takes_config
    assert not loaded.is_async


@pytest.mark.parametrize(
    ("target", "kind", "params", "said"),
    [
        (of_event, "callable", {"limit": 1}, "takes no parameters"),
        (limited, "factory", {"lim": 1}, "unexpected keyword argument 'lim'"),
        (limited, "factory", {"limit": -1}, "limit must be 0 or more"),
        (limited, "factory", {"limit": "x"}, "TypeError"),
        (needing, "factory", None, "missing a required argument: 'blocked'"),
        (lambda: 3, "factory", None, "built int, which cannot be called"),
        (async_factory, "factory", None, "built coroutine, which cannot be called"),
        (lambda: lambda: None, "factory", None, "cannot be called with an event"),
        (lambda event, config, more: None, "callable", None, "cannot be called with an event"),
        (lambda event, *, key: None, "callable", None, "cannot be called with an event"),
        (lambda content, phase, context, more: None, "callable", None, "cannot be called with an event"),
        (lambda: exit(3), "factory", None, "SystemExit"),
    ],
    ids=range(12),
)
def test_what_cannot_be_built_is_refused_in_words(
    target: Callable[..., Any], kind: str, params: Json | None, said: str
) -> None:
    with pytest.raises(PolicyLoadError, match=said) as refused:
        load(entry(target, kind), params)

    assert str(refused.value).startswith("house.guard")


def test_a_handler_of_two_takes_the_config() -> None:
    loaded = load(entry(with_config), None, {"word": "no"})

    assert loaded.takes_config
    assert loaded.call(EVENT, loaded.config)["reason"] == "no"


@pytest.mark.parametrize("target", [awaited, AsyncCounter()], ids=["function", "object"])
def test_a_handler_that_waits_is_said_to_be_so(target: Callable[..., Any]) -> None:
    loaded = load(entry(target))

    assert loaded.is_async
    assert asyncio.run(loaded.call(EVENT))["reason"] == "tool_call"


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (events.request("hello"), "input:hello"),
        (events.event("response", "bye"), "output:bye"),
        (events.tool_call("t"), "tool_call:{'name': 't', 'arguments': {}}"),
    ],
    ids=["request", "response", "tool_call"],
)
def test_the_older_form_is_given_content_and_phase(event: Json, reason: str) -> None:
    assert load(entry(legacy)).call(event)["reason"] == reason


def test_the_older_form_may_take_the_context_too_and_may_wait() -> None:
    event = events.tool_call("t", context={"model": "m"})

    loaded = load(entry(async_legacy))

    assert load(entry(legacy_with_context)).call(event)["reason"] == "tool_call:m"
    assert loaded.is_async
    assert asyncio.run(loaded.call(events.request("hello")))["reason"] == "input:hello"
